package initiator

import (
	"fmt"
	"time"

	"vbladefs/target/aoe"
)

// Op is what an IO does.
type Op uint8

// The operations.
const (
	Read    Op = iota // Data from LBA on, in as many frames as it takes
	Write             // Data to LBA on, in as many frames as it takes
	ATA               // one ATA command, with Regs and Data as they stand
	Control           // Frame as it stands, but for its tag
)

// String names the operation.
func (o Op) String() string {
	return [...]string{"read", "write", "ATA command", "control command"}[o&3]
}

// IO is one operation of an Engine. The caller owns it and its memory, leaves
// both alone from Submit until Poll returns it, and may then use it again.
type IO struct {
	Op   Op
	Peer int    // the Engine's export that it is for, as Export.Peer has it; 0 after Open
	LBA  uint64 // first sector of a Read or Write
	// Data is read into or written from: whole sectors. For ATA it travels the
	// way that the W flag of Regs says.
	Data []byte
	// Regs of an ATA command; the registers of the reply afterwards.
	Regs aoe.ATA
	// Frame is a whole Control request. Reply is a copy of its reply.
	Frame, Reply []byte

	// Err is nil when the whole of it was done; otherwise the first error of
	// its frames, of which others may have taken effect.
	Err error
	// Sent is when its first frame went out and Done when its last reply
	// arrived, by the Engine's clock.
	Sent, Done time.Duration
	User       int // the caller's own
	// Copies gets when each of its frames went out, again and again, as long as there
	// is capacity for it. The caller empties it.
	Copies []time.Duration

	offset  int // bytes of Data that have a frame
	frames  int // outstanding
	active  bool
	waiting *IO // the next one that has frames to send
}

// check reports what is wrong with an IO about to be submitted.
func (io *IO) check(maxSectors int, capacity uint64) error {
	sectors := len(io.Data) / aoe.SectorSize
	switch {
	case io.active:
		return ErrBusy
	case io.Op == Control:
		if len(io.Frame) < aoe.HeaderSize {
			return fmt.Errorf("control frame of %d bytes: want at least %d", len(io.Frame), aoe.HeaderSize)
		}
		return nil
	case len(io.Data)%aoe.SectorSize != 0:
		return fmt.Errorf("%v of %d bytes: want a multiple of %d", io.Op, len(io.Data), aoe.SectorSize)
	case io.Op == ATA:
		if sectors > maxSectors {
			return fmt.Errorf("ATA command with %d sectors: want at most %d", sectors, maxSectors)
		}
		return nil
	case sectors == 0:
		return fmt.Errorf("%v of 0 bytes: want at least one sector", io.Op)
	case io.LBA > capacity || uint64(sectors) > capacity-io.LBA:
		return fmt.Errorf("%v of %d sectors at sector %d of %d: %w", io.Op, sectors, io.LBA, capacity, ErrRange)
	}
	return nil
}

// more reports whether frames of io have not been made yet.
func (io *IO) more() bool {
	if io.Op == Read || io.Op == Write {
		return io.offset < len(io.Data)
	}
	return io.offset == 0
}
