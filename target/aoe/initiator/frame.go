package initiator

import (
	"encoding/binary"

	"vbladefs/target/aoe"
)

// ATA commands that the engine makes by itself (PROTOCOL §3.3), as Linux does:
// the EXT ones where the export has 48-bit addresses.
const (
	ataRead     = 0x20
	ataReadExt  = 0x24
	ataWrite    = 0x30
	ataWriteExt = 0x34
	ataIdentify = 0xec
	ataFlush    = 0xe7
	ataFlushExt = 0xea
)

// lba28Device is the device register of 28-bit commands: LBA mode and the two
// bits that were always one (PROTOCOL §3.1).
const lba28Device = 0xe0

// prepare makes the next frame of the slot's IO, with a new tag.
func (e *Engine) prepare(i int, s *slot) {
	io, p := s.io, &e.peers[s.peer]
	if io.Op == Control {
		s.head, s.body, s.lba, s.ata = io.Frame, nil, 0, 0
		io.offset = 1 // there is no second frame
		e.retag(i, s)
		return
	}
	s.head = e.heads[i*aoe.ATASize : (i+1)*aoe.ATASize]
	aoe.Header{Dst: p.mac, Src: e.local, Version: aoe.Version, Addr: p.addr, Command: aoe.CmdATA}.Put(s.head)
	regs := io.Regs
	if io.Op == ATA {
		s.body, s.lba = io.Data, lba(regs)
		io.offset = 1
	} else {
		size := min(len(io.Data)-io.offset, p.sectors*aoe.SectorSize)
		s.body = io.Data[io.offset : io.offset+size]
		s.lba = io.LBA + uint64(io.offset/aoe.SectorSize)
		io.offset += size
		regs = transfer(io.Op == Write, p.lba28, s.lba, size/aoe.SectorSize)
	}
	s.ata = regs.Command
	regs.Put(s.head)
	e.retag(i, s)
}

// transfer is the ATA command that moves sectors at lba.
func transfer(write, lba28 bool, lba uint64, sectors int) aoe.ATA {
	a := aoe.ATA{Count: uint8(sectors), Command: ataReadExt, Flags: aoe.ATAExtended}
	if lba28 {
		a.Command, a.Flags = ataRead, 0
	}
	if write {
		a.Command += ataWrite - ataRead // the same step for both widths
		a.Flags |= aoe.ATAWrite
	}
	for i := range a.LBA {
		a.LBA[i] = byte(lba >> (8 * i))
	}
	if lba28 {
		a.LBA[3] = lba28Device | a.LBA[3]&0x0f
		a.LBA[4], a.LBA[5] = 0, 0
	}
	return a
}

// lba is the address in the registers of a command, taken as 48 bits wide.
func lba(a aoe.ATA) uint64 {
	var v uint64
	for i, b := range a.LBA {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// payload is what follows the head on the wire.
func (s *slot) payload() []byte {
	switch {
	case s.io.Op == Write, s.io.Op == ATA && s.io.Regs.Flags&aoe.ATAWrite != 0:
		return s.body
	}
	return nil
}

// dataIn is how many bytes the reply brings.
func (s *slot) dataIn() int {
	switch {
	case s.io.Op == Read, s.io.Op == ATA && s.io.Regs.Flags&aoe.ATAWrite == 0:
		return len(s.body)
	}
	return 0
}

// command is the AoE command of the slot's frame.
func (s *slot) command() aoe.Command {
	if s.io.Op == Control {
		return aoe.Command(s.head[19])
	}
	return aoe.CmdATA
}

// putTag writes the tag of a frame (PROTOCOL §2).
func putTag(head []byte, tag uint32) { binary.BigEndian.PutUint32(head[20:], tag) }
