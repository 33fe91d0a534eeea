package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe/initiator"
)

// effective is what the file ports of a drive shows: the sectors advertised
// on an interface, "0" while it is down.
func (d *daemon) effective(drive, netif string) string {
	for _, line := range lines(d.read("vblade/" + drive + "/ports")) {
		if words := strings.Fields(line); len(words) == 6 && words[0] == netif {
			return words[5]
		}
	}
	return "no port"
}

func (d *daemon) awaitEffective(drive, netif, sectors string) {
	d.t.Helper()
	d.await("drive "+drive+" has "+sectors+" sectors on "+netif, func() bool { return d.effective(drive, netif) == sectors })
}

// exportOne serves a loop device as 0.1 on eth0, and as the drive d.
func exportOne(t *testing.T, here netiotest.Netns) (d *daemon, content []byte) {
	t.Helper()
	d = serve(t, here)
	device, _, content := loopDisk(t, mib)
	d.echo("add d "+device, "vblade/drives")
	d.echo("add eth0 0 1", "vblade/d/ports")
	return d, content
}

func TestLinkGoesDownAndUp(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, netiotest.Netif)
	d, disk := exportOne(t, here)
	x := client.open("0.1")
	checkBytes(t, "before", readAll(t, x), disk)

	for range 3 {
		here.Run("ip", "link", "set", netiotest.Netif, "down")
		d.awaitEffective("d", "eth0", "0")
		here.Run("ip", "link", "set", netiotest.Netif, "up")
		d.awaitEffective("d", "eth0", "2")
		there.AwaitRunning(netiotest.Netif)
	}
	put(t, x, disk, 4096, 8192)
	checkBytes(t, "afterwards", readAll(t, x), disk)
	client.awaitAnnouncement("0.1")
	d.check()
}

func TestMTUChangesAreFollowed(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	d, disk := exportOne(t, here)
	for _, step := range []struct {
		mtu     int
		sectors string
	}{{9000, "16"}, {1500, "2"}, {9000, "16"}, {4200, "8"}, {16110, "24"}} {
		listener := connect(t, there, netiotest.Netif)
		here.SetMTU(netiotest.Netif, step.mtu)
		there.SetMTU(netiotest.Netif, step.mtu)
		d.awaitEffective("d", "eth0", step.sectors)
		listener.awaitAnnouncement("0.1") // initiators learn of it

		x := connect(t, there, netiotest.Netif).open("0.1")
		if x.Sectors != x.SectorsPerFrame || step.sectors != "16" && x.Sectors == 16 {
			t.Errorf("MTU %d: %d sectors advertised, %d in a frame", step.mtu, x.Sectors, x.SectorsPerFrame)
		}
		put(t, x, disk, 512, 200000)
		checkBytes(t, "content", readAll(t, x), disk)
	}
	if errors := d.stat("vblade/d/stats", "errors"); errors != "0" {
		t.Errorf("%s errors", errors)
	}
	d.check()
}

func TestInterfaceIsDeletedAndMadeAgain(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d, disk := exportOne(t, here)
	path, all := image(t, mib)
	d.echo("add "+path+" 0 2", "aoeserver") // on every interface
	for round := 1; round <= 2; round++ {
		connect(t, there, "eth0").discovers("0.1", "0.2")
		here.Run("ip", "link", "del", "eth0") // the other end goes too
		d.awaitEffective("d", "eth0", "0")
		d.awaitEffective("disk.img", "*", "0")
		d.await("the log tells", func() bool { return strings.Count(d.read("log"), "eth0 has vanished") == round })
		netiotest.Join(here, "eth0", there, "eth0", 9000)
		d.awaitEffective("d", "eth0", "16")
	}
	client := connect(t, there, "eth0")
	client.awaitAnnouncement("0.1")
	checkBytes(t, "0.1", readAll(t, client.open("0.1")), disk)
	checkBytes(t, "0.2", readAll(t, client.open("0.2")), all)
}

// TestInterfaceIsRenamed: the ports go along, under the new name in every tree,
// whether the interface is down meanwhile or not; a later one of the old name has
// nothing to do with them.
func TestInterfaceIsRenamed(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	client := connect(t, there, "eth0")
	d, disk := exportOne(t, here)
	x := client.open("0.1")
	checkBytes(t, "as eth0", readAll(t, x), disk)

	renamed := func(to string) {
		t.Helper()
		d.awaitEffective("d", to, "2")
		there.AwaitRunning("eth0")
		wantText(t, d.cat("vblade/d/ports"), to+" 0 1 64 0 2\n")
		wantText(t, d.cat("targets/ports"), "e0.1 "+to+" 64 0 2 up\n")
		wantText(t, d.cat("targets/e0.1/ports/"+to+"/state"), "up\n")
		wantText(t, d.cat("kvblade/0.1@"+to+"/scst"), "2048\n")
		for _, dir := range []string{"kvblade", "targets/e0.1/ports"} {
			entries, err := os.ReadDir(filepath.Join(d.dir, dir))
			if list := fmt.Sprint(entries); err != nil || !strings.Contains(list, to) || strings.Contains(list, "eth0") {
				t.Errorf("%s has %s, %v", dir, list, err)
			}
		}
		if saved := d.read("saved"); !strings.Contains(saved, "targets/ports add e0.1 "+to+"\n") {
			t.Errorf("saved:\n%s", saved)
		}
		client.discovers("0.1")
		put(t, x, disk, 512, 8192)
		checkBytes(t, "as "+to, readAll(t, x), disk)
	}
	here.Run("ip", "link", "set", "eth0", "down")
	here.Run("ip", "link", "set", "eth0", "name", "lan0")
	here.Run("ip", "link", "set", "lan0", "up")
	renamed("lan0")
	if err := here.Command("ip", "link", "set", "lan0", "name", "lan1").Run(); err != nil { // up: since Linux 6.2
		here.Run("ip", "link", "set", "lan0", "down", "name", "lan1", "up")
	}
	renamed("lan1")
	netiotest.Join(here, "eth0", there, "eth1", 1500)
	connect(t, there, "eth1").discovers()
	d.echo("add eth0 0 2", "vblade/d/ports")
	connect(t, there, "eth1").discovers("0.2")
	client.discovers("0.1")
	d.echo("del lan1 0 1", "vblade/d/ports")
	client.discovers()
	d.check()
}

// TestEveryInterface: an export without an interface extends to one that
// appears later, and leaves one that goes.
func TestEveryInterface(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here)
	path, disk := image(t, mib)
	d.echo("add "+path+" 0 1", "aoeserver")
	connect(t, there, "eth0").discovers("0.1")
	netiotest.Join(here, "eth1", there, "eth1", 9000)
	late := connect(t, there, "eth1")
	if found := late.discovers("0.1"); found[0].Sectors != 16 {
		t.Errorf("%d sectors on eth1, want what its MTU allows, 16", found[0].Sectors)
	}
	checkBytes(t, "over eth1", readAll(t, late.open("0.1")), disk)
	wantText(t, d.cat("vblade/disk.img/ports"), "* 0 1 64 0 2\n") // the least of all
	here.Run("ip", "link", "del", "eth1")
	connect(t, there, "eth0").discovers("0.1")
	d.echo("del x 0 1", "aoeserver")
	connect(t, there, "eth0").discovers()
}

// TestMultipath: what is written over one interface is there over the other.
func TestMultipath(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	netiotest.Join(here, "eth1", there, "eth1", 9000)
	d := serve(t, here)
	device, path, disk := loopDisk(t, mib)
	d.echo("0 1 eth0 "+device, "kvblade/add")
	d.echo("0 1 eth1 "+device, "kvblade/add")
	if n := d.holds(device); n > 2 { // with and without O_DIRECT
		t.Errorf("the device is open %d times", n)
	}
	over0, over1 := connect(t, there, "eth0").open("0.1"), connect(t, there, "eth1").open("0.1")
	for i := range 16 {
		at := i * 60000
		put(t, over0, disk, at, 30000)
		put(t, over1, disk, at+15000, 30000) // overlaps
		for netif, x := range map[string]*initiator.Export{"eth0": over0, "eth1": over1} {
			got := make([]byte, 60000)
			if _, err := x.ReadAt(got, int64(at)); err != nil {
				t.Fatal(err)
			}
			checkBytes(t, "over "+netif, got, disk[at:at+60000])
		}
	}
	checkFile(t, path, disk)
	d.echo("0 1 eth0", "kvblade/del")
	put(t, over1, disk, 0, 5000)
	checkBytes(t, "over the path that is left", readAll(t, over1), disk)
	if got := connect(t, there, "eth0").announcements(50 * time.Millisecond); len(got) > 0 {
		t.Errorf("announced on the path that was removed: %v", got)
	}
	connect(t, there, "eth0").discovers()
}
