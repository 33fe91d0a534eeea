package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"vbladefs/target/aoe"
)

// Every sector that a verifying run writes is a stamp:
//
//	0    8    16    24            28          32   40              504        508
//	| magic | run | seed | shelf slot 0 | generation | LBA | filler … | generation | CRC32C |
//
// run is drawn anew for each run, so that no other run's stamps pass for ours.
// The filler follows from the fields before it, so that a damaged sector shows
// where it goes wrong, and a torn one which generations it is made of.
const (
	stampMagic = 0x41_4f_45_42_45_4e_43_48 // "AOEBENCH"
	atRun      = 8
	atSeed     = 16
	atAddr     = 24
	atGen      = 28
	atLBA      = 32
	atFiller   = 40
	atLastGen  = 504
	atCRC      = 508
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Stamper makes and reads the stamps of one run.
type Stamper struct {
	Run, Seed uint64
	Addr      aoe.Addr
}

// Fill makes a sector the stamp of generation gen at lba.
func (s *Stamper) Fill(sector []byte, lba uint64, gen uint32) {
	b := sector[:aoe.SectorSize]
	binary.BigEndian.PutUint64(b, stampMagic)
	binary.BigEndian.PutUint64(b[atRun:], s.Run)
	binary.BigEndian.PutUint64(b[atSeed:], s.Seed)
	binary.BigEndian.PutUint32(b[atAddr:], addrWord(s.Addr))
	binary.BigEndian.PutUint32(b[atGen:], gen)
	binary.BigEndian.PutUint64(b[atLBA:], lba)
	word := s.filler(lba, gen)
	for at := atFiller; at < atLastGen; at += 8 {
		binary.LittleEndian.PutUint64(b[at:], word)
		word += fillerStep
	}
	binary.BigEndian.PutUint32(b[atLastGen:], gen)
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[:atCRC], castagnoli))
}

// fillerStep is 2^64 over the golden ratio: every step changes all bytes.
const fillerStep = 0x9e3779b97f4a7c15

// filler is the first word of a stamp's filler.
func (s *Stamper) filler(lba uint64, gen uint32) uint64 {
	x := s.Run ^ s.Seed + lba*0xbf58476d1ce4e5b9 + uint64(gen)*0x94d049bb133111eb
	return (x ^ x>>29) * 0xff51afd7ed558ccd
}

func addrWord(a aoe.Addr) uint32 { return uint32(a.Shelf)<<16 | uint32(a.Slot)<<8 }

// content is what a sector turned out to hold.
type content struct {
	ours  bool // it has the magic and run of ours
	whole bool // and its CRC is right
	addr  uint32
	lba   uint64
	gen   uint32
}

func (s *Stamper) read(sector []byte) content {
	b := sector[:aoe.SectorSize]
	if binary.BigEndian.Uint64(b) != stampMagic || binary.BigEndian.Uint64(b[atRun:]) != s.Run {
		return content{}
	}
	return content{ours: true, whole: crc32.Checksum(b[:atCRC], castagnoli) == binary.BigEndian.Uint32(b[atCRC:]),
		addr: binary.BigEndian.Uint32(b[atAddr:]), lba: binary.BigEndian.Uint64(b[atLBA:]), gen: binary.BigEndian.Uint32(b[atGen:])}
}

// endsAs reports whether sector ends as generation gen of lba does.
func (s *Stamper) endsAs(sector []byte, lba uint64, gen uint32) bool {
	const words = (atLastGen - atFiller) / 8
	last := s.filler(lba, gen)
	for range words - 1 {
		last += fillerStep
	}
	return binary.LittleEndian.Uint64(sector[atLastGen-8:]) == last && binary.BigEndian.Uint32(sector[atLastGen:]) == gen
}

// firstBad is the offset of the first byte of filler that is not that of gen.
func (s *Stamper) firstBad(sector []byte, lba uint64, gen uint32) int {
	word := s.filler(lba, gen)
	for at := atFiller; at < atLastGen; at += 8 {
		if binary.LittleEndian.Uint64(sector[at:]) != word {
			return at
		}
		word += fillerStep
	}
	return atLastGen
}

// describe puts content in words for a report.
func (c content) describe(sector []byte) string {
	switch {
	case !c.ours && binary.BigEndian.Uint64(sector) == stampMagic:
		return "another run's stamp"
	case !c.ours:
		return fmt.Sprintf("foreign data beginning % x", sector[:8])
	case !c.whole:
		return fmt.Sprintf("a broken stamp of generation %d, sector %d", c.gen, c.lba)
	}
	return fmt.Sprintf("generation %d of sector %d of %d.%d", c.gen, c.lba, c.addr>>16, c.addr>>8&0xff)
}
