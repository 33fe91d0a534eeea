package ata

import "encoding/binary"

// MaxTrimBlocks is how many blocks of ranges a Trim may have, as IDENTIFY tells
// (word 105): one takes 2 GiB.
const MaxTrimBlocks = 1

const (
	trimFeature = 0x01 // of the Feature register: the command has no other
	rangeBytes  = 8
)

// trim takes the number of blocks from r. ATA8-ACS, DATA SET MANAGEMENT.
func (q Request) trim(r Registers) Request {
	if r.Feature != trimFeature || r.Count == 0 || r.Count > MaxTrimBlocks {
		return q.refused()
	}
	q.Blocks = int(r.Count)
	return q
}

// Range is what a Trim gives up.
type Range struct {
	LBA     uint64
	Sectors int // 0: nothing, the entry only fills the block
}

// RangeAt is entry i of a Trim's payload, which ends after Ranges.
func RangeAt(payload []byte, i int) Range {
	entry := binary.LittleEndian.Uint64(payload[i*rangeBytes:])
	return Range{LBA: entry & (1<<48 - 1), Sectors: int(entry >> 48)}
}

// Ranges is how many entries a payload has.
func Ranges(payload []byte) int { return len(payload) / rangeBytes }

// RangesFit reports whether all ranges of a Trim's payload lie within the
// capacity.
func RangesFit(payload []byte, capacitySectors uint64) bool {
	for i := range Ranges(payload) {
		r := RangeAt(payload, i)
		if n := uint64(r.Sectors); n > 0 && (n > capacitySectors || r.LBA > capacitySectors-n) {
			return false
		}
	}
	return true
}
