package aoe

import "encoding/binary"

// ATASize is the size of a frame up to its data, §3.
const ATASize = 36

// Bits of ATA.Flags, §3.
const (
	ATAExtended = 1 << 6 // E: 48-bit command
	ATAAsync    = 1 << 1 // A: a write may be acknowledged early
	ATAWrite    = 1 << 0 // W: data travels from initiator to target
)

// ATA is the argument of CmdATA. In a reply Feature holds the error register,
// Command the status register and Count the sectors that were not transferred.
type ATA struct {
	Flags   uint8
	Feature uint8
	Count   uint8
	Command uint8
	LBA     [6]byte // registers lba0…lba5, least significant byte first
}

// DecodeATA reads the ATA argument of frame and the data behind it, which runs
// to the end of the frame. It is false when frame is shorter than 36 bytes.
func DecodeATA(frame []byte) (a ATA, data []byte, ok bool) {
	if len(frame) < ATASize {
		return ATA{}, nil, false
	}
	b := frame[HeaderSize:ATASize]
	return ATA{Flags: b[0], Feature: b[1], Count: b[2], Command: b[3], LBA: [6]byte(b[4:10])}, frame[ATASize:], true
}

// Put writes a at its place in frame, which holds at least 36 bytes.
func (a ATA) Put(frame []byte) {
	b := frame[HeaderSize:ATASize]
	b[0], b[1], b[2], b[3] = a.Flags, a.Feature, a.Count, a.Command
	copy(b[4:10], a.LBA[:])
	binary.BigEndian.PutUint16(b[10:], 0)
}
