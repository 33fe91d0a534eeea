package netio

import (
	"bytes"
	"testing"

	"vbladefs/netio/netiotest"
)

// TestSendJoinsHeaderAndPayload: a frame is the same whether its payload lies directly behind its header in memory,
// elsewhere, or is none, below and above what the kernel lays out in one piece.
func TestSendJoinsHeaderAndPayload(t *testing.T) {
	nsA, nsB := netiotest.Pair(t, 9000)
	a, b := openIn(t, nsA, "eth0", Options{Kind: "ring"}), openIn(t, nsB, "eth0", Options{Kind: "ring"})
	macA, macB := lookupIn(t, nsA, "eth0").MAC, lookupIn(t, nsB, "eth0").MAC
	for _, length := range []int{60, 36 + 512, 36 + 4096, linearBytes, linearBytes + 1, 36 + 8704} {
		want := frame(macB, macA, length, 1)
		for name, parts := range map[string]struct{ header, payload []byte }{
			"whole":   {want, nil},
			"joined":  {want[:36], want[36:]},
			"between": {want[:14], want[14:]},
			"apart":   {bytes.Clone(want[:36]), bytes.Clone(want[36:])},
		} {
			if n, err := a.Send([][]byte{parts.header}, [][]byte{parts.payload}); n != 1 || err != nil {
				t.Fatalf("%d bytes, %s: sent %d: %v", length, name, n, err)
			}
			if got := receive(t, b); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %s: frame of %d bytes came, not what was sent", length, name, len(got))
			}
		}
	}
}
