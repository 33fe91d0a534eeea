package ata

// Sub-commands of SMART in the Feature register, §3.6, and the signature that
// lba1 and lba2 must carry. RETURN STATUS leaves the signature as it is when
// the drive is healthy, so that an echo of the registers says so.
const (
	smartReadData         = 0xd0
	smartAutosave         = 0xd2
	smartOfflineImmediate = 0xd4
	smartEnable           = 0xd8
	smartDisable          = 0xd9
	smartReturnStatus     = 0xda
	smartLBA1             = 0x4f
	smartLBA2             = 0xc2
)

// smart takes the sub-command from r. Logs (0xd5, 0xd6) are refused, as none
// is kept. The sub-commands that set something have nothing to set: SMART stays
// enabled, and an off-line test ends at once because there is no medium here
// to test, only a backing store that reports its own errors.
func (q Request) smart(r Registers) Request {
	if r.LBA[1] != smartLBA1 || r.LBA[2] != smartLBA2 {
		return q.refused()
	}
	switch r.Feature {
	case smartReadData:
		q.Action = SmartData
		return q
	case smartAutosave, smartOfflineImmediate, smartEnable, smartDisable, smartReturnStatus:
		return q
	}
	return q.refused()
}

// Offsets in the data of SMART READ DATA (ATA8-ACS, the command's data structure).
const (
	smartRevision       = 0   // word; vendor specific: 16 is common
	smartOfflineAbility = 367 // bit 0: EXECUTE OFF-LINE IMMEDIATE is implemented
	smartAbility        = 368 // word; bit 1: attribute autosave is implemented
)

// PutSmartData writes the 512 bytes of SMART READ DATA into dst: no attributes,
// no test ever failed. dst holds at least 512 bytes; the rest is left alone.
func PutSmartData(dst []byte) {
	b := dst[:SectorSize]
	clear(b)
	b[smartRevision] = 16
	b[smartOfflineAbility] = 1
	b[smartAbility] = 2
	b[SectorSize-1] = checksum(b)
}

// checksum is the byte that makes b sum to 0 modulo 256 in place of its last.
func checksum(b []byte) byte {
	var sum byte
	for _, v := range b[:len(b)-1] {
		sum += v
	}
	return -sum
}
