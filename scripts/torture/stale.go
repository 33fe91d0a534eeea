package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/target/aoe"
)

// stale is the stale-duplicate test (INITIATORS.md §8.9). Each of its threads
// does round after round on sectors of its own: it sends a write twice under two
// tags, when the second copy is answered a newer write that overlaps it, and
// when that is answered a read, which must show the newer one. The copies, the
// newer write and the read take any interface and any address of the disk.
//
// A second copy that takes another interface than the first is sent when the
// first has arrived: the target has answered a query that was sent behind it.
// What two interfaces deliver at the same time has no order that a target could
// keep (PROTOCOL.md §7); together shows how often that happens.
type stale struct {
	lines   []staleLine
	addrs   []aoe.Addr
	threads []staleThread
	rnd     *rand.Rand
	tag     uint32
	batch   [64][]byte

	// together has the second copy sent at once on another interface: what the
	// test then finds it counts, and goes on.
	together bool

	rounds, crossed, resent uint64
	stale                   uint64 // rounds in which a read did not show what it must
	wrong                   []string
}

// staleLine is an interface.
type staleLine struct {
	link     netio.Link
	mac, far aoe.MAC
}

const (
	staleThreads = 24
	staleSectors = 16              // of each thread; a frame holds them all
	stalePause   = 2 * time.Second // until a frame is repeated that was not answered
)

type staleStep uint8

const (
	staleArrival staleStep = iota // of the first copy
	staleCopy
	staleNewer
	staleRead
)

// staleThread is one of the things that go on at a time.
type staleThread struct {
	base       uint64
	generation uint32
	holds      [staleSectors]uint32 // generations
	copied     [2]int               // first sector and end of the write that is sent twice
	newer      [2]int
	step       staleStep
	line       int // of what is waited for
	wants      uint32
	since      time.Time
}

// run does rounds until there were so many, or until something is wrong.
func (s *stale) run(rounds uint64) error {
	for i := range s.threads {
		s.threads[i].base = uint64(i * staleSectors)
		if err := s.begin(&s.threads[i]); err != nil {
			return err
		}
	}
	for next := time.Now(); s.rounds < rounds && (s.together || s.stale == 0); {
		worked, err := s.receive()
		if err != nil {
			return err
		}
		if now := time.Now(); now.After(next) {
			next = now.Add(stalePause / 20)
			if err := s.repeat(now); err != nil {
				return err
			}
		}
		if !worked {
			s.wait()
		}
	}
	if s.stale > 0 && !s.together {
		return errors.New(s.wrong[0])
	}
	return nil
}

func (s *stale) wait() {
	var fds []unix.PollFd
	for _, l := range s.lines {
		fds = append(fds, unix.PollFd{Fd: int32(l.link.FD()), Events: unix.POLLIN})
	}
	_, _ = unix.Poll(fds, 1)
}

// receive takes what has come on every line.
func (s *stale) receive() (worked bool, err error) {
	for _, l := range s.lines {
		n, err := l.link.Receive(s.batch[:])
		if err != nil {
			return false, err
		}
		for _, frame := range s.batch[:n] {
			if err := s.reply(frame); err != nil {
				return false, err
			}
		}
		l.link.Release()
		worked = worked || n > 0
	}
	return worked, nil
}

// begin starts a round: the first copy, and the second or what tells that the
// first has arrived.
func (s *stale) begin(t *staleThread) error {
	t.generation++
	first := s.rnd.IntN(staleSectors)
	t.copied = [2]int{first, first + 1 + s.rnd.IntN(staleSectors-first)}
	from := s.rnd.IntN(t.copied[1])
	t.newer = [2]int{from, max(from, t.copied[0]) + 1}
	t.newer[1] += s.rnd.IntN(staleSectors - t.newer[1] + 1)
	t.line = s.rnd.IntN(len(s.lines))
	if err := s.write(t, t.copied); err != nil {
		return err
	}
	t.step = staleCopy
	switch {
	case s.together:
		s.crossed++
		t.line = (t.line + 1) % len(s.lines)
	case len(s.lines) > 1 && s.rnd.IntN(2) == 0:
		t.step = staleArrival
	}
	return s.send(t)
}

// send makes the request that the step of t waits for.
func (s *stale) send(t *staleThread) error {
	t.since = time.Now()
	switch t.step {
	case staleArrival:
		return s.query(t)
	case staleCopy:
		return s.write(t, t.copied)
	case staleNewer:
		return s.write(t, t.newer)
	}
	return s.read(t)
}

// repeat sends again what was not answered, as a target may drop anything.
func (s *stale) repeat(now time.Time) error {
	for i := range s.threads {
		if t := &s.threads[i]; now.Sub(t.since) > stalePause {
			s.resent++
			if err := s.send(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// reply takes a reply; the one that its thread waits for is followed by the next
// step.
func (s *stale) reply(frame []byte) error {
	h, ok := aoe.DecodeHeader(frame)
	if !ok || h.Dst.Group() {
		return nil // an announcement
	}
	t := &s.threads[h.Tag%staleThreads]
	a, data, ok := aoe.DecodeATA(frame)
	if !ok || h.Failed || h.Command == aoe.CmdATA && a.Command != 0x40 {
		return fmt.Errorf("thread %d: an error reply: % x", h.Tag%staleThreads, frame[:aoe.ATASize])
	}
	if h.Tag != t.wants {
		return nil // the reply to an older copy
	}
	switch t.step {
	case staleArrival:
		s.crossed++
		t.line = (t.line + 1 + s.rnd.IntN(len(s.lines)-1)) % len(s.lines)
	case staleCopy:
		t.line = s.rnd.IntN(len(s.lines))
		t.hold(t.copied, t.generation)
		t.generation++
	case staleNewer:
		t.line = s.rnd.IntN(len(s.lines))
		t.hold(t.newer, t.generation)
	case staleRead:
		if wrong := s.check(t, data); wrong != "" {
			s.stale++
			t.holds = [staleSectors]uint32{} // whatever it is, until it is written again
			if s.wrong = append(s.wrong, wrong); len(s.wrong) > 10 {
				s.wrong = s.wrong[:10]
			}
		}
		s.rounds++
		return s.begin(t)
	}
	t.step++
	return s.send(t)
}

func (t *staleThread) hold(part [2]int, generation uint32) {
	for i := part[0]; i < part[1]; i++ {
		t.holds[i] = generation
	}
}

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
