package netio

import (
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzShape: of what another process says of its ring, only a shape is taken in
// which every slot lies in the memory, and every slot is come to.
func FuzzShape(f *testing.F) {
	f.Add(uint32(4096), uint32(4), uint32(2048), uint32(8), uint32(7))
	f.Add(uint32(1<<20), uint32(4), uint32(9216), uint32(4*113), uint32(0))
	f.Add(uint32(1<<31), uint32(1<<31), uint32(64), uint32(0), uint32(0))
	f.Add(uint32(4096), uint32(0), uint32(2048), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, blockBytes, blocks, slot, slots, next uint32) {
		r := unix.TpacketReq{Block_size: blockBytes, Block_nr: blocks, Frame_size: slot, Frame_nr: slots}
		if checkShape(r, next) != nil {
			return
		}
		length := uint64(blockBytes) * uint64(blocks)
		if length > maxRingBytes || slots == 0 || next >= slots || slots > 1<<20 {
			if slots <= 1<<20 {
				t.Fatalf("%+v from %d on is taken", r, next)
			}
			return // a ring of tiny slots: the walk would take long
		}
		var rx rxRing
		if length > 1<<26 {
			return
		}
		rx.init(make([]byte, length), r)
		for range slots {
			if rx.next.offset < 0 || rx.next.offset+rx.slot > len(rx.memory) {
				t.Fatalf("%+v: a slot at %d of %d", r, rx.next.offset, len(rx.memory))
			}
			rx.advance(&rx.next)
		}
		if rx.next.offset != 0 {
			t.Fatalf("%+v: after one turn at %d", r, rx.next.offset)
		}
	})
}
