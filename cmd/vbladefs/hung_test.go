package main_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe/initiator"
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

// TestKilledWithAStuckDisk: a daemon whose disk hangs cannot end. The next one says so, the tree can be taken away, and
// once the disk has answered, all is as after any other kill.
func TestKilledWithAStuckDisk(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	folder := "-state=" + t.TempDir()
	d := serve(t, here, folder)
	path, _, freeze, thaw := frozenDisk(t)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	stuck := connect(t, there, "eth0").open("0.1").Engine()
	freeze()
	if err := errors.Join(stuck.Submit(&initiator.IO{Op: initiator.Write, Data: random(512)}), stuck.Push()); err != nil {
		t.Fatal(err)
	}
	d.await("the write is with the disk", func() bool { return d.stat("kvblade/0.1@eth0/stats", "in_flight") != "0" })
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	tool(t, "umount", "-f", "-l", d.dir)
	other := start(t, here, "serve", folder, d.dir)
	if code, text := other.exitCode(), other.stderr.String(); code != 1 || !strings.Contains(text, "it was killed") {
		t.Errorf("while the disk hangs: exit code %d, %s", code, text)
	}
	thaw()
	<-d.ended
	serveOn(t, here, d.dir, folder).check()
}
