package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/fusectl/dying"
	"vbladefs/netio/netiotest"
	"vbladefs/target/ata"
)

// called makes a link to the program under the name of a personality.
func called(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command(program, "install-links", dir).CombinedOutput(); err != nil {
		t.Fatalf("install-links: %v\n%s", err, out)
	}
	return filepath.Join(dir, name)
}

// foreground is a personality that runs in the foreground.
type foreground struct {
	*daemon
	stdout *output
}

// run starts a personality in ns and waits until its stdout matches said.
func run(t *testing.T, ns netiotest.Netns, said string, path string, args ...string) *foreground {
	t.Helper()
	f := &foreground{&daemon{t: t, cmd: ns.Command(path, args...), stderr: &output{}, ended: make(chan struct{})}, &output{}}
	f.cmd.Stdout, f.cmd.Stderr = f.stdout, f.stderr
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = f.cmd.Wait()
		close(f.ended)
	}()
	t.Cleanup(func() {
		if f.running() {
			f.stop(syscall.SIGTERM)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s%s", path, f.stdout, f.stderr)
		}
	})
	wanted := regexp.MustCompile(said)
	f.await("it says "+said, func() bool { return wanted.MatchString(f.stdout.String()) })
	return f
}

// endsBy checks that a signal ends f as it would have ended the original.
func (f *foreground) endsBy(sig syscall.Signal) {
	f.t.Helper()
	f.stop(sig)
	if status := f.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != sig {
		f.t.Errorf("%v: it ended by %v, want by the signal", sig, f.cmd.ProcessState)
	}
}

func serialOf(t *testing.T, addr string) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	serial := addr + ":" + host
	return serial[:min(len(serial), 19)]
}

func TestVblade(t *testing.T) {
	here, there := netiotest.Pair(t, 4200)
	const name = netiotest.Netif
	device, file, content := loopDisk(t, 2<<20)
	f := run(t, here, "sectors", called(t, "vblade"), "7", "3", name, device, "-b", "32")
	want := fmt.Sprintf("pid %d: e7.3, 4096 sectors O_RDWR\n", f.cmd.Process.Pid)
	if got := f.stdout.String(); got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	c := connect(t, there, name)
	found := c.discovers("7.3")[0]
	if found.Buffers != 32 || found.Firmware != 0x4019 || found.Sectors != 8 {
		t.Errorf("config reply %+v, want 32 buffers, firmware 0x4019, 8 sectors", found)
	}
	x := c.open("7.3")
	id := x.Identity
	if id.Model != "Coraid EtherDrive vblade" || id.Serial != serialOf(t, "7.3") || !id.WriteCache {
		t.Errorf("identity %q %q, volatile cache %v", id.Model, id.Serial, id.WriteCache)
	}
	checkBytes(t, "the export", readAll(t, x), content)
	put(t, x, content, 4096, 65536)
	if err := x.Flush(); err != nil {
		t.Error(err)
	}
	checkFile(t, file, content)
	f.endsBy(syscall.SIGTERM)
	if got := f.stderr.String(); got != "" {
		t.Errorf("stderr %q, want nothing", got)
	}
}

func TestVbladeOptions(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	const name = netiotest.Netif
	path, content := image(t, 1<<20)
	c := connect(t, there, name)

	f := run(t, here, `pid \d+: e1\.2, 100 sectors O_RDONLY\n`, called(t, "vblade"), "-o", "0x10", "-l", "100", "-r", "-s", "1", "2", name, path)
	x := c.open("1.2")
	if x.Identity.WriteCache {
		t.Error("-s: a volatile write cache is announced")
	}
	checkBytes(t, "a part of the file", readAll(t, x), content[16*512:116*512])
	_, err := x.WriteAt(random(512), 0)
	wantATAError(t, "a write to -r", err, ata.ABRT)
	f.endsBy(syscall.SIGINT)

	f = run(t, here, "sectors", called(t, "vblade"), "-m", strings.ReplaceAll(c.mac.String(), ":", ""), "1", "2", name, path)
	c.discovers("1.2")
	f.endsBy(syscall.SIGHUP)
	f = run(t, here, "sectors", called(t, "vblade"), "-m", "02:00:00:00:00:09,020000000008", "1", "2", name, path)
	if found, err := c.Discover(200 * time.Millisecond); err != nil || len(found) > 0 {
		t.Errorf("an initiator that -m does not name discovers %v, %v", found, err)
	}
	f.endsBy(syscall.SIGTERM)
}

func TestVbladeStaysUp(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	const name = netiotest.Netif
	path, content := image(t, 1<<20)
	f := run(t, here, "sectors", called(t, "vblade"), "1", "2", name, path)
	x := connect(t, there, name).open("1.2")
	here.Run("ip", "link", "set", name, "down")
	here.Run("ip", "link", "set", name, "up")
	here.AwaitRunning(name)
	checkBytes(t, "the export", readAll(t, x), content)
	f.endsBy(syscall.SIGTERM)
}

func TestVbladeEnds(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	const name = netiotest.Netif
	path, _ := image(t, 4096)
	small := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(small, make([]byte, 511), 0o600); err != nil {
		t.Fatal(err)
	}
	vblade, sqaoed := called(t, "vblade"), called(t, "sqaoed")
	other, _ := image(t, 4096)
	rival := run(t, there, "sectors", vblade, "5", "5", name, other)
	usage := "usage: " + vblade + " [-b bufcnt] [-o offset] [-l length] [-d ] [-s] [-r] [ -m mac[,mac...] ] shelf slot netif filename\n"
	for _, c := range []struct {
		args   string
		stderr string // its beginning
	}{
		{vblade, usage},
		{vblade + " -x 0 1 eth0 /f", vblade + ": invalid option -- 'x'\n" + usage},
		{vblade + " -b 0 0 1 " + name + " " + path, usage},
		{vblade + " 70000 1 " + name + " " + path, vblade + ": shelf"},
		{vblade + " 0 1 " + name + " /nonexistent", "open: No such file or directory\n"},
		{vblade + " 0 1 " + name + " " + small, "0-sector file size is too small\n"},
		{vblade + " -o 8 0 1 " + name + " " + path, "Offset 8 too large for 8-sector export\n"},
		{vblade + " -o 4 -l 5 0 1 " + name + " " + path, "Length 5 too big - exceeds size of file!\n"},
		{vblade + " 0 1 eth7 " + path, "eth7: No such device\n"},
		{vblade + " -m 02 0 1 " + name + " " + path, vblade + ": -m"},
		{vblade + " 0 1 " + name + " " + other, "open: Device or resource busy\n"},
		{vblade + " 5 5 " + name + " " + path, "address answered by another machine: 5.5 on " + name},
		{sqaoed + " " + name, "usage: " + sqaoed + " <interface> <device> <shelf> <slot>\n"},
		{sqaoed + " " + name + " /nonexistent 0 0", "/nonexistent: No such file or directory\n"},
		{sqaoed + " eth7 " + path + " 0 0", "eth7: No such device\n"},
	} {
		words := strings.Fields(c.args)
		cmd := here.Command(words[0], words[1:]...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != 1 || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), c.stderr) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want 1, none, %q", c.args, code, &stdout, &stderr, c.stderr)
		}
	}
	forced := run(t, here, "sectors", vblade, "--force", "5", "5", name, other)
	forced.endsBy(syscall.SIGTERM)
	rival.endsBy(syscall.SIGTERM)
}

// A vblade whose file does not answer yet can be told to end.
func TestVbladeEndsWhileItsFileHangs(t *testing.T) {
	t.Parallel()
	here := netiotest.New(t)
	hung := silentDisk(t)
	f := run(t, here, "", called(t, "vblade"), "0", "1", "lo", hung.Path())
	f.await("the file is opened", func() bool { return hung.Waiting() > 0 })
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.await("it ends as far as it can", func() bool { return dying.Process(f.cmd.Process.Pid) })
	hung.Heal()
	<-f.ended
	if status := f.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended by %v, want by the signal", f.cmd.ProcessState)
	}
}

// TestVbladed is the article's `./vbladed 0 3 eth0 /dev/loop3`.
func TestVbladed(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	const name = netiotest.Netif
	device, _, content := loopDisk(t, 1<<20)
	vbladed := called(t, "vbladed")
	out, err := here.Command(vbladed, "0", "3", name, device).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Fatalf("vbladed: %v, %q", err, out)
	}
	pid := processOf(t, vbladed)
	checkBytes(t, "the export", readAll(t, connect(t, there, name).open("0.3")), content)
	if sid, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil {
		t.Error(err)
	} else if fields := strings.Fields(string(sid[bytes.LastIndexByte(sid, ')'):])); fields[3] != strconv.Itoa(pid) {
		t.Errorf("its session is %s, want its own, %d", fields[3], pid)
	}
	if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || cwd != "/" {
		t.Errorf("it stands in %s, %v; want /", cwd, err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d does not end", pid)
		}
	}
	out, err = here.Command(vbladed, "0", "3", "eth7", device).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || string(out) != "eth7: No such device\n" {
		t.Errorf("no such interface: %v, %q", err, out)
	}
}

// TestVbladeSameAddress has a second one asked for an address that the first serves
// with another file: both would answer, and no frame tells one of the other.
func TestVbladeSameAddress(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	const name = netiotest.Netif
	vblade := called(t, "vblade")
	first, content := image(t, 1<<20)
	second, _ := image(t, 1<<20)
	f := run(t, here, "sectors", vblade, "0", "3", name, first)
	want := fmt.Sprintf("e0.3 on %s, by process %d (vblade): ", name, f.cmd.Process.Pid)
	for _, words := range [][]string{{"0", "3", name, second}, {"-r", "0", "3", name, second}} {
		cmd := here.Command(vblade, words...)
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() }) // it serves
		out, err := cmd.CombinedOutput()
		late.Stop()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), want) {
			t.Errorf("a second one: %v, %q; want exit code 1 and %q", err, out, want)
		}
	}
	checkBytes(t, "the export", readAll(t, connect(t, there, name).open("0.3")), content)
	run(t, here, "sectors", vblade, "--force", "0", "3", name, second).endsBy(syscall.SIGTERM)
	run(t, here, "sectors", vblade, "0", "4", name, second).endsBy(syscall.SIGTERM)
	f.stop(syscall.SIGKILL)
	run(t, here, "sectors", vblade, "0", "3", name, second).endsBy(syscall.SIGTERM)
}

// processOf finds the one process that was started by this path, and ends it with
// the test.
func processOf(t *testing.T, path string) int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, _ := os.ReadFile(file)
		if first, _, _ := strings.Cut(string(text), "\x00"); first == path {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
			return pid
		}
	}
	t.Fatalf("no process of %s", path)
	return 0
}

// TestSqaoed is the article's `./sqaoed eth0 /dev/loop7 0 0`, watched through the
// control tree.
func TestSqaoed(t *testing.T) {
	here, there := netiotest.Pair(t, 4200)
	const name = netiotest.Netif
	device, _, content := loopDisk(t, 1<<20)
	dir := mountDir(t)
	f := run(t, here, "sectors", called(t, "sqaoed"), name, device, "0", "0", "--mount", dir)
	f.dir = dir
	x := connect(t, there, name).open("0.0")
	checkBytes(t, "the export", readAll(t, x), content)
	if x.Identity.Model != "123456789" {
		t.Errorf("model %q", x.Identity.Model)
	}
	if got, want := f.cat("targets/ports"), "e0.0 "+name+" 20 0 8 up\n"; got != want {
		t.Errorf("targets/ports: %q, want %q", got, want)
	}
	if got := f.stat("targets/e0.0/stats", "reads"); got == "0" {
		t.Error("the tree shows no reads")
	}
	f.endsBy(syscall.SIGTERM)
	f.checkUnmounted()
}
