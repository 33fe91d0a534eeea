package target_test

import (
	"testing"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// rigWorkers is how many workers an interface has in tests that do not say so.
var rigWorkers = 1

// newRig is a target in memory. At the end of the test every request must be
// back in its pool.
func newRig(t testing.TB) targettest.Faults { return newRigOf(t, rigWorkers) }

// newRigOf is newRig with that many workers on each interface. At the end of
// the test what ports have copied must be as it is where it belongs.
func newRigOf(t testing.TB, workers int) targettest.Faults {
	rig := targettest.MemoryRigOf(t, workers)
	t.Cleanup(func() {
		rig.Machine().SetMode(targettest.Inline)
		rig.Machine().FinishAll()
		if err := target.Unreturned(rig.Target()); err != nil {
			t.Error(err)
		}
		if err := target.Disagreeing(rig.Target()); err != nil {
			t.Error(err)
		}
	})
	return rig
}
