package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/fusectl"
	"vbladefs/netio/netiotest"
)

func TestCommandLine(t *testing.T) {
	t.Parallel()
	ns := netiotest.New(t)
	usage := []string{"usage: vbladefs serve [options] DIRECTORY"}
	for _, tt := range []struct {
		name, line string
		code       int
		says       []string
	}{
		{"nothing", "", 2, []string{"commands:", "serve [options] DIRECTORY"}},
		{"help", "help", 0, []string{"echo add /dev/loop1 0 1 eth0", "serve", "version"}},
		{"help ctl", "help ctl", 0, []string{fusectl.Help()}},
		{"help on nothing known", "help tcl", 2, []string{"usage: vbladefs help [ctl | COMMAND | DAEMON]", "want ctl, a command, a daemon or nothing"}},
		{"help -h", "help -h", 0, []string{"commands:"}},
		{"help on a command", "help serve", 0, append(usage, "-cache")},
		{"help on a command without options", "help check", 0, []string{"usage: vbladefs check FILE..."}},
		{"-h", "-h", 0, []string{"commands:"}},
		{"version", "version", 0, []string{"vbladefs 1.2-test\n"}},
		{"--version", "--version", 0, []string{"vbladefs 1.2-test\n"}},
		{"unknown command", "sreve /x", 2, []string{`unknown command "sreve"`, "vbladefs help"}},
		{"serve -h", "serve -h", 0, append(usage, "-cache", "-io", "-link", "-group", "-busy-poll", "-ring", "-requests", "-workers", "-cpus", "-state", "-takeover", "-user", "-metrics")},
		{"no directory", "serve", 2, append(usage, "0 arguments, want one")},
		{"two directories", "serve /a /b", 2, append(usage, "2 arguments, want one")},
		{"unknown flag", "serve -colour red /a", 2, append(usage, "-colour")},
		{"unknown link", "serve -link fast /a", 2, append(usage, "want auto, ring, raw or xdp")},
		{"unknown policy", "serve -cache none /a", 2, append(usage, "want writeback, direct or durable")},
		{"unknown group", "serve -group no-such-group /a", 2, append(usage, "no-such-group")},
		{"unknown user", "serve -user no-such-user /a", 2, append(usage, "no-such-user")},
		{"I/O kind", "serve -io threads /a", 2, append(usage, "want auto, uring or sync")},
		{"busy poll", "serve -busy-poll 2s /a", 2, append(usage, "want 0 to 1s")},
		{"small ring", "serve -ring 64k /a", 2, append(usage, "-ring 64k", "want 256k to 1g")},
		{"odd ring", "serve -ring 4x /a", 2, append(usage, `"4x"`)},
		{"few requests", "serve -requests 5 /a", 2, append(usage, "-requests 5", "want 64 to 8192")},
		{"no worker", "serve -workers 0 /a", 2, append(usage, "want 1 to 64")},
		{"malformed processors", "serve -cpus 1-0 /a", 2, append(usage, `"1-0"`, "such as 0,2-3")},
		{"absent processor", "serve -cpus 0,1023 /a", 2, append(usage, "processor 1023", "taskset")},
		{"taking over without a state", "serve -takeover -state= /a", 2, append(usage, "-takeover", "-state")},
		{"state in the tree", "serve -state /nowhere/a/b /nowhere/a/", 2, append(usage, "/nowhere/a/b", "hides it")},
		{"state is the tree", "serve -state /nowhere/../nowhere/a /nowhere/a", 2, append(usage, "hides it")},
		{"not a directory", "serve /dev/null", 1, []string{"vbladefs serve:", "not a directory"}},
		{"below a file", "serve /dev/null/x", 1, []string{"vbladefs serve:", "not a directory"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			need(t)
			d := start(t, ns, strings.Fields(tt.line)...)
			if code := d.exitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.says {
				if !strings.Contains(d.stderr.String(), want) {
					t.Errorf("says\n%s\nwithout %q", d.stderr, want)
				}
			}
		})
	}
}

// TestEnd: a signal ends the daemon while it serves, and nothing is left.
func TestEnd(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			here, there := netiotest.Pair(t, 1500)
			parent := mountDir(t)
			d := serveOn(t, here, filepath.Join(parent, "made", "for", "it"))
			device, path, disk := loopDisk(t, mib)
			d.echo("add "+device+" 0 1", "aoeserver")
			put(t, connect(t, there, "eth0").open("0.1"), disk, 100, 50000)
			if code := d.stop(sig); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			d.checkUnmounted()
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("%v is left of the mount point", left)
			}
			if err := openExclusively(device); err != nil {
				t.Errorf("the device is still claimed: %v", err)
			}
			checkFile(t, path, disk)
			sockets, err := here.Command("cat", "/proc/net/packet").Output()
			if err != nil || len(lines(string(sockets))) != 1 { // the heading
				t.Errorf("packet sockets are left in the namespace: %v\n%s", err, sockets)
			}
		})
	}
}

// TestEndDespiteAVisitor: a shell that stands in the tree does not keep the
// daemon from ending.
func TestEndDespiteAVisitor(t *testing.T) {
	t.Parallel()
	d := serve(t, netiotest.New(t))
	visitor := exec.Command("bash", "-c", "cd vblade; exec 3< drives; echo ready; read line")
	visitor.Dir = d.dir
	leave := startReady(t, visitor)
	defer visitor.Wait()
	defer leave.Close()
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	d.checkUnmounted()
}

// TestRestartAfterKill: the mount that a killed daemon leaves is replaced, and
// its device can be exported again.
func TestRestartAfterKill(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	dir := mountDir(t)
	device, _, disk := loopDisk(t, mib)
	for range 3 {
		d := serveOn(t, here, dir)
		d.echo("add "+device+" 0 1 eth0", "aoeserver")
		put(t, connect(t, there, "eth0").open("0.1"), disk, 4000, 4000)
		if code := d.stop(syscall.SIGKILL); code != -1 {
			t.Errorf("exit code %d after SIGKILL", code)
		}
		if _, err := os.ReadDir(dir); err == nil {
			t.Error("the tree of a dead daemon can be read")
		}
	}
	d := serveOn(t, here, dir)
	d.echo("add "+device+" 0 1 eth0", "aoeserver")
	checkBytes(t, "after three deaths", readAll(t, connect(t, there, "eth0").open("0.1")), disk)
}

// TestFolderWithContents: what lies where the tree shall be may be a command that
// was written too early, so it is not hidden unless that is asked for.
func TestFolderWithContents(t *testing.T) {
	t.Parallel()
	ns := netiotest.New(t)
	dir := mountDir(t)
	early := filepath.Join(dir, "aoeserver")
	if err := os.WriteFile(early, []byte("add /dev/loop1 0 1 eth0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(early) }) // after the daemons have ended
	refused := start(t, ns, "serve", dir)
	if code := refused.exitCode(); code != 1 || !strings.Contains(refused.stderr.String(), "it holds aoeserver") {
		t.Errorf("exit code %d:\n%s", code, refused.stderr)
	}
	d := start(t, ns, "serve", "-nonempty", dir)
	d.dir = dir
	d.await("the tree is mounted", func() bool {
		_, err := os.Stat(filepath.Join(dir, "log"))
		return err == nil
	})
	d.check()
}

// TestSecondDaemon: a directory that is served is refused, and the daemon that
// serves it is not disturbed.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	ns := netiotest.New(t)
	first := serve(t, ns)
	second := start(t, ns, "serve", first.dir)
	if code := second.exitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{first.dir, "a running vbladefs serves it", "choose another folder"} {
		if !strings.Contains(second.stderr.String(), want) {
			t.Errorf("says\n%s\nwithout %q", second.stderr, want)
		}
	}
	first.check()
	if !mounted(t, first.dir) {
		t.Error("the first one's tree is gone")
	}
}

// TestSomeoneElseUnmounts: serving goes on without a tree, and the daemon ends
// as always.
func TestSomeoneElseUnmounts(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	path, disk := image(t, mib)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	tool(t, "umount", d.dir)
	checkBytes(t, "without a tree", readAll(t, connect(t, there, "eth0").open("0.1")), disk)
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// Whoever reads the log may go away; the exports stay.
func TestOutlivesTheReaderOfItsLog(t *testing.T) {
	need(t)
	ours, _ := netiotest.Pair(t, 1500)
	dir := mountDir(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := ours.Command(program, "serve", "-state=", dir)
	cmd.Stderr = write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	if _, err := read.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "README")); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no tree")
		}
	}
	for range 3 {
		if err := os.WriteFile(filepath.Join(dir, "aoeserver"), []byte("bogus\n"), 0); err == nil {
			t.Error("a bogus command was taken")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
