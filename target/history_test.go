package target_test

import (
	"encoding/binary"
	"math"
	"testing"

	"vbladefs/target/aoe"
)

// historyLength is after how many later writes to a sector no read can still
// be on its way that may see a write.
const historyLength = 100

// staleHistory is what was written to each sector, and when.
type staleHistory struct {
	sectors [staleSectors][]*staleWrite
}

type staleWrite struct {
	generation     uint32
	sent, complete int
	good           bool // acknowledged, so that what completed before it was sent is gone
}

// add notes that op was sent, in round now.
func (h *staleHistory) add(op *staleOp, now int) *staleWrite {
	w := &staleWrite{generation: op.generation, sent: now, complete: math.MaxInt, good: now < 0}
	for i := range op.n {
		list := append(h.sectors[op.lba+i], w)
		if len(list) > 2*historyLength {
			list = append([]*staleWrite(nil), list[historyLength:]...)
		}
		h.sectors[op.lba+i] = list
	}
	return w
}

// completed notes that op was answered, in round now.
func (h *staleHistory) completed(op *staleOp, now int, good bool) {
	for i := range op.n {
		list := h.sectors[op.lba+i]
		for _, w := range list {
			if w.generation == op.generation {
				w.complete, w.good = now, good
			}
		}
	}
}

// check holds the contents of sectors, read between the rounds sent and
// received, against what was written: a sector is whole, and of a write that
// was sent before the read was answered and that no other, sent after it was
// acknowledged, had replaced when the read was sent.
func (h *staleHistory) check(t *testing.T, sent, received, lba int, data []byte) {
	t.Helper()
	for i := range len(data) / aoe.SectorSize {
		sector := data[i*aoe.SectorSize : (i+1)*aoe.SectorSize]
		generation := binary.BigEndian.Uint32(sector[4:])
		if string(sector) != string(stamp(lba+i, generation)) {
			t.Errorf("sector %d is torn or of another place: % x …", lba+i, sector[:16])
			continue
		}
		var found *staleWrite
		for _, w := range h.sectors[lba+i] {
			if w.generation == generation {
				found = w
			}
		}
		if found == nil || found.sent > received {
			t.Errorf("sector %d is of write %d, which was not sent when it was read, or was replaced long before", lba+i, generation)
			continue
		}
		for _, w := range h.sectors[lba+i] {
			if w.good && w.sent > found.complete && w.complete < sent {
				t.Errorf("sector %d, read in rounds %d to %d, is of write %d (rounds %d to %d) although write %d (rounds %d to %d) came after it",
					lba+i, sent, received, generation, found.sent, found.complete, w.generation, w.sent, w.complete)
				break
			}
		}
	}
}
