package ata

import (
	"encoding/binary"
	"testing"
)

func TestRanges(t *testing.T) {
	block := make([]byte, SectorSize)
	put := func(i int, r Range) { binary.LittleEndian.PutUint64(block[8*i:], r.LBA|uint64(r.Sectors)<<48) }
	put(0, Range{LBA: 1<<48 - 1, Sectors: 65535})
	put(63, Range{LBA: 7, Sectors: 1})
	if n := Ranges(block); n != 64 {
		t.Errorf("%d ranges in a block", n)
	}
	if a, b, c := RangeAt(block, 0), RangeAt(block, 1), RangeAt(block, 63); a != (Range{1<<48 - 1, 65535}) || b != (Range{}) || c != (Range{7, 1}) {
		t.Errorf("%v, %v, %v", a, b, c)
	}
	for _, try := range []struct {
		r    Range
		fits bool
	}{{Range{0, 10}, true}, {Range{9, 1}, true}, {Range{9, 2}, false}, {Range{10, 1}, false}, {Range{1 << 47, 0}, true},
		{Range{1<<48 - 1, 65535}, false}, {Range{0, 11}, false}} {
		clear(block)
		put(5, try.r)
		if RangesFit(block, 10) != try.fits {
			t.Errorf("%v in 10 sectors: %v", try.r, !try.fits)
		}
	}
}
