package qaoed

import (
	"strings"
	"testing"

	"vbladefs/compat/qaoed"
	"vbladefs/target/aoe"
)

// TestFindSays: what a request leaves open is not told as if it were an address.
func TestFindSays(t *testing.T) {
	for _, c := range []struct {
		shelf uint16
		slot  uint8
		want  string
	}{
		{aoe.AnyShelf, aoe.AnySlot, `no target "/d"`},
		{3, 4, `no target "/d" at 3.4`},
	} {
		_, err := find(qaoed.Config{}, qaoed.Target{Path: "/d", Shelf: c.shelf, Slot: c.slot})
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
