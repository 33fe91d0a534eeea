package ata

import "math/bits"

// Identity is what IDENTIFY DEVICE tells of an export.
type Identity struct {
	// Sectors is the capacity in 512-byte sectors; it is stated as at most 2^48-1.
	Sectors uint64
	// The strings hold at most 20, 8 and 40 characters, and are cut there.
	// What is no printable ASCII appears as '?'.
	Serial, Firmware, Model string
	// WriteCache says that acknowledged writes may be lost with the power
	// until a flush.
	WriteCache bool
	// PhysicalSectorBytes is the unit that the drive writes without reading
	// first: a power of two; 0 and anything below 1024 mean 512.
	PhysicalSectorBytes int
	// RotationRate is 0 when unknown, 1 for solid state, else turns a minute.
	RotationRate uint16
	// WorldWideName is a 64-bit NAA name, or 0 for none.
	WorldWideName uint64
}

// Geometry of the CHS words, which Linux reads only from a drive that is not
// LBA48, §3.4.
const (
	heads          = 16
	trackSectors   = 63
	cylinderSize   = heads * trackSectors
	maxCylinders   = 16383
	maxSectors28   = maxLBA28 // words 60-61 never state more
	signature      = 0xa5     // low byte of word 255: the high one is a checksum
	featureSet82   = 0x0069   // look-ahead, write cache, power management, SMART
	featureSet83   = 0x7400   // FLUSH CACHE EXT, FLUSH CACHE, LBA48
	featureSet84   = 0x4040   // WRITE DMA FUA EXT
	enabled86      = 0x3400   // as word 83, without its fixed bit 14
	writeCacheBit  = 0x0020   // words 82 and 85
	worldWideBit   = 0x0100   // words 84 and 87
	physicalValid  = 0x4000   // word 106
	physicalLarger = 0x2000   // word 106: several logical sectors make a physical one
)

// fixedWords are the words of every drive, §3.4. Words that are in neither
// this table nor Put are zero.
var fixedWords = [...]struct{ index, value uint16 }{
	{0, 0x0040}, // an ATA device, fixed
	{2, 0xc837}, // this block is complete, no spin-up needed
	{3, heads},  //
	{6, trackSectors},
	{47, 0x8001}, // at most one sector a block of READ MULTIPLE
	{48, 0x4000}, // no trusted computing
	{49, 0x0f00}, // LBA, DMA, IORDY
	{50, 0x4000}, // fixed
	{53, 0x0007}, // words 54-58, 64-70 and 88 are valid
	{55, heads},  //
	{56, trackSectors},
	{59, 0x0101}, // READ MULTIPLE is set to one sector a block
	{63, 0x0007}, // multiword DMA modes 0-2
	{64, 0x0003}, // PIO modes 3 and 4
	{65, 0x0078}, // cycle times of 120 ns
	{66, 0x0078}, //
	{67, 0x0078}, //
	{68, 0x0078}, //
	{80, 0x01f0}, // ATA/ATAPI-4 to ATA8-ACS
	{82, featureSet82},
	{83, featureSet83},
	{86, enabled86},
	{88, 0x203f}, // UDMA modes 0-5, 5 selected
	{93, 0x400b}, // hardware reset result
	{105, MaxTrimBlocks},
	{119, 0x4000}, // no further features
	{120, 0x4000}, //
	{169, 0x0001}, // DATA SET MANAGEMENT trims
	{209, 0x4000}, // logical sector 0 begins a physical one
}

// Put writes the 512 bytes of IDENTIFY DEVICE into dst, which holds at least
// that many; the rest of dst is left alone.
func (id *Identity) Put(dst []byte) {
	b := dst[:SectorSize]
	clear(b)
	for _, w := range fixedWords {
		put16(b, w.index, w.value)
	}
	putString(b, 10, 10, id.Serial)
	putString(b, 23, 4, id.Firmware)
	putString(b, 27, 20, id.Model)
	id.putCapacity(b)
	id.putFeatures(b)
	put16(b, 106, physicalRelation(id.PhysicalSectorBytes))
	put16(b, 217, id.RotationRate)
	b[510] = signature
	b[511] = checksum(b)
}

// putCapacity writes the capacity in its three forms: cylinders, 28 bits, 48
// bits, which is the one that initiators read.
func (id *Identity) putCapacity(b []byte) {
	n := min(id.Sectors, maxSectors)
	cylinders := min(n/cylinderSize, maxCylinders)
	put16(b, 1, uint16(cylinders))
	put16(b, 54, uint16(cylinders))
	put32(b, 57, uint32(cylinders*cylinderSize))
	put32(b, 60, uint32(min(n, maxSectors28)))
	put32(b, 100, uint32(n))
	put32(b, 102, uint32(n>>32))
}

// putFeatures writes the words that depend on what this drive can do.
func (id *Identity) putFeatures(b []byte) {
	enabled, named := uint16(featureSet82), uint16(featureSet84)
	if !id.WriteCache {
		enabled &^= writeCacheBit
	}
	if id.WorldWideName != 0 {
		named |= worldWideBit
		for i := range uint16(4) { // most significant word first
			put16(b, 108+i, uint16(id.WorldWideName>>(48-16*i)))
		}
	}
	put16(b, 84, named)
	put16(b, 85, enabled)
	put16(b, 87, named)
}

// physicalRelation is word 106: the binary logarithm of how many 512-byte
// sectors make a physical one.
func physicalRelation(physicalSectorBytes int) uint16 {
	shift := bits.Len(uint(max(physicalSectorBytes, SectorSize)/SectorSize)) - 1
	if shift == 0 {
		return physicalValid
	}
	return physicalValid | physicalLarger | uint16(min(shift, 15))
}

// putString writes s into a field of words at the word index: padded with
// spaces, the first character of each pair in the high byte, §3.4.
func putString(b []byte, index, words int, s string) {
	field := b[2*index : 2*(index+words)]
	for i := range field {
		field[i] = ' '
	}
	i := 0
	for _, c := range s {
		if i == len(field) {
			return
		}
		if c < ' ' || c > '~' {
			c = '?'
		}
		field[i^1] = byte(c)
		i++
	}
}

// put16 writes v at the word index, little-endian as all IDENTIFY data.
func put16(b []byte, index, v uint16) { b[2*index], b[2*index+1] = byte(v), byte(v>>8) }

// put32 writes v into two words, the low one first.
func put32(b []byte, index uint16, v uint32) {
	put16(b, index, uint16(v))
	put16(b, index+1, uint16(v>>16))
}
