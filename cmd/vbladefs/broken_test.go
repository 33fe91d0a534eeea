package main_test

import (
	"os"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe/initiator"
)

// TestFileIsTruncated: sectors that are gone are errors, the rest is served,
// and no write makes the file larger again; by every write policy.
func TestFileIsTruncated(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	client := connect(t, there, netiotest.Netif)
	d := serve(t, here)
	for _, cache := range []string{"writeback", "direct", "durable"} {
		path, disk := image(t, mib)
		d.echo("add d "+path, "vblade/drives")
		d.echo(cache, "vblade/d/cache")
		d.echo("add eth0 0 1", "vblade/d/ports")
		x := client.open("0.1")
		if err := os.Truncate(path, mib/2); err != nil {
			t.Fatal(err)
		}
		sector := make([]byte, 512)
		_, err := x.ReadAt(sector, mib/2)
		wantATAError(t, cache+": read beyond the end", err, unc)
		_, err = x.ReadAt(make([]byte, 8192), mib/2-512)
		wantATAError(t, cache+": read across the end", err, unc)
		_, err = x.WriteAt(sector, mib-512)
		wantATAError(t, cache+": write beyond the end", err, abrt)
		_, err = x.WriteAt(make([]byte, 8192), mib/2-512)
		wantATAError(t, cache+": write across the end", err, abrt)
		if n := d.stat("vblade/d/stats", "errors"); n != "4" {
			t.Errorf("%s: %s errors counted, want 4", cache, n)
		}
		put(t, x, disk, 512, 20000)
		checkFile(t, path, disk[:mib/2])
		got := make([]byte, mib/2)
		if _, err := x.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		checkBytes(t, cache, got, disk[:mib/2])

		if err := os.Truncate(path, mib); err != nil { // the file grows back
			t.Fatal(err)
		}
		clear(disk[mib/2:])
		put(t, x, disk, mib-512, 512)
		checkBytes(t, cache+", grown", readAll(t, x), disk)
		d.echo("del eth0 0 1", "vblade/d/ports")
		d.echo("del d", "vblade/drives")
	}
	d.check()
}

// TestLoopDeviceLosesItsFile: a device that gives I/O errors. With direct I/O
// the loop driver does for sectors that its file lost; without, it makes up
// zeros.
func TestLoopDeviceLosesItsFile(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, netiotest.Netif)
	d := serve(t, here)
	device, path, disk := loopDisk(t, mib, "--direct-io=on")
	d.echo("add d "+device, "vblade/drives")
	d.echo("add eth0 0 1", "vblade/d/ports")
	x := client.open("0.1")
	if err := os.Truncate(path, mib/2); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := x.ReadAt(make([]byte, 1024), mib-1024)
		wantATAError(t, "read beyond the file", err, unc)
	}
	if n := d.stat("kvblade/0.1@eth0/stats", "errors"); n != "3" {
		t.Errorf("%s errors counted, want 3", n)
	}
	put(t, x, disk, 8192, 30000)
	got := make([]byte, mib/2)
	if _, err := x.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	checkBytes(t, "what is left", got, disk[:mib/2])
	d.check()
}

// TestReadOnly: writes are aborted, by whatever way the drive became read-only.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, netiotest.Netif)
	d := serve(t, here)
	path, disk := image(t, mib)
	locked, lockedPath, lockedDisk := loopDisk(t, mib, "-r")
	d.echo("add file "+path+" ro", "vblade/drives")
	d.echo("add eth0 0 1", "vblade/file/ports")
	d.echo("add "+locked+" 0 2 eth0", "aoeserver") // finds out by itself
	if errno := d.tryEcho("0 3 eth0 "+locked, "kvblade/add"); errno != "ENOENT" {
		t.Errorf("kvblade/add of a read-only device: %q, want ENOENT", errno)
	}
	if errno := d.tryEcho("add rw "+locked, "vblade/drives"); errno != "EROFS" {
		t.Errorf("add of a read-only device: %q, want EROFS", errno)
	}
	for _, export := range []struct {
		addr, path string
		disk       []byte
	}{{"0.1", path, disk}, {"0.2", lockedPath, lockedDisk}} {
		x := client.open(export.addr)
		_, err := x.WriteAt(make([]byte, 4096), 0)
		wantATAError(t, export.addr+": write", err, abrt)
		if err := x.Flush(); err != nil {
			t.Error(err)
		}
		checkBytes(t, export.addr, readAll(t, x), export.disk)
		checkFile(t, export.path, export.disk)
	}
	if got := d.read("vblade/file/readonly"); got != "1\n" {
		t.Errorf("readonly is %q", got)
	}
}

// TestWritePolicies switches them while an initiator looks on and writes.
func TestWritePolicies(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, netiotest.Netif)
	device, path, disk := loopDisk(t, mib)
	d := serve(t, here, "-cache", "durable")
	d.echo("0 1 eth0 "+device, "kvblade/add")
	policy := func() string { return d.read("vblade/" + d.onlyDrive() + "/cache") }
	x := client.open("0.1")
	if policy() != "durable\n" || x.Identity.WriteCache {
		t.Errorf("-cache durable: cache is %q, IDENTIFY shows a write cache: %v", policy(), x.Identity.WriteCache)
	}
	for i, step := range []struct {
		cache    string
		volatile bool // IDENTIFY word 85 bit 5
	}{{"writeback", true}, {"direct", true}, {"durable", false}, {"direct", true}, {"writeback", true}, {"durable", false}} {
		d.echo(step.cache, "vblade/"+d.onlyDrive()+"/cache")
		if err := x.Identify(); err != nil {
			t.Fatal(err)
		}
		if policy() != step.cache+"\n" || x.Identity.WriteCache != step.volatile {
			t.Errorf("%s: cache is %q, IDENTIFY shows a write cache: %v", step.cache, policy(), x.Identity.WriteCache)
		}
		put(t, x, disk, i*30000, 50000)
		if err := x.Flush(); err != nil {
			t.Error(err)
		}
		checkBytes(t, step.cache, readAll(t, x), disk)
	}
	if got := d.stat("kvblade/0.1@eth0/stats", "errors"); got != "0" {
		t.Errorf("%s errors", got)
	}
	d.echo("0 1 eth0", "kvblade/del")
	checkFile(t, path, disk)
}

// onlyDrive is the name of the one drive there is.
func (d *daemon) onlyDrive() string {
	name, _, _ := strings.Cut(d.read("vblade/drives"), " ")
	return name
}

// TestDeviceIsClaimedOnce: two drives and three addresses share one claim, which
// goes with the last of them.
func TestDeviceIsClaimedOnce(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, netiotest.Netif)
	d := serve(t, here)
	device, _, disk := loopDisk(t, mib)
	d.echo("0 1 eth0 "+device, "kvblade/add")
	first := d.holds(device)
	link := t.TempDir() + "/alias"
	if err := os.Symlink(device, link); err != nil {
		t.Fatal(err)
	}
	d.echo("add "+link+" 0 2 eth0", "aoeserver")
	d.echo("add third "+device, "vblade/drives")
	d.echo("add eth0 0 3", "vblade/third/ports")
	if n := d.holds(device); n != first || n == 0 {
		t.Errorf("the device is open %d times for three addresses, %d times for one", n, first)
	}
	views := []*initiator.Export{client.open("0.1"), client.open("0.2"), client.open("0.3")}
	for i, x := range views {
		put(t, x, disk, i*3000, 6000)
	}
	for _, x := range views {
		checkBytes(t, x.Addr.String(), readAll(t, x), disk)
	}
	d.echo("del eth0 0 3", "vblade/third/ports")
	d.echo("0 1 eth0", "kvblade/del")
	checkBytes(t, "the one that is left", readAll(t, views[1]), disk)
	d.echo("del third", "vblade/drives")
	if err := openExclusively(device); err == nil {
		t.Error("the device is served and not claimed")
	}
	d.echo("del x 0 2", "aoeserver")
	if err := openExclusively(device); err != nil {
		t.Errorf("the device is still claimed: %v", err)
	}
}
