package main

import (
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
		s.end(t, data)
		return s.begin(t)
	}
	t.step++
	return s.send(t)
}

// end takes what the read of a round shows.
func (s *stale) end(t *staleThread, data []byte) {
	s.rounds++
	wrong := s.check(t, data)
	if wrong == "" {
		return
	}
	s.stale++
	t.holds = [staleSectors]uint32{} // whatever it is, until it is written again
	if len(s.wrong) < 10 {
		s.wrong = append(s.wrong, wrong)
	}
}

func (t *staleThread) hold(part [2]int, generation uint32) {
	for i := part[0]; i < part[1]; i++ {
		t.holds[i] = generation
	}
}
