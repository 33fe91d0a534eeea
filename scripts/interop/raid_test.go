package interop

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"vbladefs/scripts/vm"
)

// TestRAID does what docs/guides/multipath.md says of a mirror: Linux's md over exports of two hosts, with ext4 and load on it.
// One host dies, the mirror goes on with the other, the host comes back, and what was written meanwhile is copied to it.
func TestRAID(t *testing.T) {
	binary := build(t)
	r := newRig(t, 9000, "mdadm")
	other := secondHost(t, r)
	left := export{"e1.1", newDisk(t, 64<<20), framePayload(9000), 0}
	right := export{"e2.1", newDisk(t, 64<<20+512), framePayload(9000), 0} // other random bytes
	d := startDaemon(t, r, binary)
	d.echo(t, "add left "+left.disk.loop, "vblade/drives")
	d.echo(t, "add eth0 1 1", "vblade/left/ports")
	mortal := startDaemon(t, other, binary)
	export := func() {
		mortal.echo(t, "add right "+right.disk.loop, "vblade/drives")
		mortal.echo(t, "add eth0 2 1", "vblade/right/ports")
	}
	export()
	checkDiscovery(t, r, left, right)
	r.run(t, `
		for module in /modules/more/*.ko; do insmod $module; done
		echo 20 >/sys/module/aoe/parameters/aoe_deadsecs
		mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --bitmap=internal %s %s 2>&1`, left.dev(), right.dev())
	awaitMirror(t, r, 0)
	load := startLoadOn(t, r, "/dev/md0")
	sum := r.run(t, "cd %s/mnt; dd if=/dev/urandom of=kept bs=64k count=64 2>/dev/null; sync; sha kept", load.dir)

	mortal.cmd.Process.Kill()
	cable(t, other, "down")
	awaitMirror(t, r, 1)
	load.goesOn(t)
	r.run(t, "grep -q down '%s/state'; grep -q faulty '/sys/block/md0/md/dev-etherd!e2.1/state'", right.sysfs())
	r.run(t, "mdadm /dev/md0 --remove %s 2>&1", right.dev())

	cable(t, other, "up")
	mortal = startDaemonAt(t, other, binary, mortal.mount)
	export()
	r.run(t, "aoe-revalidate e2.1; until_ok grep -qx up '%s/state'", right.sysfs())
	t.Log(strings.TrimSpace(r.run(t, "mdadm /dev/md0 --re-add %s 2>&1", right.dev())))
	awaitMirror(t, r, 0)
	load.goesOn(t)
	load.stop(t)
	checkHalves(t, r, left, right)
	if got := r.run(t, `
		mdadm --assemble --readonly /dev/md0 %s %s 2>/dev/null
		mount -t ext4 -o ro,noload /dev/md0 /mnt
		sha /mnt/kept
		umount /mnt`, left.dev(), right.dev()); got != sum {
		t.Errorf("a file that was written with both halves has sum %s, after the way back %s", sum, got)
	}
	d.stop(t)
	mortal.stop(t)
}

// secondHost is a host on the switch of its own network, with a cable between that and the guest's.
func secondHost(t *testing.T, r *rig) *rig {
	t.Helper()
	network, err := vm.NewNetwork(9000)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	other := &rig{ctx: r.ctx, net: network, guest: r.guest, artifacts: filepath.Join(r.artifacts, "second")}
	if err := os.MkdirAll(other.artifacts, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := r.net.IP("link add far mtu 9000 type veth peer name near mtu 9000 netns "+network.Netns(),
		"link set far master br0 addrgenmode none", "link set far up"); err != nil {
		t.Fatal(err)
	}
	if err := network.IP("link set near master br0 addrgenmode none"); err != nil {
		t.Fatal(err)
	}
	cable(t, other, "up")
	return other
}

// cable takes a second host from the network, or brings it back.
func cable(t *testing.T, other *rig, state string) {
	t.Helper()
	if err := other.net.IP("link set near " + state); err != nil {
		t.Fatal(err)
	}
}

// awaitMirror waits until nothing is copied, and that many halves are missing.
func awaitMirror(t *testing.T, r *rig, missing int) {
	t.Helper()
	r.run(t, `cd /sys/block/md0/md
		tenths=1800
		until_ok grep -qx %d degraded && until_ok grep -qx idle sync_action || { cat /proc/mdstat; exit 1; }`, missing)
}

// checkHalves: md finds no difference between them, they are clean when the mirror has been stopped, and have the same content on the
// disks of the hosts.
func checkHalves(t *testing.T, r *rig, left, right export) {
	t.Helper()
	found := strings.Fields(r.run(t, `cd /sys/block/md0/md
		echo check >sync_action
		until_ok grep -qx idle sync_action
		cat mismatch_cnt rd0/offset rd1/offset component_size
		cd /
		mdadm --stop /dev/md0 2>/dev/null
		for half in %s %s; do mdadm --examine $half; done >/tmp/halves
		[ $(grep -c 'State : clean' /tmp/halves) = 2 ] || { cat /tmp/halves; exit 1; }`, left.dev(), right.dev()))
	if len(found) != 4 || found[0] != "0" {
		t.Fatalf("differences, offset of either half in sectors, KiB of each: %v", found)
	}
	sizeKiB, _ := strconv.ParseInt(found[3], 10, 64)
	contents := func(e export, offset string) []byte {
		at, _ := strconv.ParseInt(offset, 10, 64)
		content, err := os.ReadFile(e.disk.file)
		if end := at*512 + sizeKiB<<10; err != nil || end > int64(len(content)) || sizeKiB == 0 {
			t.Fatalf("%s: %d KiB at sector %d of %d bytes; %v", e.name, sizeKiB, at, len(content), err)
		}
		return content[at*512 : at*512+sizeKiB<<10]
	}
	if !bytes.Equal(contents(left, found[1]), contents(right, found[2])) {
		t.Error("the halves differ on the disks of the hosts")
	}
}
