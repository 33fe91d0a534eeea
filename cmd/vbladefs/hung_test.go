package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// TestKilledWhileMounting kills daemons as soon as their trees are mounted: each
// ends, and nobody waits for what it did not answer any more. The kernel ends a
// connection of FUSE only when its last user has ended, so a daemon must never be
// its own client.
func TestKilledWhileMounting(t *testing.T) {
	ns := netiotest.New(t)
	for range 20 {
		dir := mountDir(t)
		d := start(t, ns, "serve", dir)
		for end := time.Now().Add(patience); !mounted(t, dir); {
			if !d.running() || time.Now().After(end) {
				t.Fatalf("no tree was mounted; the daemon said:\n%s", d.stderr)
			}
		}
		if err := d.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-d.ended:
		case <-time.After(patience):
			t.Error("a killed daemon does not end")
		}
		// Force aborts the connection, should it be needed: fs/fuse/inode.c, fuse_umount_begin.
		if err := syscall.Unmount(dir, syscall.MNT_FORCE|syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
		<-d.ended
		if t.Failed() {
			return
		}
	}
}

// TestHungDaemon: beside a daemon that hangs, one that starts says so and ends, and one
// that waits for its answer can be told to end; it goes on as soon as it can.
func TestHungDaemon(t *testing.T) {
	t.Parallel()
	ns := netiotest.New(t)
	folder := "-state=" + t.TempDir()
	d := serve(t, ns, folder)
	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goOn := func() { _ = d.cmd.Process.Signal(syscall.SIGCONT) }
	defer goOn()
	d.await("all its threads are stopped", d.stopped) // the first to notice stops the others, once it has a processor

	other := start(t, ns, "serve", d.dir)
	if code, text := other.exitCode(), other.stderr.String(); code != 1 || !strings.Contains(text, "umount -f -l "+d.dir) {
		t.Errorf("a second daemon: exit code %d, %s", code, text)
	}
	heir := start(t, ns, "serve", "-takeover", folder, d.dir)
	heir.await("it says that it waits", func() bool { return strings.Contains(heir.stderr.String(), "still waiting") })
	if code := heir.stop(syscall.SIGTERM); code != 1 {
		t.Errorf("told to end: exit code %d; it said %s", code, heir.stderr)
	}
	goOn()
	d.await("it goes on", func() bool { return strings.Contains(d.stderr.String(), "nobody has taken over; serving goes on here") })
	d.check()
}

// stopped tells whether no thread of d runs.
func (d *daemon) stopped() bool {
	d.t.Helper()
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", d.cmd.Process.Pid))
	if err != nil || len(stats) == 0 {
		d.t.Fatalf("no threads: %v", err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return true
}
