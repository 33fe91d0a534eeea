package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vbladefs/netio/netiotest"
)

// exporters start one daemon each in ns that exports a disk of its own as e0.3 on eth0,
// and return what that said, or what it says of why it does not, and how to ask it again.
var exporters = []struct {
	name    string // as it is told of
	starts  func(t *testing.T, ns netiotest.Netns) (pid int, kill func())
	refused func(t *testing.T, ns netiotest.Netns, want string)
}{
	{"vbladefs serve", func(t *testing.T, ns netiotest.Netns) (int, func()) {
		d := serve(t, ns)
		path, _ := image(t, mib)
		d.echo("add "+path+" 0 3 eth0", "aoeserver")
		return d.cmd.Process.Pid, func() { d.stop(syscall.SIGKILL); unmountDead(t, d.dir) }
	}, func(t *testing.T, ns netiotest.Netns, want string) {
		d := serve(t, ns)
		path, _ := image(t, mib)
		for _, line := range []string{"add " + path + " 0 3 eth0", "add " + path + " 0 3"} {
			if errno := d.tryEcho(line, "aoeserver"); errno != "EADDRINUSE" || !strings.Contains(d.lastEvent(), want) {
				t.Errorf("%s: %s, %s", line, errno, d.lastEvent())
			}
		}
		if errno := d.tryEcho("0 3 eth0 "+path, "kvblade/add"); errno != "EADDRINUSE" {
			t.Errorf("kvblade: %s", errno)
		}
		d.echo("add "+path+" 0 4 eth0", "aoeserver")
		d.echo("add d "+path, "vblade/drives")
		d.echo("add eth0 0 3 force", "vblade/d/ports")
	}},
	{"ggaoed", func(t *testing.T, ns netiotest.Netns) (int, func()) {
		g := ggaoed(t, ns, ggaoedDisk(t))
		return g.cmd.Process.Pid, func() { g.stop(syscall.SIGKILL) }
	}, func(t *testing.T, ns netiotest.Netns, want string) {
		g := ggaoed(t, ns, ggaoedDisk(t))
		g.await("it says so", func() bool { return strings.Contains(g.stdout.String(), want) })
	}},
	{"qaoed", func(t *testing.T, ns netiotest.Netns) (int, func()) {
		q := startQaoed(t, ns, qaoedDisk(t))
		return q.cmd.Process.Pid, func() { q.stop(syscall.SIGKILL) }
	}, func(t *testing.T, ns netiotest.Netns, want string) {
		q := startQaoed(t, ns, qaoedDisk(t))
		q.await("it says so", func() bool { return strings.Contains(q.stderr.String(), want) })
	}},
	single("vblade", func(path string) []string { return []string{"0", "3", "eth0", path} }),
	single("sqaoed", func(path string) []string { return []string{"eth0", path, "0", "3"} }),
}

func ggaoedDisk(t *testing.T) string {
	path, _ := image(t, mib)
	return fmt.Sprintf("[disk]\npath = %s\nshelf = 0\nslot = 3\n", path)
}

func qaoedDisk(t *testing.T) string {
	path, _ := image(t, mib)
	return "apisocket = $S;\ndevice { target = " + path + "; shelf = 0; slot = 3; interface = eth0; }\n"
}

// single is the exporter of a daemon of one export.
func single(name string, words func(path string) []string) (e struct {
	name    string
	starts  func(t *testing.T, ns netiotest.Netns) (pid int, kill func())
	refused func(t *testing.T, ns netiotest.Netns, want string)
}) {
	e.name = name
	e.starts = func(t *testing.T, ns netiotest.Netns) (int, func()) {
		path, _ := image(t, mib)
		f := run(t, ns, "sectors", called(t, name), words(path)...)
		return f.cmd.Process.Pid, func() { f.stop(syscall.SIGKILL) }
	}
	e.refused = func(t *testing.T, ns netiotest.Netns, want string) {
		path, _ := image(t, mib)
		if said := isRefused(t, ns, called(t, name), words(path)...); !strings.Contains(said, want) || !strings.Contains(said, "--force") {
			t.Errorf("it says %q, want %q and how to force it", said, want)
		}
	}
	return e
}

// isRefused starts a daemon that has to end with exit code 1, and returns what it says.
func isRefused(t *testing.T, ns netiotest.Netns, path string, words ...string) string {
	t.Helper()
	f := &foreground{&daemon{t: t, cmd: ns.Command(path, words...), stderr: &output{}, ended: make(chan struct{})}, nil}
	f.cmd.Stdout, f.cmd.Stderr = f.stderr, f.stderr
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = f.cmd.Wait()
		close(f.ended)
	}()
	t.Cleanup(func() {
		if f.running() {
			f.stop(syscall.SIGKILL)
		}
	})
	if code := f.exitCode(); code != 1 {
		t.Errorf("%s %v: exit code %d, want 1:\n%s", path, words, code, f.stderr)
	}
	return f.stderr.String()
}

func unmountDead(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
		t.Errorf("umount: %v: %s", err, out)
	}
}

// TestDaemonsOfOneMachine has each kind of daemon serve an address, and each kind ask
// for it with another disk: they name who has it. Another namespace is another
// segment, whatever its interfaces are called. What is killed has nothing any more.
func TestDaemonsOfOneMachine(t *testing.T) {
	t.Parallel()
	for _, holder := range exporters {
		t.Run(strings.ReplaceAll(holder.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			here, there := netiotest.Pair(t, 1500)
			pid, kill := holder.starts(t, here)
			want := fmt.Sprintf("e0.3 on eth0, by process %d (%s)", pid, holder.name)
			for _, e := range exporters {
				t.Run(strings.ReplaceAll(e.name, " ", "-"), func(t *testing.T) { e.refused(t, here, want) })
			}
			connect(t, there, "eth0").open("0.3")
			other, _ := netiotest.Pair(t, 1500)
			holder.starts(t, other)
			kill()
			exporters[3].starts(t, here)
		})
	}
}

// TestDaemonsWait: what a configuration or a state has that another daemon serves,
// comes up when that has ended.
func TestDaemonsWait(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	path, content := image(t, mib)
	d.echo("add "+path+" 0 3", "aoeserver") // on every interface
	d.stop(syscall.SIGTERM)
	other, _ := image(t, mib)
	f := run(t, here, "sectors", called(t, "vblade"), "0", "3", "eth0", other)
	d = serve(t, here, state)
	if log, want := d.cat("log"), fmt.Sprintf("by process %d (vblade)", f.cmd.Process.Pid); !strings.Contains(log, want) || !strings.Contains(d.cat("targets/ports"), " down") {
		t.Errorf("the log is %s, want %s; and its ports %s", log, want, d.cat("targets/ports"))
	}
	f.endsBy(syscall.SIGTERM)
	d.await("it is up", func() bool { return strings.Contains(d.cat("targets/ports"), " up") })
	checkBytes(t, "the export", readAll(t, connect(t, there, "eth0").open("0.3")), content)
}

// TestClaimsFollowInterfaces has an interface renamed, removed and made again under
// what a daemon serves there, and another daemon ask.
func TestClaimsFollowInterfaces(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	vblade := called(t, "vblade")
	d := serve(t, here)
	path, _ := image(t, mib)
	other, _ := image(t, mib)
	d.echo("add "+path+" 0 3 eth0", "aoeserver")
	want := fmt.Sprintf("by process %d (vbladefs serve)", d.cmd.Process.Pid)
	refuses := func(netif string) {
		t.Helper()
		if said := isRefused(t, here, vblade, "0", "3", netif, other); !strings.Contains(said, want) {
			t.Errorf("%s: %s", netif, said)
		}
	}
	here.Run("ip", "link", "set", "eth0", "down")
	refuses("eth0")
	here.Run("ip", "link", "set", "eth0", "name", "lan0", "up")
	d.await("it is renamed", func() bool { return strings.Contains(d.cat("targets/ports"), "e0.3 lan0 ") })
	refuses("lan0")

	here.Run("ip", "link", "del", "lan0")
	d.await("it is gone", func() bool { return strings.Contains(d.cat("targets/ports"), " down") })
	netiotest.Join(here, "lan0", there, "eth0", 1500)
	d.await("it is back", func() bool { return strings.Contains(d.cat("targets/ports"), " up") })
	refuses("lan0")

	d.echo("del "+path+" 0 3", "aoeserver")
	run(t, here, "sectors", vblade, "0", "3", "lan0", other).endsBy(syscall.SIGTERM)
}

// TestClaimsAreTakenOver: there is no moment when another daemon could have the
// address, and then it is the new one's to give.
func TestClaimsAreTakenOver(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	vblade := called(t, "vblade")
	other, _ := image(t, mib)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	path, _ := image(t, mib)
	d.echo("add "+path+" 0 3 eth0", "aoeserver")
	stop, free := make(chan struct{}), make(chan string, 1)
	go func() { // whoever asks meanwhile is refused
		defer close(free)
		for {
			select {
			case <-stop:
				return
			default:
			}
			cmd := here.Command("timeout", "20", vblade, "0", "3", "eth0", other)
			if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), "by process ") {
				free <- string(out)
				return
			}
		}
	}()
	for range 3 {
		d = d.takenOver(here, program, state)
	}
	close(stop)
	if out, yes := <-free; yes {
		t.Errorf("during a take-over another daemon got the address: %s", out)
	}
	want := fmt.Sprintf("by process %d (vbladefs serve)", d.cmd.Process.Pid)
	if said := isRefused(t, here, vblade, "0", "3", "eth0", other); !strings.Contains(said, want) {
		t.Errorf("it says %s, want %s", said, want)
	}
	d.echo("del "+path+" 0 3", "aoeserver")
	run(t, here, "sectors", vblade, "0", "3", "eth0", other).endsBy(syscall.SIGTERM)
}

// TestClaimsOfAnotherUser: the daemon has claimed what it needs before it becomes
// somebody who could not, also for interfaces that come later.
func TestClaimsOfAnotherUser(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	dir, images := mountDir(t), mountDir(t)
	path := filepath.Join(images, "disk")
	for _, err := range []error{os.WriteFile(path, make([]byte, mib), 0o600), os.Chown(path, nobody, nobody), os.Chmod(images, 0o755), os.Chmod(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Remove(path) })
	d := serveAs(t, here, dir, "-user", "nobody", "-state=")
	netiotest.Join(here, "eth1", there, "eth1", 1500)
	d.echo("add "+path+" 0 3", "aoeserver")
	other, _ := image(t, mib)
	for _, netif := range []string{"eth0", "eth1"} {
		want := fmt.Sprintf("e0.3 on %s, by process %d (vbladefs serve)", netif, d.cmd.Process.Pid)
		if said := isRefused(t, here, called(t, "sqaoed"), netif, other, "0", "3"); !strings.Contains(said, want) {
			t.Errorf("it says %s, want %s", said, want)
		}
	}
	run(t, here, "sectors", called(t, "vblade"), "0", "4", "eth0", other)
	if errno := d.tryEcho("add "+path+" 0 4", "aoeserver"); errno != "EADDRINUSE" {
		t.Errorf("%s, %s", errno, d.lastEvent())
	}
}
