package interop

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTakeover has new daemons take over from one another under the load of TestRestart: the client sees no error,
// and with VBLADEFS_STRICT it must send nothing again.
func TestTakeover(t *testing.T) {
	binary := build(t)
	r := newRig(t, 9000)
	state := filepath.Join(t.TempDir(), "state")
	d := startDaemon(t, r, binary, "-state", state)
	e := export{"e3.7", newDisk(t, 32<<20), framePayload(9000), 0}
	d.echo(t, "add data "+e.disk.loop, "vblade/drives")
	d.echo(t, "add eth0 3 7", "vblade/data/ports")
	checkDiscovery(t, r, e)
	load := startLoad(t, r, e)
	const again = `grep -E 'retransmit|unexpected rsp' /var/log/aoe.err || true`
	before := r.run(t, again)
	for range successions(t, 3) {
		time.Sleep(rand.N(200 * time.Millisecond))
		last := d
		d = startDaemonAt(t, r, binary, last.mount, "-state", state, "-takeover")
		select {
		case err := <-last.exited:
			last.exited <- err
			if err != nil {
				t.Errorf("the daemon that was taken over from ends with %v", err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nobody takes over\n%s", readLog(r, "vbladefs.log"))
		}
		load.goesOn(t)
	}
	load.stop(t)
	if after := r.run(t, again); after != before {
		t.Logf("the client has sent frames again:\nbefore\n%s\nafter\n%s", before, after)
		if os.Getenv("VBLADEFS_STRICT") != "" { // else the machine may be busy
			t.Fail()
		}
	}
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
	checkContent(t, r, e)
	d.stop(t)
}
