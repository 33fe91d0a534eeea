package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"vbladefs/target/aoe"
)

// check compares what a read shows with what the sectors hold, and says what is
// wrong.
func (s *stale) check(t *staleThread, data []byte) string {
	if len(data) < staleSectors*aoe.SectorSize {
		return fmt.Sprintf("a read of %d sectors brings %d bytes", staleSectors, len(data))
	}
	for i, generation := range t.holds {
		lba := t.base + uint64(i)
		if got := data[i*aoe.SectorSize:][:aoe.SectorSize]; generation != 0 && !bytes.Equal(got, staleStamp(lba, generation)) {
			return fmt.Sprintf("round %d: sector %d begins % x, want generation %d; sectors %v were written twice and %v afterwards",
				s.rounds, lba, got[:16], generation, t.copied, t.newer)
		}
	}
	return ""
}

// staleStamp fills a sector with its place and the number of its write.
func staleStamp(lba uint64, generation uint32) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], lba)
	binary.BigEndian.PutUint32(b[8:], generation)
	binary.BigEndian.PutUint32(b[12:], generation)
	return bytes.Repeat(b[:], aoe.SectorSize/len(b))
}

// frame begins a request of t by its line, under a new tag, which is waited for.
func (s *stale) frame(t *staleThread, command aoe.Command, size int) []byte {
	s.tag++
	t.wants = (s.tag%(1<<26)+1<<26)*staleThreads + uint32(t.base/staleSectors)
	l := &s.lines[t.line]
	frame := make([]byte, size)
	aoe.Header{Dst: l.far, Src: l.mac, Version: aoe.Version, Addr: s.addrs[s.rnd.IntN(len(s.addrs))], Command: command, Tag: t.wants}.Put(frame)
	return frame
}

func (s *stale) query(t *staleThread) error {
	frame := s.frame(t, aoe.CmdConfig, aoe.ATASize)
	aoe.Config{Command: aoe.ConfigRead}.Put(frame)
	return s.put(t, frame)
}

func (s *stale) write(t *staleThread, part [2]int) error {
	frame := s.frame(t, aoe.CmdATA, aoe.ATASize)
	lba := t.base + uint64(part[0])
	aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Count: uint8(part[1] - part[0]), Command: 0x34, LBA: lbaBytes(lba)}.Put(frame)
	for i := part[0]; i < part[1]; i++ {
		frame = append(frame, staleStamp(t.base+uint64(i), t.generation)...)
	}
	return s.put(t, frame)
}

func (s *stale) read(t *staleThread) error {
	frame := s.frame(t, aoe.CmdATA, aoe.ATASize)
	aoe.ATA{Flags: aoe.ATAExtended, Count: staleSectors, Command: 0x24, LBA: lbaBytes(t.base)}.Put(frame)
	return s.put(t, frame)
}

func lbaBytes(lba uint64) (b [6]byte) {
	for i := range b {
		b[i] = byte(lba >> (8 * i))
	}
	return b
}

func (s *stale) put(t *staleThread, frame []byte) error {
	_, err := s.lines[t.line].link.Send([][]byte{frame}, [][]byte{nil})
	return err
}
