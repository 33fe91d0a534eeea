package interop

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"vbladefs/scripts/vm"
)

// TestMultipath does what docs/guides/multipath.md says: one address on two interfaces, over both of which the Linux client
// writes and reads. When either goes down it goes on over the other, without an error.
func TestMultipath(t *testing.T) {
	r := newRig(t, 9000)
	d := startDaemon(t, r, build(t))
	e := export{"e3.7", newDisk(t, 32<<20), framePayload(9000), 64}
	d.echo(t, "add data "+e.disk.loop, "vblade/drives")
	for _, netif := range []string{vm.TargetIf, vm.OtherIf} {
		d.echo(t, "add "+netif+" 3 7", "vblade/data/ports")
	}
	checkDiscovery(t, r, e)
	load := startLoad(t, r, e)
	for _, down := range []string{vm.TargetIf, vm.OtherIf} {
		for _, netif := range []string{vm.TargetIf, vm.OtherIf} {
			awaitWrites(t, r, d, netif)
		}
		if err := r.net.IP("link set " + down + " down"); err != nil {
			t.Fatal(err)
		}
		load.goesOn(t)
		if err := r.net.IP("link set " + down + " up"); err != nil {
			t.Fatal(err)
		}
		load.goesOn(t)
	}
	load.stop(t)
	if rivals := d.cat(t, "targets/e3.7/conflicts"); rivals != "" {
		t.Errorf("the daemon takes itself for another machine: %s", rivals)
	}
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
	checkContent(t, r, e)
	d.stop(t)
}

// awaitWrites waits until the client writes over an interface of e3.7.
func awaitWrites(t *testing.T, r *rig, d *daemon, netif string) {
	t.Helper()
	writes := func() int {
		found := regexp.MustCompile(`(?m)^writes (\d+)$`).FindStringSubmatch(d.cat(t, "targets/e3.7/ports/"+netif+"/stats"))
		if found == nil {
			t.Fatalf("no count of writes over %s", netif)
		}
		n, _ := strconv.Atoi(found[1])
		return n
	}
	before := writes()
	for limit := time.Now().Add(2 * time.Minute); writes() == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("nothing is written over %s\n%s\n%s", netif, r.run(t, "cat /sys/kernel/debug/aoe/e3.7 || true"), d.cat(t, "targets/ports"))
		}
	}
}
