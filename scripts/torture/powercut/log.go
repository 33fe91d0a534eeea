// Package powercut is the model of what a loss of power leaves on a disk, and of
// what a client may find there:
//
//	client ─ Send, Answered ─┐
//	                         ├─▶ Log ─▶ Check ─▶ Result
//	disk ── Begin, End ──────┘
//
// A Log has what the client asked and was told and what reached the disk, in one
// order. Check replays it: after every event the power may fail. The disk has a
// volatile cache without order. What a flush covered that has ended is there;
// of everything else each sector may be there or not, whatever became of the others,
// those of the same write among them. So a loss leaves, sector by sector and
// independently, any of a set of versions, and checking that the client's rules
// allow each version of each set checks every subset, torn writes included.
//
// It does no I/O, and knows nothing of the target.
package powercut

import (
	"slices"
	"sync"
)

// Kind is what a client asks for.
type Kind uint8

// The kinds. A policy is a change at the target, not by ATA.
const (
	Write    Kind = iota // sectors
	Forced               // sectors, durable when answered: FUA
	Flush                // all that was answered before it was sent becomes durable
	CacheOff             // SET FEATURES 0x82: so does all that was answered before the answer, and will until CacheOn
	CacheOn              // SET FEATURES 0x02
	Identify             // whether there is a volatile cache
	Durable              // the export's policy becomes durable, as CacheOff
	Volatile             // it becomes another
	kinds
)

var kindNames = [kinds]string{"a write", "a forced write", "a flush", "cache off", "cache on", "IDENTIFY", "policy durable", "another policy"}

// Request is one that a client makes. Requests of one path take effect in the
// order in which they are sent; those of different paths in any, while they overlap in time.
type Request struct {
	Kind  Kind
	Path  int
	First int      // sector, of Write and Forced
	Gens  []uint32 // generation of each sector: 1, 2, 3 … as Log.Next gives them
}

// eventKind is what happens in a Log.
type eventKind uint8

const (
	asked    eventKind = iota // of requests
	answered                  // of requests; ends
	begun                     // of disk operations
	ended
)

// event is one thing that happened to the request or disk operation of that index.
type event struct {
	kind eventKind
	of   int
}

// request is a Request and its fate. Times are indices of events; never if not so.
type request struct {
	Request
	sent, done int
	volatile   bool // Identify: it told of a volatile cache
}

// operation is a write or flush that reached the disk.
type operation struct {
	flush bool
	sync  bool // a write that is durable when it has ended
	first int
	gens  []uint32

	begun, ended int
	failed       bool
}

const never = int(^uint(0) >> 1)

// Log is what happened, in order. It is for many goroutines, and checked once
// nothing happens any more.
type Log struct {
	mu         sync.Mutex
	events     []event
	requests   []request
	operations []operation
	next       []uint32 // generation by sector
}

// New makes the log of an export of so many sectors.
func New(sectors int) *Log { return &Log{next: make([]uint32, sectors)} }

// Next gives sectors their next generation.
func (l *Log) Next(first int, gens []uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range gens {
		l.next[first+i]++
		gens[i] = l.next[first+i]
	}
}

// Send notes that a request is about to be sent, and names it. Those of a path
// that write the same sector are sent in the order of their generations.
func (l *Log) Send(r Request) (id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Gens = slices.Clone(r.Gens)
	l.requests = append(l.requests, request{Request: r, sent: len(l.events), done: never})
	l.events = append(l.events, event{asked, len(l.requests) - 1})
	return len(l.requests) - 1
}

// Answered notes that a request has been answered, with success; volatile is what Identify told.
func (l *Log) Answered(id int, volatile bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests[id].done, l.requests[id].volatile = len(l.events), volatile
	l.events = append(l.events, event{answered, id})
}

// BeginWrite notes that sectors of these generations have come to the disk; sync
// is that it must not be answered before it is durable.
func (l *Log) BeginWrite(first int, gens []uint32, sync bool) (id int) {
	return l.begin(operation{first: first, gens: gens, sync: sync})
}

// BeginFlush notes that the disk was told to flush.
func (l *Log) BeginFlush() (id int) { return l.begin(operation{flush: true}) }

func (l *Log) begin(o operation) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.begun, o.ended = len(l.events), never
	l.operations = append(l.operations, o)
	l.events = append(l.events, event{begun, len(l.operations) - 1})
	return len(l.operations) - 1
}

// End notes that the disk is about to say that it is done.
func (l *Log) End(id int, failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.operations[id].ended, l.operations[id].failed = len(l.events), failed
	l.events = append(l.events, event{ended, id})
}

// Differs returns the first sector whose generation is not that of the last write
// that reached the disk; -1: none.
func (l *Log) Differs(gens []uint32) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := make([]uint32, len(l.next))
	for _, e := range l.events {
		if e.kind == ended {
			o := &l.operations[e.of]
			copy(last[o.first:], o.gens)
		}
	}
	for i := range last {
		if last[i] != gens[i] {
			return i
		}
	}
	return -1
}
