package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/aoe/initiator/ledger"
)

// load is a client that reads and writes one export, by all the paths there
// are, and checks every sector that it reads against its ledger.
//
// A sector is left alone after a write while a copy of that may still be under
// way: what the network delivers after a newer write is beyond any target.
type load struct {
	paths   []*path
	exports []*initiator.Export // by path
	ledger  *ledger.Ledger
	rnd     *rand.Rand
	began   time.Time
	free    []time.Duration // by sector: from when on it may be written
	alone   time.Duration   // how long a sector is left alone
	repeats bool            // the wires repeat frames
	refusal bool            // they damage frames, so that requests may be refused

	jobs   []job
	idle   []*job
	recent [64]uint64    // where was written lately
	ended  atomic.Uint64 // requests; others may read it
	result
}

// result is what a load has done.
type result struct {
	reads, writes uint64
	refused       uint64 // requests that were made again, since damage made errors of them
	resent        uint64 // frames
	errors        []string
	failed        uint64
	stall         time.Duration // the longest that a request took
	slowest       string        // when its copies went out, if it took longer than slowStall
}

// job is one request of the depth.
type job struct {
	io      initiator.IO
	path    int
	began   time.Duration // by the engine's clock
	resent  uint64        // of the path's engine, then
	refused int
	data    []byte
	floors  []uint32
}

const (
	mostSectors = 24
	depth       = 24
	never       = time.Duration(1<<63 - 1)
)

// The client's timers: Linux's own, but for its first timeout of 16.5 s; and with
// the same tags a timeout that is shorter than the wires hold frames.
var firstRTO = map[initiator.Retransmit]time.Duration{initiator.RetransmitLinux: 100 * time.Millisecond, initiator.RetransmitSame: 40 * time.Millisecond}

// mostRTO bounds the timeout with the same tags: doubled without end, eight copies
// that were lost while the machine was busy would make a stall of 10 s.
const mostRTO = time.Second

// giveUp is when a request has failed: aoe_deadsecs of the Linux client.
const giveUp = 180 * time.Second

// netWait is how long a frame may wait in the rings between the client and a
// worker of the target: netio drops those that have waited longer than 2 s, and
// there are those of the wire and of the target.
const netWait = 2*2*time.Second + 500*time.Millisecond

func newLoad(paths []*path, client initiator.Retransmit, seed uint64, hold time.Duration) (*load, error) {
	l := &load{paths: paths, rnd: rand.New(rand.NewPCG(seed, 77)), began: time.Now(), alone: hold + netWait}
	for _, p := range paths {
		i, err := initiator.New(p.link, p.local)
		if err != nil {
			return nil, err
		}
		x, err := i.Open(trialAddr, initiator.Options{Retransmit: client, FirstRTO: firstRTO[client], MostRTO: mostRTO, Timeout: giveUp, FindTimeout: patience})
		if err != nil {
			return nil, err
		}
		l.exports = append(l.exports, x)
	}
	sectors := uint64(l.exports[0].Size() / aoe.SectorSize)
	if sectors < 2*mostSectors {
		return nil, fmt.Errorf("export %v of %d sectors: want at least %d", trialAddr, sectors, 2*mostSectors)
	}
	l.ledger = ledger.New(ledger.Stamper{Run: rand.Uint64(), Seed: seed, Addr: trialAddr}, sectors)
	l.free = make([]time.Duration, sectors)
	l.jobs = make([]job, depth)
	for i := range l.jobs {
		j := &l.jobs[i]
		j.io.Copies = make([]time.Duration, 0, 64)
		j.data, j.floors, j.io.User = make([]byte, mostSectors*aoe.SectorSize), make([]uint32, mostSectors), i
		l.idle = append(l.idle, j)
	}
	return l, nil
}

// run keeps the depth until the time is up, and then waits for what is left.
func (l *load) run(until func() bool) error {
	for ended := false; !ended || len(l.idle) < len(l.jobs); {
		ended = ended || until()
		for !ended && len(l.idle) > 0 {
			j := l.idle[len(l.idle)-1]
			l.idle = l.idle[:len(l.idle)-1]
			if err := l.start(j); err != nil {
				return err
			}
		}
		worked, err := l.turn()
		if err != nil {
			return err
		}
		if !worked {
			l.wait()
		}
	}
	return nil
}

// turn has every engine send what is due and takes in what has come.
func (l *load) turn() (worked bool, err error) {
	for _, x := range l.exports {
		if err := x.Engine().Push(); err != nil {
			return false, err
		}
		done, err := x.Engine().Poll()
		if err != nil {
			return false, err
		}
		for _, io := range done {
			worked = true
			if err := l.end(&l.jobs[io.User]); err != nil {
				return false, err
			}
		}
	}
	return worked, nil
}

// wait sleeps until a frame comes, or for a moment.
func (l *load) wait() {
	fds := make([]unix.PollFd, len(l.paths))
	for i, p := range l.paths {
		fds[i] = unix.PollFd{Fd: int32(p.link.FD()), Events: unix.POLLIN}
	}
	if _, err := unix.Poll(fds, 1); err != nil && !errors.Is(err, unix.EINTR) {
		time.Sleep(time.Millisecond)
	}
}

// start makes a request of j.
func (l *load) start(j *job) error {
	n := 1 + l.rnd.IntN(8)
	if l.rnd.IntN(4) == 0 {
		n = 1 + l.rnd.IntN(mostSectors)
	}
	lba := l.rnd.Uint64N(uint64(len(l.free)) - uint64(n) + 1)
	j.io.Op = initiator.Read
	if l.rnd.IntN(2) == 0 && l.writable(lba, n) {
		j.io.Op = initiator.Write
	} else if l.rnd.IntN(2) == 0 {
		lba = min(l.recent[l.rnd.IntN(len(l.recent))], uint64(len(l.free)-n))
	}
	j.io.LBA, j.io.Data = lba, j.data[:n*aoe.SectorSize]
	if j.io.Op == initiator.Write {
		l.ledger.SendWrite(lba, j.io.Data)
		l.setFree(lba, n, never)
		l.recent[l.rnd.IntN(len(l.recent))] = lba
	} else {
		l.ledger.SendRead(lba, j.floors[:n])
	}
	j.path, j.refused = l.rnd.IntN(len(l.exports)), 0
	e := l.exports[j.path].Engine()
	j.io.Copies = j.io.Copies[:0]
	j.began, j.resent = e.Now(), e.Counters().Retransmits
	return e.Submit(&j.io)
}

// writable reports whether no copy of a write to these sectors can be under way.
func (l *load) writable(lba uint64, n int) bool {
	now := time.Since(l.began)
	for _, from := range l.free[lba:][:n] {
		if from > now {
			return false
		}
	}
	return true
}

func (l *load) setFree(lba uint64, n int, from time.Duration) {
	for i := range l.free[lba:][:n] {
		l.free[lba+uint64(i)] = from
	}
}

// end takes the outcome of a request.
func (l *load) end(j *job) error {
	e := l.exports[j.path].Engine()
	err := j.io.Err
	if err != nil && l.refusal && !errors.Is(err, initiator.ErrTimeout) && j.refused < 1000 {
		j.refused++
		l.refused++
		return e.Submit(&j.io) // the same data: it is one write to the ledger
	}
	l.noteStall(j)
	l.ended.Add(1)
	n := len(j.io.Data) / aoe.SectorSize
	switch {
	case err != nil:
		l.fail(fmt.Sprintf("%v: %v", j.io.Op, err))
	case j.io.Op == initiator.Read:
		l.reads++
		l.ledger.DidRead(j.io.LBA, j.io.Data, j.floors[:n])
	default:
		l.writes++
		l.ledger.Wrote(j.io.LBA, len(j.io.Data), true, true) // no other write to them was under way
		from := time.Duration(0)
		if l.repeats || j.refused > 0 || e.Counters().Retransmits != j.resent {
			from = time.Since(l.began) + l.alone
		}
		l.setFree(j.io.LBA, n, from)
	}
	l.idle = append(l.idle, j)
	return nil
}

// fail notes an error that a client would see.
func (l *load) fail(what string) {
	if l.failed++; len(l.errors) < 10 {
		l.errors = append(l.errors, what)
	}
}
