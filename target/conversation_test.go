package target_test

import (
	"flag"
	"testing"

	"vbladefs/target/targettest"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/ with what the target answers")

func TestConversations(t *testing.T) {
	targettest.Run(t, "testdata", *update, func(t testing.TB) targettest.Rig { return newRig(t) })
}

// What these conversations do to drives and interfaces only memory can.
func TestMemoryConversations(t *testing.T) {
	targettest.Run(t, "testdata/memory", *update, func(t testing.TB) targettest.Rig { return newRig(t) })
}
