package main_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk/disktest"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe/initiator"
)

// frozenDisk is an image on a file system of its own, which freeze makes hang
// every write to it until thaw. However the test goes, it thaws before the daemons
// are stopped that were started earlier, and goes away when they have ended: serve
// comes first.
func frozenDisk(t *testing.T) (path string, content []byte, freeze, thaw func()) {
	t.Helper()
	need(t, "mkfs.ext4", "fsfreeze")
	device, _, _ := loopDisk(t, 16*mib)
	tool(t, "mkfs.ext4", "-q", device)
	dir := mountDir(t)
	tool(t, "mount", device, dir)
	done := netiotest.Afterwards("fsfreeze -u " + dir)
	t.Cleanup(func() {
		_ = exec.Command("fsfreeze", "-u", dir).Run() // it may be so already
		tool(t, "umount", "-l", dir)                  // a daemon may have a file of it open yet; losetup -d waits, too
		done()
	})
	content = random(mib)
	path = filepath.Join(dir, "stuck.img")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "sync", "-f", path)
	return path, content, func() { tool(t, "fsfreeze", "-f", dir) }, func() { tool(t, "fsfreeze", "-u", dir) }
}

// TestStuckDisk: a disk that hangs holds up nothing but its own requests, is
// not torn away from them, and goes on where it was.
func TestStuckDisk(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	path, content, freeze, thaw := frozenDisk(t)
	healthy, disk := image(t, mib)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	d.echo("add "+healthy+" 0 2 eth0", "aoeserver")
	stuck, well := connect(t, there, "eth0").open("0.1"), connect(t, there, "eth0").open("0.2")

	freeze()
	write := &initiator.IO{Op: initiator.Write, LBA: 8, Data: random(8192)}
	copy(content[8*512:], write.Data)
	if err := stuck.Engine().Submit(write); err != nil {
		t.Fatal(err)
	}
	if err := stuck.Engine().Push(); err != nil {
		t.Fatal(err)
	}
	d.await("the writes are with the disk", func() bool { return d.stat("kvblade/0.1@eth0/stats", "in_flight") != "0" })

	put(t, well, disk, 0, 100000)
	checkBytes(t, "the other disk", readAll(t, well), disk)
	before := d.cat("aoeserver", "vblade/drives")
	if errno := d.tryEcho("0 1 eth0", "kvblade/del"); errno != "EBUSY" {
		t.Errorf("del of a stuck export: %q, want EBUSY", errno)
	}
	if said := d.lastEvent(); !strings.Contains(said, "the drive may be stuck") {
		t.Errorf("the log says %q", said)
	}
	thaw()
	for done := false; !done; {
		if err := stuck.Engine().Push(); err != nil {
			t.Fatal(err)
		}
		finished, err := stuck.Engine().Poll()
		if err != nil {
			t.Fatal(err)
		}
		done = len(finished) > 0
	}
	if write.Err != nil {
		t.Errorf("the write that was stuck: %v", write.Err)
	}
	wantText(t, d.cat("aoeserver", "vblade/drives"), before)
	checkBytes(t, "the stuck disk", readAll(t, stuck), content)
	d.echo("0 1 eth0", "kvblade/del")
	checkFile(t, path, content)
}

// TestEndWithAStuckDisk: a disk that hangs delays the end and does not prevent
// it; the daemon says what it left undone.
func TestEndWithAStuckDisk(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	path, _, freeze, thaw := frozenDisk(t)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	stuck := connect(t, there, "eth0").open("0.1")
	freeze()
	if err := stuck.Engine().Submit(&initiator.IO{Op: initiator.Write, Data: random(512)}); err != nil {
		t.Fatal(err)
	}
	if err := stuck.Engine().Push(); err != nil {
		t.Fatal(err)
	}
	d.await("the write is with the disk", func() bool { return d.stat("kvblade/0.1@eth0/stats", "in_flight") == "1" })
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	d.await("the daemon gives up", func() bool {
		return strings.Contains(d.stderr.String(), "requests in flight did not finish in time: 0.1 on eth0")
	})
	d.checkUnmounted()
	thaw() // until now the kernel keeps what is left of the process
	if code := d.exitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}

// TestCatWithAStuckDisk: nobody who reads the tree waits for a disk that hangs:
// not while requests wait for it, nor while commands do.
func TestCatWithAStuckDisk(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	path, _, freeze, thaw := frozenDisk(t)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	d.echo("add stuck2 "+path, "vblade/drives")
	d.echo("add eth0 0 2", "vblade/stuck2/ports")
	stuck := connect(t, there, "eth0").open("0.1")
	freeze()
	for range 3 {
		if err := stuck.Engine().Submit(&initiator.IO{Op: initiator.Write, Data: random(512)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := stuck.Engine().Push(); err != nil {
		t.Fatal(err)
	}
	d.await("the writes are with the disk", func() bool { return d.stat("kvblade/0.1@eth0/stats", "in_flight") != "0" })
	d.readsAll("while requests hang")

	waiting := []*exec.Cmd{
		exec.Command("sh", "-c", "echo 1 > "+filepath.Join(d.dir, "vblade/stuck2/pause")),
		exec.Command("sh", "-c", "echo 0 1 eth0 > "+filepath.Join(d.dir, "kvblade/del")),
	}
	for _, c := range waiting {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	d.readsAll("while commands hang")
	thaw()
	for _, c := range waiting {
		_ = c.Wait() // it did what it said, or was refused in time
	}
	d.check()
}

// silentDisk is a disk that hangs when it is opened, until it is healed. serve comes
// first, as with frozenDisk.
func silentDisk(t *testing.T) *disktest.Disk {
	t.Helper()
	disk, err := disktest.Mount(mountDir(t), random(mib))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	disk.Stall(disktest.Open)
	t.Cleanup(disk.Heal)
	return disk
}

// TestOpenOfWhatDoesNotAnswer: an add whose disk hangs when it is opened holds up neither readers of the tree nor
// exports, and a take-over has it fail, and not itself.
func TestOpenOfWhatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	v := loadOn(t, there, "eth0", 4, d.exports(2)...)
	hung := silentDisk(t)
	added := make(chan error, 1)
	go func() {
		added <- exec.Command("sh", "-c", "echo add "+hung.Path()+" 0 1 eth0 > "+filepath.Join(d.dir, "aoeserver")).Run()
	}()
	d.await("the disk is opened", func() bool { return hung.Waiting() > 0 })
	d.readsAll("while an add hangs")
	next := start(t, here, "serve", "-takeover", state, d.dir)
	next.dir = d.dir
	if err, said := <-added, d.stderr.String(); err == nil || !strings.Contains(said, "has not answered for ") {
		t.Errorf("the add that hung: %v\n%s", err, said)
	}
	next.await("it has taken over", func() bool { return strings.Contains(next.stderr.String(), "control tree on ") })
	if !strings.Contains(next.stderr.String(), "stays until a disk that hangs answers it") {
		t.Errorf("of the one that cannot end the new daemon says\n%s", next.stderr)
	}
	next.readsAll("beside a daemon that cannot end")
	image, _ := image(t, mib)
	next.echo("add "+image+" 0 1 eth0", "aoeserver")
	v.check()
	hung.Heal()
	if code := d.exitCode(); code != 0 {
		t.Errorf("the one that was taken over from ends with %d:\n%s", code, d.stderr)
	}
	next.echo("add "+hung.Path()+" 0 2 eth0", "aoeserver")
}

// readsAll reads every file of the tree, and fails the test if one keeps its
// reader waiting.
func (d *daemon) readsAll(when string) {
	d.t.Helper()
	files := 0
	for _, file := range d.files() {
		done := make(chan error, 1)
		began := time.Now()
		go func() {
			_, err := os.ReadFile(file)
			done <- err
		}()
		select {
		case err := <-done:
			// EIO is what sysfs says of files that are for writing only.
			if err != nil && !errors.Is(err, unix.EIO) && !os.IsNotExist(err) && !os.IsPermission(err) {
				d.t.Errorf("%s: %s: %v", when, file, err)
			}
			files++
		case <-time.After(patience / 4):
			d.t.Errorf("%s: who reads %s still waits after %v", when, file, time.Since(began))
		}
	}
	if files < 50 {
		d.t.Errorf("%s: only %d files were read", when, files)
	}
}

// files lists the files of the tree that can be read.
func (d *daemon) files() []string {
	d.t.Helper()
	var files []string
	err := filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&0o444 != 0 {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		d.t.Error(err)
	}
	return files
}
