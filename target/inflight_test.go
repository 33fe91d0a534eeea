package target_test

import (
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// waitsForWrites does op, on the drive d, while two writes are in flight of which
// one waits for the other. Op must not return before both are done; when it has
// begun, meanwhile is called.
func waitsForWrites(t *testing.T, rig targettest.Faults, op target.Operation, begun func(target.DriveInfo) bool, meanwhile func()) {
	t.Helper()
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
	answers(rig, "eth0", writeFrame(blade, 2, 5, make([]byte, 512)))
	returned, result := background(func() error { return rig.Target().Do(op) })
	until(t, "the change begins", func() bool {
		d, _ := rig.Target().Drive("d")
		return begun(d)
	})
	meanwhile()
	m.Pending()[0].Finish(nil)
	m.Quiesce()
	if returned() {
		t.Errorf("%T returned while a write was in flight", op)
	}
	m.Pending()[0].Finish(nil)
	must(t, <-result)
}

// whileAWriteIsStuck calls f when a write to the drive d does not finish for
// longer than an operation waits, and checks that d takes writes afterwards.
func whileAWriteIsStuck(t *testing.T, rig targettest.Faults, f func()) {
	t.Helper()
	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", writeFrame(blade, 3, 5, make([]byte, 512)))
	f()
	m.FinishAll()
	m.SetMode(targettest.Inline)
	rig.Collect("eth0", 1)
	wantWrite(t, rig, blade, false)
}
