package faultnet

import "vbladefs/target/aoe"

// field is what of a frame may be damaged; bytes from first to last.
type field struct{ first, last int }

// The fields of every frame, and those of the argument of an ATA command
// (PROTOCOL.md §2, §3). The tag is none of them: with another request's, a reply
// is that request's as far as anybody can tell. Nor are the LBA registers and
// the data.
var (
	headerFields = []field{{0, 5}, {6, 11}, {12, 13}, {14, 14}, {15, 15}, {16, 17}, {18, 18}, {19, 19}}
	ataFields    = []field{{24, 24}, {25, 25}, {26, 26}, {27, 27}}
)

const atCount = 26 // sector count, or sectors not transferred

// damage changes one or two bits of one field, or makes the frame longer. The
// frame is the caller's, with room for the largest there is.
func (v *way) damage(frame []byte) []byte {
	fields := headerFields
	if len(frame) >= aoe.ATASize && frame[19] == byte(aoe.CmdATA) {
		fields = append(fields[:len(fields):len(fields)], ataFields...)
	}
	i := v.rnd.IntN(len(fields) + 1)
	if i == len(fields) || fields[i].last >= len(frame) {
		return v.lengthen(frame)
	}
	f := fields[i]
	bits := (f.last - f.first + 1) * 8
	first := v.rnd.IntN(bits)
	flip := func(bit int) { frame[f.first+bit/8] ^= 1 << (bit % 8) }
	before := frame[f.first]
	flip(first)
	if v.rnd.IntN(2) == 0 {
		flip((first + 1 + v.rnd.IntN(bits-1)) % bits)
	}
	if f.first == atCount && frame[atCount] < before {
		// A smaller count makes another good request of a write: no target can
		// tell, and the client would take it for a whole one.
		frame[atCount] = 0
	}
	return frame
}

// lengthen appends up to as many bytes as the frame has room for.
func (v *way) lengthen(frame []byte) []byte {
	for more := 1 + v.rnd.IntN(cap(frame)-len(frame)+1); more > 0 && len(frame) < cap(frame); more-- {
		frame = append(frame, byte(v.rnd.Uint32()))
	}
	return frame
}

// corrupt changes up to 8 bits of a frame, which is the caller's. The MACs and the
// EtherType stay, or the frame would go nowhere.
func (v *way) corrupt(frame []byte) []byte {
	for range 1 + v.rnd.IntN(8) {
		if len(frame) > aoe.EthernetSize {
			frame[aoe.EthernetSize+v.rnd.IntN(len(frame)-aoe.EthernetSize)] ^= 1 << v.rnd.IntN(8)
		}
	}
	return frame
}
