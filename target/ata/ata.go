// Package ata is the ATA command set as an AoE target serves it: what a set of
// registers asks for, what the registers of the reply say, and the data of
// IDENTIFY DEVICE and SMART READ DATA.
//
//	registers ─Decode─▶ Request ─Answer─▶ registers of the reply, if no drive is needed
//	                       └──▶ the caller reads, writes or flushes ─Done, Failed─▶ reply
//
// It is pure: values in, values out, no state, no allocation, no I/O. It knows
// neither frames nor drives: how many sectors fit a reply, whether the payload
// of a write is complete and whether an export is read-only are for its caller
// to check, and to refuse with Failed(ABRT, r.Count).
//
// Facts are cited by their section of the AoEr11 description that the project
// works from ("§3.2"), or of ATA8-ACS where that is silent.
package ata

// SectorSize is the size of a sector and of every data block here, in bytes.
const SectorSize = 512

// Bits of the status register, §3.2. Initiators take a reply as failed if any
// of BSY, DF, DRQ and ERR is set, or look at ERR alone.
const (
	BSY  = 0x80
	DRDY = 0x40 // in every reply
	DF   = 0x20 // device fault: may go with ERR when a write failed for good
	DRQ  = 0x08
	ERR  = 0x01
)

// Bits of the error register, §3.2.
const (
	UNC  = 0x40 // uncorrectable: the drive could not read
	IDNF = 0x10 // address not found: out of the capacity
	ABRT = 0x04 // command aborted: not supported, not allowed, malformed, or the drive could not write or flush
)

// Limits of the two address forms.
const (
	sectors28   = 1 << 28 // addressable by a 28-bit command
	maxLBA28    = sectors28 - 1
	maxSectors  = 1<<48 - 1 // the largest capacity IDENTIFY can state
	powerActive = 0xff      // CHECK POWER MODE: active or idle, §3.3
)

// Registers is the task file as AoE carries it. In a reply Feature holds the
// error register, Command the status register and Count the sectors that were
// not transferred.
type Registers struct {
	Feature uint8
	Count   uint8
	Command uint8
	LBA     [6]byte // lba0…lba5, least significant byte first
}

// Done is the reply to r when all of it was done: the LBA is echoed.
func (r Registers) Done() Registers {
	return Registers{Command: DRDY, LBA: r.LBA}
}

// Failed is the reply to r when it failed with the given bits of the error
// register and count sectors were not transferred. A transfer is done whole or
// not at all, so count is r.Count unless the caller knows better, §3.2.
func (r Registers) Failed(errorBits, count uint8) Registers {
	return Registers{Feature: errorBits, Count: count, Command: DRDY | ERR, LBA: r.LBA}
}

// WithLBA is r with lba in its LBA registers, where a reply with IDNF or UNC
// names the first bad sector. The 28-bit form keeps the device nibble and
// saturates.
func (r Registers) WithLBA(lba uint64, extended bool) Registers {
	if !extended {
		lba = min(lba, maxLBA28)
	}
	r.LBA[0], r.LBA[1], r.LBA[2] = byte(lba), byte(lba>>8), byte(lba>>16)
	if extended {
		r.LBA[3], r.LBA[4], r.LBA[5] = byte(lba>>24), byte(lba>>32), byte(lba>>40)
	} else {
		r.LBA[3] = r.LBA[3]&0xf0 | byte(lba>>24)
	}
	return r
}

// Answer is the reply to r, decoded as q, when that takes no drive and no data:
// refusals, transfers beyond the capacity, and commands that do nothing. It is
// false when the caller has to act: then q is a Read, Write or Verify within
// the capacity, or a Flush, SetWriteCache, Identify, SmartData or Trim.
func (r Registers) Answer(q Request, capacitySectors uint64) (reply Registers, ok bool) {
	switch q.Action {
	case Abort:
		return r.Failed(ABRT, r.Count), true
	case NoOperation:
		return r.Done(), true
	case CheckPower:
		reply = r.Done()
		reply.Count = powerActive
		return reply, true
	case Read, Write, Verify:
		if !q.Fits(capacitySectors) {
			firstBad := max(q.LBA, capacitySectors)
			return r.Failed(IDNF, r.Count).WithLBA(firstBad, q.Extended), true
		}
	}
	return Registers{}, false
}

// lba is the address in the registers of a 48-bit (extended) or 28-bit command,
// whose lba3 has the device register in its high nibble, §3.1.
func (r Registers) lba(extended bool) uint64 {
	b := r.LBA
	low := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16
	if !extended {
		return low | uint64(b[3]&0x0f)<<24
	}
	return low | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40
}
