package target_test

import (
	"flag"
	"fmt"
	"testing"

	"vbladefs/target/targettest"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/ with what the target answers")

// However many workers an interface has, what is said is the same.
func TestConversations(t *testing.T) { converse(t, "testdata") }

// What these conversations do to drives and interfaces only memory can.
func TestMemoryConversations(t *testing.T) { converse(t, "testdata/memory") }

func converse(t *testing.T, dir string) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			targettest.Run(t, dir, *update, func(t testing.TB) targettest.Rig { return newRigOf(t, workers) })
		})
	}
}
