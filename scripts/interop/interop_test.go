// Package interop puts the daemon before the initiator that the field uses: the aoe module of Debian's stock kernel, in a
// virtual machine (package vm) on one Ethernet segment with it.
//
//	echo add … ─▶ control tree ─▶ vbladefs ─ eth0 ─ bridge ─ tap0 ─ guest: aoe, mkfs.ext4, mount, aoetools
//	                                  │                └──── eth1 ─ aoeping
//	                           loop devices ─ files: their checksums are compared with what the guest sees
//
// TestLinuxClient is about us; TestVbladeBaseline runs the same checks on Debian's vblade, so that a failure of the first
// alone is ours and a failure of both is the rig's. Logs of a failed run are kept; the test prints where.
//
// TestArticle and TestArticleDaemons type what the article prints; TestReloadUnderLoad and TestRestart change, reload and kill
// daemons while the client writes; TestNBD stops and starts NBD servers meanwhile; TestSwitchFromVblade, TestMultipath, TestRAID, TestBoot and TestBootDebian do what docs/guides say.
// TestVbladeSaysWhatDebiansSays needs no guest.
//
// It is no load test and no conformance suite: those are target's and cmd/aoebench's.
package interop

import (
	"os"
	"strings"
	"testing"
)

func TestLinuxClient(t *testing.T) {
	binary := build(t)
	t.Run("mtu1500", func(t *testing.T) { linuxClient(t, binary, 1500) })
	t.Run("mtu9000", func(t *testing.T) { linuxClient(t, binary, 9000) })
}

// linuxClient is one guest's life. The steps build on each other, in this order.
func linuxClient(t *testing.T, binary string, mtu int) {
	r := newRig(t, mtu)
	d := startDaemon(t, r, binary)
	aoe, kv, do := newDisk(t, 16<<20), newDisk(t, 12<<20+3*512), newDisk(t, 14<<20)
	readOnly := newDisk(t, 4<<20)
	full := framePayload(mtu)
	viaAoeserver := export{"e0.1", aoe, full, 0}
	viaVblade := export{"e0.2", do, min(full, 8*512), 32}
	viaKvblade := export{"e0.0", kv, full, 0}
	cannotWrite := export{"e0.3", readOnly, full, 0}
	all := []export{viaAoeserver, viaVblade, viaKvblade, cannotWrite}

	ok := t.Run("exports through three trees", func(t *testing.T) {
		d.echo(t, "add "+aoe.loop+" 0 1 eth0", "aoeserver")
		d.echo(t, "add do "+do.loop, "vblade/drives")
		d.echo(t, "add eth0 0 2 32 8", "vblade/do/ports")
		d.echo(t, "0 0 eth0 "+kv.loop, "kvblade/add")
		d.echo(t, "add ro "+readOnly.loop+" ro", "vblade/drives")
		d.echo(t, "add eth0 0 3", "vblade/ro/ports")
		for _, tree := range []string{"aoeserver", "vblade/drives", "vblade/do/ports", "vblade/do/stats"} {
			if d.cat(t, tree) == "" {
				t.Errorf("%s reads as nothing", tree)
			}
		}
	})
	if !ok {
		t.FailNow()
	}
	t.Run("announced", func(t *testing.T) { checkAnnounced(t, r, viaVblade, viaKvblade) })
	if !t.Run("discovery", func(t *testing.T) { checkDiscovery(t, r, all...) }) {
		t.FailNow() // nothing else can work
	}
	t.Run("size", func(t *testing.T) { checkSize(t, r, all...) })
	t.Run("payload", func(t *testing.T) { checkPayload(t, r, all...) })
	t.Run("buffer count", func(t *testing.T) { checkBuffers(t, r, all...) })
	t.Run("aoe-stat", func(t *testing.T) { checkStat(t, r, all...) })
	t.Run("quiet", func(t *testing.T) { checkQuiet(t, r, viaKvblade) })
	t.Run("read", func(t *testing.T) { checkContent(t, r, all...) })
	t.Run("write", func(t *testing.T) { checkWrite(t, r, viaVblade, viaKvblade) })
	t.Run("ext4", func(t *testing.T) { checkExt4(t, r, viaAoeserver) })
	t.Run("ext4 in small frames", func(t *testing.T) { checkExt4(t, r, viaVblade) })
	t.Run("read-only", func(t *testing.T) { checkReadOnly(t, r, cannotWrite) })
	t.Run("aoeping", func(t *testing.T) { checkPing(t, r, all...) })
	if mtu > 1500 { // it waits five seconds for stragglers
		t.Run("aoe-sancheck", func(t *testing.T) { checkSancheck(t, r, all...) })
	}
	t.Run("retransmits", func(t *testing.T) { reportRetransmits(t, r) })
	t.Run("remove and add again", func(t *testing.T) {
		bigger := newDisk(t, 18<<20)
		checkComeback(t, r, viaAoeserver, export{"e0.1", bigger, full, 0},
			func() {
				d.echo(t, "del "+aoe.loop+" 0 1 eth0", "aoeserver")
				if text := d.cat(t, "aoeserver"); strings.Contains(text, aoe.loop) {
					t.Errorf("aoeserver still lists %s:\n%s", aoe.loop, text)
				}
			},
			func() { d.echo(t, "add "+bigger.loop+" 0 1 eth0", "aoeserver") })
	})
	t.Run("others kept working", func(t *testing.T) { checkContent(t, r, viaKvblade, cannotWrite) })
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
	d.keepTree(t, r)
	t.Run("stops", func(t *testing.T) { d.stop(t) })
}

// framePayload is how many bytes of data a frame carries at an MTU: 36 bytes are headers (AoEr11 2 and 3), and above 8
// sectors the daemon keeps to multiples of 8, so that blocks of 4 KiB stay whole.
func framePayload(mtu int) int {
	sectors := (mtu - 36) / 512
	if sectors > 8 {
		sectors -= sectors % 8
	}
	return sectors * 512
}

// TestVbladeBaseline checks the rig: what fails here is no fault of the daemon.
// It gets files, not loop devices: it writes through the page cache, and a loop device's is not its file's. No aoeping: vblade does not pad its replies, and aoeping waits for 60 bytes, which no virtual link adds.
func TestVbladeBaseline(t *testing.T) {
	const mtu = 9000
	r := newRig(t, mtu)
	disk, readOnly := newDisk(t, 16<<20+512), newDisk(t, 4<<20)
	const payload = (mtu - 36) / 512 * 512
	e, ro := export{"e7.1", disk, payload, 64}, export{"e7.2", readOnly, payload, 16}

	stop := startVblade(t, r, "-b", "64", "7", "1", "eth0", disk.file)
	startVblade(t, r, "-r", "7", "2", "eth0", readOnly.file)
	if !t.Run("discovery", func(t *testing.T) { checkDiscovery(t, r, e, ro) }) {
		t.FailNow()
	}
	t.Run("size", func(t *testing.T) { checkSize(t, r, e, ro) })
	t.Run("payload", func(t *testing.T) { checkPayload(t, r, e, ro) })
	t.Run("buffer count", func(t *testing.T) { checkBuffers(t, r, e, ro) })
	t.Run("aoe-stat", func(t *testing.T) { checkStat(t, r, e, ro) })
	t.Run("quiet", func(t *testing.T) { checkQuiet(t, r, e) })
	t.Run("read", func(t *testing.T) { checkContent(t, r, e, ro) })
	t.Run("write", func(t *testing.T) { checkWrite(t, r, e) })
	t.Run("ext4", func(t *testing.T) { checkExt4(t, r, e) })
	t.Run("read-only", func(t *testing.T) { checkReadOnly(t, r, ro) })
	t.Run("retransmits", func(t *testing.T) { reportRetransmits(t, r) })
	t.Run("remove and add again", func(t *testing.T) {
		bigger := newDisk(t, 18<<20)
		checkComeback(t, r, e, export{"e7.1", bigger, payload, 64}, stop,
			func() { startVblade(t, r, "-b", "64", "7", "1", "eth0", bigger.file) })
	})
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
}

func onCI() bool { return os.Getenv("CI") == "true" }
