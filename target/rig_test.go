package target_test

import (
	"testing"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// newRig is a target in memory. At the end of the test every request must be
// back in its pool.
func newRig(t testing.TB) targettest.Faults {
	rig := targettest.MemoryRig(t)
	t.Cleanup(func() {
		rig.Machine().SetMode(targettest.Inline)
		rig.Machine().FinishAll()
		if err := target.Unreturned(rig.Target()); err != nil {
			t.Error(err)
		}
	})
	return rig
}
