package main_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/aoe/initiator/ledger"
)

// verified is a load that knows what every sector may hold: reads and writes of
// random places of some exports, so many at a time, whose every answer is
// checked. What happens to the daemon meanwhile shows in its report.
type verified struct {
	t       *testing.T
	exports []*initiator.Export // of one engine
	books   []*ledger.Ledger
	jobs    []verifiedIO
	rng     *rand.Rand

	pace     atomic.Int64 // nanoseconds between one answer and what comes next
	stopping atomic.Bool
	quitting atomic.Bool // without reading back
	ended    chan struct{}
	done     atomic.Uint64 // requests answered so far

	// Read after stop.
	longest time.Duration // of a request, from its first frame to its last reply
	failed  []string      // requests that ended with an error
}

// verifiedIO is one of the requests that are in flight at a time.
type verifiedIO struct {
	initiator.IO
	floors []uint32
}

// verifiedSectors is the span of each export that is used, and the most of a request.
const (
	verifiedSectors = 512
	mostSectors     = 16
)

// loadOn starts a load from an interface of ns on the exports of these
// addresses, depth requests at a time.
func loadOn(t *testing.T, ns netiotest.Netns, netif string, depth int, addrs ...aoe.Addr) *verified {
	t.Helper()
	return loadOf(connect(t, ns, netif), depth, initiator.Options{Timeout: patience}, addrs...)
}

// loadOf is loadOn with a client and its options.
func loadOf(c *client, depth int, opt initiator.Options, addrs ...aoe.Addr) *verified {
	t := c.t
	t.Helper()
	opt.FindTimeout, opt.Window = patience, depth
	exports, err := c.OpenAll(addrs, opt)
	if err != nil {
		t.Fatal(err)
	}
	v := &verified{t: t, exports: exports, jobs: make([]verifiedIO, depth), ended: make(chan struct{}),
		rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	run := rand.Uint64()
	for _, x := range exports {
		v.books = append(v.books, ledger.New(ledger.Stamper{Run: run, Addr: x.Addr}, verifiedSectors))
	}
	go v.run()
	t.Cleanup(func() { v.quitting.Store(true); v.halt() })
	return v
}

// halt ends the load.
func (v *verified) halt() {
	v.stopping.Store(true)
	<-v.ended
}

// run keeps depth requests in flight until it is to stop, and reads everything back then.
func (v *verified) run() {
	defer close(v.ended)
	for i := range v.jobs {
		v.begin(i)
	}
	v.drive(func(i int) bool {
		time.Sleep(time.Duration(v.pace.Load()))
		v.begin(i)
		return !v.stopping.Load()
	})
	next := 0
	again := func(i int) bool {
		if next == len(v.exports)*verifiedSectors {
			return false
		}
		v.submit(i, initiator.Read, next/verifiedSectors, uint64(next%verifiedSectors), mostSectors)
		next += mostSectors
		return true
	}
	for i := range v.jobs {
		again(i)
	}
	v.drive(again)
}

// drive carries requests out, and has those that are done begin anew as long as
// again says so, until none is in flight.
func (v *verified) drive(again func(job int) bool) {
	e := v.exports[0].Engine()
	for going := true; !e.Idle() && !v.quitting.Load(); {
		err := e.Push()
		var done []*initiator.IO
		if err == nil {
			done, err = e.Poll()
		}
		if err != nil {
			v.failed = append(v.failed, err.Error())
			return
		}
		for _, io := range done {
			v.end(&v.jobs[io.User])
			if going {
				going = again(io.User)
			}
		}
		if len(done) == 0 {
			e.Wait(10 * time.Millisecond)
		}
	}
}

// begin has a job read or write somewhere.
func (v *verified) begin(job int) {
	sectors := 1 + v.rng.IntN(mostSectors)
	op := initiator.Read
	if v.rng.IntN(2) == 0 {
		op = initiator.Write
	}
	v.submit(job, op, v.rng.IntN(len(v.exports)), uint64(v.rng.IntN(verifiedSectors-sectors+1)), sectors)
}

func (v *verified) submit(job int, op initiator.Op, export int, lba uint64, sectors int) {
	j := &v.jobs[job]
	j.IO = initiator.IO{Op: op, Peer: export, LBA: lba, User: job, Data: make([]byte, sectors*aoe.SectorSize)}
	j.floors = make([]uint32, sectors)
	if op == initiator.Write {
		v.books[export].SendWrite(lba, j.Data)
	} else {
		v.books[export].SendRead(lba, j.floors)
	}
	if err := v.exports[0].Engine().Submit(&j.IO); err != nil {
		v.failed = append(v.failed, err.Error())
	}
}

// end checks the answer of a request.
func (v *verified) end(j *verifiedIO) {
	v.done.Add(1)
	v.longest = max(v.longest, j.Done-j.Sent)
	book := v.books[j.Peer]
	if j.Op == initiator.Write {
		book.Wrote(j.LBA, len(j.Data), j.Err == nil, false)
	}
	switch {
	case j.Err != nil:
		v.failed = append(v.failed, fmt.Sprintf("%v of %d sectors at %d: %v", j.Op, len(j.floors), j.LBA, j.Err))
	case j.Op == initiator.Read:
		book.DidRead(j.LBA, j.Data, j.floors)
	}
}

// goesOn waits until so many more requests have been answered.
func (v *verified) goesOn(more uint64) {
	v.t.Helper()
	v.reaches(v.done.Load() + more)
}

// reaches waits until so many requests have been answered in all.
func (v *verified) reaches(want uint64) {
	v.t.Helper()
	for end := time.Now().Add(2 * patience); v.done.Load() < want; time.Sleep(time.Millisecond) {
		select {
		case <-v.ended:
			v.t.Fatalf("the load has ended: %v", v.failed)
		default:
		}
		if time.Now().After(end) {
			v.t.Fatalf("the load hangs: %d of %d requests; %+v", v.done.Load(), want, *v.exports[0].Engine().Counters())
		}
	}
}

// lost is how many frames, or replies to them, never came: those that were sent
// again but for what was answered more than once, too late. The load has ended.
func (v *verified) lost() uint64 {
	e := v.exports[0].Engine()
	c := e.Counters()
	unanswered := func() uint64 { return c.Retransmits - min(c.Retransmits, c.Late+c.Duplicate) }
	for end := time.Now().Add(time.Second); unanswered() > 0 && time.Now().Before(end); e.Wait(10 * time.Millisecond) {
		if _, err := e.Poll(); err != nil {
			v.t.Error(err)
			break
		}
	}
	return unanswered()
}

// check ends the load, reads everything back, and fails the test if anything was
// ever wrong.
func (v *verified) check() {
	v.t.Helper()
	v.halt()
	var checked, bad uint64
	for n, book := range v.books {
		checked += book.Checked
		bad += book.BadTotal()
		for _, r := range book.Reports {
			v.t.Errorf("%v, sector %d: %s: want %s, found %s", v.exports[n].Addr, r.LBA, r.Kind, r.Expected, r.Found)
		}
	}
	for _, f := range v.failed[:min(len(v.failed), 10)] {
		v.t.Errorf("the client saw: %s", f)
	}
	c := v.exports[0].Engine().Counters()
	v.t.Logf("%d requests on %d exports, %d at a time: %d sectors checked, %d bad, %d errors; %d frames sent again, %d lost; longest request %v",
		v.done.Load(), len(v.exports), len(v.jobs), checked, bad, len(v.failed), c.Retransmits, v.lost(), v.longest.Round(10*time.Microsecond))
}
