package interop

import "testing"

// TestSwitchFromVblade does what docs/guides/migrate-vblade.md says while the client writes and reads: Debian's vblade ends, and
// this daemon serves the same file at the same address. The client sees no error, though its frames have a sector less from then on.
func TestSwitchFromVblade(t *testing.T) {
	binary := build(t)
	r := newRig(t, 9000)
	e := export{"e3.7", newDisk(t, 32<<20), (9000 - 36) / 512 * 512, 64}
	stop := startVblade(t, r, "-b", "64", "3", "7", "eth0", e.disk.file)
	checkDiscovery(t, r, e)
	d := startDaemon(t, r, binary)
	d.echo(t, "add data "+e.disk.file, "vblade/drives") // ready before the other ends
	load := startLoad(t, r, e)
	load.goesOn(t)
	stop()
	d.echo(t, "add eth0 3 7", "vblade/data/ports")
	load.goesOn(t)
	load.stop(t)
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
	e.payloadBytes = framePayload(9000)
	t.Run("payload", func(t *testing.T) { checkPayload(t, r, e) })
	checkContent(t, r, e)
	d.stop(t)
}
