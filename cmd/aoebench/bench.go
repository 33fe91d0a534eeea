package main

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"vbladefs/cmd/internal/bytesize"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/aoe/initiator/ledger"
)

// bench runs the phases of a run over exports: prepare, the measured load, and
// reading back. Each is the same loop with another source of I/Os:
//
//	source ─▶ start ─▶ Engine.Push ─▶ target ─▶ Engine.Poll ─▶ end ─▶ measure, ledger
//
// The loop owns its processor: it never sleeps, unless --sleep has it so.
type bench struct {
	o       *options
	exports []*initiator.Export // of one engine
	engine  *initiator.Engine
	ledger  *ledger.Ledger // nil without --verify
	blocks  uint64         // of each export
	jobs    []job
	idle    []int // jobs without an I/O
	m       measure
	link    initiator.Link
	before  tally // at the two ends of the measured time
	after   tally
	cpuErr  error
	stop    *atomic.Bool // set by a signal
	written []bool       // blocks, with a ledger
	tell    func(phase string, b *bench)

	now      time.Duration // the engine's, of the last turn
	spun     time.Duration // time in turns that found nothing to do
	nextTell time.Duration
}

// job is one I/O of the depth.
type job struct {
	io initiator.IO
	place
	busy   bool
	due    time.Duration // when --rate wanted it, or -1
	floors []uint32      // of its sectors, for a read
}

// place is where an I/O goes: a block of an export.
type place struct {
	export int
	block  uint64
}

// source gives the next I/O. There is none for now (wait), or none at all any
// more (end).
type source func(now time.Duration) (to place, write bool, due time.Duration, state sourceState)

type sourceState uint8

const (
	sourceReady sourceState = iota
	sourceWait
	sourceEnd
)

func newBench(o *options, exports []*initiator.Export, link initiator.Link) (*bench, error) {
	x := exports[0]
	span := uint64(x.Size())
	for _, other := range exports {
		span = min(span, uint64(other.Size()))
	}
	if o.span > 0 {
		if uint64(o.span) > span {
			return nil, fmt.Errorf("%w: --size %v: there are only %s", errUsage, &o.span, bytesize.Format(int64(span)))
		}
		span = uint64(o.span)
	}
	b := &bench{o: o, exports: exports, engine: x.Engine(), link: link, blocks: span / uint64(o.block), stop: new(atomic.Bool)}
	if b.blocks == 0 {
		return nil, fmt.Errorf("%w: --bs %v is larger than the %s to use", errUsage, &o.block, bytesize.Format(int64(span)))
	}
	if o.verify {
		sectors := b.blocks * uint64(o.block) / aoe.SectorSize
		if sectors > maxLedger/ledger.StateBytes {
			return nil, fmt.Errorf("%w: --verify of %s would take %s of memory: give a smaller --size", errUsage,
				bytesize.Format(int64(span)), bytesize.Format(int64(sectors*ledger.StateBytes)))
		}
		b.ledger = ledger.New(ledger.Stamper{Run: rand.Uint64(), Seed: o.seed, Addr: x.Addr}, sectors)
		b.written = make([]bool, b.blocks)
	}
	b.makeJobs()
	return b, nil
}

// maxLedger is the most memory for sector states: enough for 100 GiB.
const maxLedger = 4 << 30

func (b *bench) makeJobs() {
	bs := int(b.o.block)
	b.jobs = make([]job, b.o.depth)
	fill := rand.NewChaCha8([32]byte{byte(b.o.seed)})
	for i := range b.jobs {
		j := &b.jobs[i]
		j.io.User, j.io.Data = i, make([]byte, bs)
		fill.Read(j.io.Data) // what is written without --verify: nothing that a store could compress away
		if b.ledger != nil {
			j.floors = make([]uint32, bs/aoe.SectorSize)
		}
		b.idle = append(b.idle, i)
	}
}

// run drives I/Os from next until it ends and all of them are done.
func (b *bench) run(phase string, next source) error {
	for ended := false; ; {
		started := 0
		for !ended && len(b.idle) > 0 {
			to, write, due, state := next(b.now)
			if state != sourceReady {
				ended = state == sourceEnd
				break
			}
			if err := b.start(to, write, due); err != nil {
				return err
			}
			started++
		}
		if ended && len(b.idle) == len(b.jobs) {
			return nil
		}
		done, err := b.turn()
		if err != nil {
			return err
		}
		for _, io := range done {
			b.end(io)
		}
		b.account(phase, started+len(done))
		if b.o.sleep && len(done) == 0 {
			b.engine.Wait(sleepMost)
		}
	}
}

// sleepMost is the longest sleep, so that the end of the runtime, an I/O that is
// due and a signal are seen in time.
const sleepMost = time.Millisecond

func (b *bench) turn() ([]*initiator.IO, error) {
	if err := b.engine.Push(); err != nil {
		return nil, err
	}
	return b.engine.Poll()
}

// account moves the clock on, and shows the progress once a second.
func (b *bench) account(phase string, work int) {
	now := b.engine.Now()
	if work == 0 {
		b.spun += now - b.now
	}
	b.now = now
	if b.tell != nil && now >= b.nextTell {
		b.nextTell = now + time.Second
		b.tell(phase, b)
	}
}

func (b *bench) start(to place, write bool, due time.Duration) error {
	n := len(b.idle) - 1
	i := b.idle[n]
	b.idle = b.idle[:n]
	j := &b.jobs[i]
	j.place, j.busy, j.due = to, true, due
	j.io.Peer = to.export
	j.io.LBA = to.block * uint64(b.o.block) / aoe.SectorSize
	j.io.Op = initiator.Read
	if write {
		j.io.Op = initiator.Write
	}
	if b.ledger != nil && write {
		b.ledger.SendWrite(j.io.LBA, j.io.Data)
		b.written[to.block] = true
	} else if b.ledger != nil {
		b.ledger.SendRead(j.io.LBA, j.floors)
	}
	return b.engine.Submit(&j.io)
}

// end checks and measures an I/O that is done.
func (b *bench) end(io *initiator.IO) {
	j := &b.jobs[io.User]
	write := io.Op == initiator.Write
	if b.ledger != nil && write {
		b.ledger.Wrote(io.LBA, len(io.Data), io.Err == nil, b.engine.Counters().Retransmits == 0)
	} else if b.ledger != nil && io.Err == nil {
		b.ledger.DidRead(io.LBA, io.Data, j.floors)
	}
	from := io.Sent
	if j.due >= 0 {
		from = j.due
	}
	b.m.add(write, io.Err, io.Done-from, io.Done)
	j.busy = false
	b.idle = append(b.idle, io.User)
}

// conflicts reports whether a block may not be used now, since one of the I/Os
// on it would be a write.
func (b *bench) conflicts(to place, write bool) bool {
	if b.o.overlap || len(b.idle) == len(b.jobs) {
		return false
	}
	for i := range b.jobs {
		if j := &b.jobs[i]; j.place == to && j.busy && (write || j.io.Op == initiator.Write) {
			return true
		}
	}
	return false
}
