package initiator

import (
	"encoding/binary"
	"fmt"
	"strings"

	"vbladefs/target/aoe"
)

// Identity is what IDENTIFY DEVICE tells (PROTOCOL §3.4).
type Identity struct {
	Sectors                 uint64 // capacity, in sectors of 512 bytes
	LBA48                   bool
	Serial, Firmware, Model string
	WriteCache              bool      // a volatile write cache is on
	Data                    [512]byte // as received
}

// ErrIdentify is wrapped by the errors of ParseIdentity.
var ErrIdentify = fmt.Errorf("bad IDENTIFY data")

// ParseIdentity reads the 512 bytes of IDENTIFY DEVICE. The capacity is that of
// words 100 to 103, or of 60 and 61 without 48-bit addresses, as Linux takes it
// (INITIATORS §2.2); the checksum in word 255 must be right if there is one.
func ParseIdentity(data []byte) (*Identity, error) {
	if len(data) != aoe.SectorSize {
		return nil, fmt.Errorf("%w: %d bytes, want %d", ErrIdentify, len(data), aoe.SectorSize)
	}
	id := &Identity{Data: [512]byte(data)}
	if data[510] == 0xa5 { // the mark of a valid checksum
		var sum byte
		for _, b := range data {
			sum += b
		}
		if sum != 0 {
			return nil, fmt.Errorf("%w: checksum word %#04x: the bytes sum up to %#02x, want 0", ErrIdentify, id.word(255), sum)
		}
	}
	if id.word(0)&0x8000 != 0 {
		return nil, fmt.Errorf("%w: word 0 is %#04x: not an ATA disk", ErrIdentify, id.word(0))
	}
	id.LBA48 = (id.word(83)|id.word(86))&(1<<10) != 0
	id.WriteCache = id.word(85)&(1<<5) != 0
	id.Serial, id.Firmware, id.Model = id.text(10, 20), id.text(23, 27), id.text(27, 47)
	id.Sectors = uint64(id.word(60)) | uint64(id.word(61))<<16
	if id.LBA48 {
		id.Sectors = binary.LittleEndian.Uint64(data[200:])
	}
	if id.Sectors == 0 || id.Sectors >= 1<<48 {
		return nil, fmt.Errorf("%w: capacity of %d sectors", ErrIdentify, id.Sectors)
	}
	return id, nil
}

// Checksummed reports whether the data carries a checksum; ParseIdentity has
// checked it. vblade sends none.
func (id *Identity) Checksummed() bool { return id.Data[510] == 0xa5 }

func (id *Identity) word(n int) uint16 { return binary.LittleEndian.Uint16(id.Data[2*n:]) }

// text is the string in words first to end-1: the first character of each word
// is in its high byte, and spaces fill the rest.
func (id *Identity) text(first, end int) string {
	b := make([]byte, 0, 2*(end-first))
	for w := first; w < end; w++ {
		b = append(b, byte(id.word(w)>>8), byte(id.word(w)))
	}
	return strings.Trim(string(b), " \x00")
}
