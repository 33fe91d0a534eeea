package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/scripts/torture/powercut"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/ata"
)

// cutLoad is the client of a trial: it keeps writes under way on every line,
// most of them over others, and among them flushes, forced writes, changes of the
// write cache and questions about it.
type cutLoad struct {
	log     *powercut.Log
	rnd     *rand.Rand
	exports []*initiator.Export
	links   []staleLine
	jobs    []cutJob
	idle    []*cutJob
	moving  bool                                               // a change of the cache is under way
	change  func(policy string) (done <-chan error, err error) // or nil
	changed <-chan error                                       // of the change of policy that is under way, or nil
	policy  int                                                // its request
	answers int
}

// cutJob is one request under way.
type cutJob struct {
	io   initiator.IO
	kind powercut.Kind
	line int
	id   int
	data []byte
}

const (
	cutDepth = 32
	cutMost  = 8 // sectors of a write
	// cutLeast is how many requests are answered at least, however slow the machine is.
	cutLeast = 400
)

// cutFirstRTO is when a request is repeated: practically never, as a copy that
// comes late may take effect late (PROTOCOL.md §7).
const cutFirstRTO = 60 * time.Second

func newCutLoad(log *powercut.Log, lines []staleLine, mtu int, seed uint64) (*cutLoad, error) {
	l := &cutLoad{log: log, rnd: rand.New(rand.NewPCG(seed, 6)), links: lines, jobs: make([]cutJob, cutDepth)}
	for n, line := range lines {
		i, err := initiator.New(line.link, initiator.Local{MAC: line.mac, MTU: mtu})
		if err != nil {
			return nil, err
		}
		addr := aoe.Addr{Shelf: trialAddr.Shelf, Slot: trialAddr.Slot + uint8(n)}
		x, err := i.Open(addr, initiator.Options{FirstRTO: cutFirstRTO, Timeout: 2 * cutFirstRTO, FindTimeout: patience})
		if err != nil {
			return nil, err
		}
		if x.Identity.Data[82*2]&0x20 == 0 {
			return nil, fmt.Errorf("%v: IDENTIFY word 82 says that the write cache cannot be switched", addr)
		}
		l.exports = append(l.exports, x)
	}
	for i := range l.jobs {
		j := &l.jobs[i]
		j.data, j.io.User = make([]byte, cutMost*aoe.SectorSize), i
		l.idle = append(l.idle, j)
	}
	return l, nil
}

// run keeps the depth until the time is up and there have been enough answers, and then waits for what is left.
func (l *cutLoad) run(until func() bool) error {
	for ended := false; !ended || len(l.idle) < len(l.jobs) || l.changed != nil; {
		ended = ended || l.answers >= cutLeast && until()
		for !ended && len(l.idle) > 0 {
			if err := l.start(); err != nil {
				return err
			}
		}
		if err := l.turn(); err != nil {
			return err
		}
	}
	for _, x := range l.exports {
		if n := x.Engine().Counters().Retransmits; n > 0 {
			return fmt.Errorf("%d frames were lost, on a link that loses none: what this shows is not sure", n)
		}
	}
	return nil
}

// turn sends what is due and takes what has come, or waits for it.
func (l *cutLoad) turn() error {
	worked := false
	for _, x := range l.exports {
		if err := x.Engine().Push(); err != nil {
			return err
		}
		done, err := x.Engine().Poll()
		if err != nil {
			return err
		}
		for _, io := range done {
			worked = true
			if err := l.end(&l.jobs[io.User]); err != nil {
				return err
			}
		}
	}
	select {
	case err := <-l.changed:
		if l.changed = nil; err != nil {
			return fmt.Errorf("changing the policy: %w", err)
		}
		l.log.Answered(l.policy, false)
		return nil
	default:
	}
	if worked {
		return nil
	}
	var fds []unix.PollFd
	for _, line := range l.links {
		fds = append(fds, unix.PollFd{Fd: int32(line.link.FD()), Events: unix.POLLIN})
	}
	if _, err := unix.Poll(fds, 1); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	return nil
}

// start makes the next request.
func (l *cutLoad) start() error {
	if l.change != nil && l.changed == nil && l.rnd.IntN(50) == 0 {
		if err := l.changePolicy(); err != nil {
			return err
		}
	}
	j := l.idle[len(l.idle)-1]
	l.idle = l.idle[:len(l.idle)-1]
	j.kind, j.line = l.kind(), l.rnd.IntN(len(l.exports))
	request := powercut.Request{Kind: j.kind, Path: j.line}
	j.io.Op, j.io.Data, j.io.Regs = initiator.ATA, nil, aoe.ATA{}
	switch j.kind {
	case powercut.Write, powercut.Forced:
		request.First, request.Gens = l.fill(j)
	case powercut.Flush:
		j.io.Regs.Command = [...]uint8{ata.OpFlushCache, ata.OpFlushCacheExt}[l.rnd.IntN(2)]
	case powercut.CacheOff:
		j.io.Regs.Command, j.io.Regs.Feature = ata.OpSetFeatures, 0x82
	case powercut.CacheOn:
		j.io.Regs.Command, j.io.Regs.Feature = ata.OpSetFeatures, 0x02
	case powercut.Identify:
		j.io.Data, j.io.Regs = j.data[:aoe.SectorSize], aoe.ATA{Count: 1, Command: ata.OpIdentifyDevice}
	}
	j.id = l.log.Send(request)
	return l.exports[j.line].Engine().Submit(&j.io)
}

// kind chooses what to do next.
func (l *cutLoad) kind() powercut.Kind {
	switch n := l.rnd.IntN(200); {
	case n < 3 && !l.moving:
		l.moving = true
		return powercut.CacheOff
	case n < 6 && !l.moving:
		l.moving = true
		return powercut.CacheOn
	case n < 12:
		return powercut.Flush
	case n < 24:
		return powercut.Identify
	case n < 32:
		return powercut.Forced
	}
	return powercut.Write
}

// fill makes a write of j.
func (l *cutLoad) fill(j *cutJob) (first int, gens []uint32) {
	n := 1 + l.rnd.IntN(cutMost)
	if j.kind == powercut.Forced {
		n = min(n, l.exports[j.line].SectorsPerFrame) // one command is one frame
	}
	first = l.rnd.IntN(cutHot - n + 1)
	gens = make([]uint32, n)
	l.log.Next(first, gens)
	j.io.Data = j.data[:n*aoe.SectorSize]
	for i, gen := range gens {
		powercut.Stamp(j.io.Data[i*aoe.SectorSize:], first+i, gen)
	}
	if j.kind == powercut.Write {
		j.io.Op, j.io.LBA = initiator.Write, uint64(first)
	} else {
		j.io.Regs = aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Count: uint8(n), Command: ata.OpWriteDMAFUAExt, LBA: lbaBytes(uint64(first))}
	}
	return first, gens
}

// end takes the answer to a request.
func (l *cutLoad) end(j *cutJob) error {
	if j.io.Err != nil {
		return fmt.Errorf("a request of kind %d, number %d: %w", j.kind, j.id, j.io.Err)
	}
	volatile := false
	switch j.kind {
	case powercut.Identify:
		id, err := initiator.ParseIdentity(j.io.Data)
		if err != nil {
			return err
		}
		volatile = id.WriteCache
	case powercut.CacheOn, powercut.CacheOff:
		l.moving = false
	}
	l.answers++
	l.log.Answered(j.id, volatile)
	l.idle = append(l.idle, j)
	return nil
}

// changePolicy begins to change the policy of the export.
func (l *cutLoad) changePolicy() (err error) {
	kind, name := powercut.Volatile, [...]string{"writeback", "direct"}[l.rnd.IntN(2)]
	if l.rnd.IntN(2) == 0 {
		kind, name = powercut.Durable, "durable"
	}
	l.policy = l.log.Send(powercut.Request{Kind: kind, Path: -1})
	l.changed, err = l.change(name)
	return err
}
