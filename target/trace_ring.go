package target

import (
	"slices"
	"sort"
	"sync"
	"time"
)

// A Trace has the last requests to one address, so many of them. Workers put them into
// a ring that is made when recording begins, under a lock that a reader holds for some
// dozens of copies at a time.
//
//	worker ─add─▶ ring ◀─Read─ any number of readers, each where it likes
//
// Whoever shows a Trace as a file needs places that stay while old requests leave: each
// request has a length, which the operation that began the recording says, and is at the
// sum of those before it, kept or not.

// Trace is a recording. Its methods may be called concurrently.
type Trace struct {
	length func(*TraceEvent) int

	mu      sync.Mutex
	ring    []recorded // that of number n is at n % len
	total   uint64     // requests since recording began
	changed time.Time  // when the last of them came
}

// recorded is a request in a ring.
type recorded struct {
	TraceEvent
	end int64 // its place in the file, and its length
}

// NewTrace has room for so many requests; length is that of SetTrace.
func NewTrace(requests int, length func(*TraceEvent) int) *Trace {
	return &Trace{length: length, ring: make([]recorded, requests), changed: time.Now()}
}

// room is how many requests tr has memory for.
func (tr *Trace) room() int {
	if tr == nil {
		return 0
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return len(tr.ring)
}

// shrink gives back the memory of what was never recorded. A request that was under way
// when recording ended may still come.
func (tr *Trace) shrink() {
	if tr == nil {
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.total < uint64(len(tr.ring)) {
		tr.ring = slices.Clone(tr.ring[:tr.total])
	}
}

// Add records a request. Workers call it: it allocates nothing.
func (tr *Trace) Add(e *TraceEvent) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.ring) == 0 {
		return // it was under way when recording ended
	}
	end := tr.size()
	r := tr.at(tr.total)
	r.TraceEvent = *e
	r.end = end + int64(tr.length(&r.TraceEvent)) // of what is in the ring: e need not leave the stack
	tr.total++
	tr.changed = e.At
}

// size is where the next request will be; mu is held.
func (tr *Trace) size() int64 {
	if tr.total == 0 {
		return 0
	}
	return tr.at(tr.total - 1).end
}

// at is request n, which is kept; mu is held.
func (tr *Trace) at(n uint64) *recorded { return &tr.ring[n%uint64(len(tr.ring))] }

// oldest is the number of the first request that is kept; mu is held.
func (tr *Trace) oldest() uint64 { return tr.total - min(tr.total, uint64(len(tr.ring))) }

// Stat says how many requests came since recording began, how long all of them are, and
// when the last came.
func (tr *Trace) Stat() (requests uint64, length int64, changed time.Time) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.total, tr.size(), tr.changed
}

// Find is the request that covers place, and where it begins: the oldest that is kept if
// that one is not, and one that is still to come if place is behind them all.
func (tr *Trace) Find(place int64) (request uint64, begins int64) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	first := tr.oldest()
	request = first + uint64(sort.Search(int(tr.total-first), func(i int) bool { return tr.at(first+uint64(i)).end > place }))
	if request == tr.total {
		return request, tr.size()
	}
	return request, tr.at(request).end - int64(tr.length(&tr.at(request).TraceEvent))
}

// Read copies requests from number next on, up to number limit, to events. lost is how
// many of these were not kept, before those that it copied.
func (tr *Trace) Read(next, limit uint64, events []TraceEvent) (n int, lost uint64) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if first := min(tr.oldest(), limit); first > next {
		next, lost = first, first-next
	}
	for ; n < len(events) && next < min(limit, tr.total); n++ {
		events[n] = tr.at(next).TraceEvent
		next++
	}
	return n, lost
}
