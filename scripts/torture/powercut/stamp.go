package powercut

import (
	"bytes"
	"encoding/binary"

	"vbladefs/target/aoe"
)

// Foreign is the generation of a sector that no client has written so: of
// another place, or damaged.
const Foreign = ^uint32(0)

// Torn is the generation of a sector that is made of several of its own.
const Torn = Foreign - 1

// stampBytes is the length of what fills a sector, again and again: its number, its
// generation, and the same inverted.
const stampBytes = 16

// Stamp fills a sector.
func Stamp(data []byte, sector int, gen uint32) {
	var s [stampBytes]byte
	binary.BigEndian.PutUint64(s[:], uint64(sector))
	binary.BigEndian.PutUint32(s[8:], gen)
	binary.BigEndian.PutUint32(s[12:], ^gen)
	for at := 0; at < aoe.SectorSize; at += stampBytes {
		copy(data[at:], s[:])
	}
}

// Gen is the generation of a sector, 0 if it is all zeros.
func Gen(data []byte, sector int) uint32 {
	data = data[:aoe.SectorSize]
	if !bytes.Equal(data[stampBytes:], data[:len(data)-stampBytes]) {
		for at := 0; at < len(data); at += stampBytes {
			if Gen(bytes.Repeat(data[at:at+stampBytes], aoe.SectorSize/stampBytes), sector) == Foreign {
				return Foreign
			}
		}
		return Torn
	}
	place, gen, inverse := binary.BigEndian.Uint64(data), binary.BigEndian.Uint32(data[8:]), binary.BigEndian.Uint32(data[12:])
	switch {
	case place|uint64(gen)|uint64(inverse) == 0:
		return 0
	case place != uint64(sector) || inverse != ^gen || gen == 0:
		return Foreign
	}
	return gen
}
