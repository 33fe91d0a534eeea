package target

import (
	"time"

	"vbladefs/target/aoe"
)

// This file answers requests with wildcards. One small frame makes a reply for
// every export: of ten thousand that is tens of milliseconds of work, in which the
// link would overflow with what others want. So a worker makes so many replies
// in a turn, and goes on with the rest in the next.
//
//	frame ─▶ answered at once, as far as this turn may
//	  └────▶ waiting ─each turn─▶ the next exports

const (
	wildcardsATurn   = 128   // requests made of wildcards in a turn
	wildcardsASecond = 65536 // and in a second on the average
	wildcardsAtOnce  = 65536 // and after a rest, for all that come up at the same time

	mostWildcards     = 32 // that wait; more are ignored
	mostWildcardsEach = 2  // of one host

	wildcardBytes = 2048 // kept of the frame of one: more than any that is answered has
)

// wildcards are the requests with wildcards that a worker has not answered in full.
type wildcards struct {
	made   int // requests, in this turn
	budget wildcardBudget

	waiting [mostWildcards]wildcard // a ring
	first   int
	count   int
	memory  []byte // their frames
}

// wildcard is a request with a wildcard that waits.
type wildcard struct {
	frame []byte
	from  uint32 // the address to go on with, see addrNumber
}

// wildcardBudget bounds what a worker makes of wildcards.
type wildcardBudget struct {
	left int   // requests; less than none when the last wildcard made more
	then int64 // when that was, by the clock of the worker
}

func newWildcards() wildcards {
	return wildcards{budget: wildcardBudget{left: wildcardsAtOnce}, memory: make([]byte, mostWildcards*wildcardBytes)}
}

// allows reports whether at a moment there is anything left.
func (b *wildcardBudget) allows(now int64) bool {
	const perRequest = int64(time.Second) / wildcardsASecond
	if more := (now - b.then) / perRequest; more > 0 {
		b.left = int(min(int64(b.left)+more, wildcardsAtOnce))
		b.then += more * perRequest
	}
	return b.left > 0
}

// wildcard serves a request with a wildcard, or has it wait. It is false if that is
// to be ignored.
func (w *worker) wildcard(t *table, h aoe.Header, frame []byte) bool {
	q := &w.wildcards
	if q.count > 0 || q.made >= wildcardsATurn {
		return q.add(h.Src, frame)
	}
	if !q.budget.allows(w.now()) {
		return false
	}
	if from, done := w.eachOf(t, h, frame, 0); !done && q.add(h.Src, frame) {
		q.waiting[q.first].from = from
	}
	return true
}

// goOn makes the next requests of the wildcards that wait, and reports whether
// there were any.
func (w *worker) goOn() bool {
	q := &w.wildcards
	if q.count == 0 {
		return false
	}
	t := w.netif.table.Load()
	for q.count > 0 && q.made < wildcardsATurn {
		next := &q.waiting[q.first]
		h, _ := aoe.DecodeHeader(next.frame)
		from, done := uint32(0), true
		if next.from > 0 || q.budget.allows(w.now()) {
			from, done = w.eachOf(t, h, next.frame, next.from)
		} else {
			w.netif.ignored.Add(1)
		}
		if next.from = from; done {
			q.first, q.count = (q.first+1)%mostWildcards, q.count-1
		}
	}
	w.endRun()
	return true
}

// eachOf makes the requests of a wildcard, from an address on, as far as this turn
// may. Unless it is done it returns the address to go on with.
func (w *worker) eachOf(t *table, h aoe.Header, frame []byte, from uint32) (next uint32, done bool) {
	q := &w.wildcards
	before := q.made
	done = t.matching(h.Addr, from, func(p *port) bool {
		if q.made >= wildcardsATurn {
			next = addrNumber(p.addr)
			return false
		}
		q.made++
		w.request(p, h, frame)
		return true
	})
	if q.budget.left -= q.made - before; from == 0 && q.made > before {
		w.netif.wildcards.Add(1)
	}
	return next, done
}

// add has a request of a host wait, unless too many do.
func (q *wildcards) add(host aoe.MAC, frame []byte) bool {
	if q.count == mostWildcards {
		return false
	}
	same := 0
	for i := range q.count {
		if aoe.MAC(q.waiting[(q.first+i)%mostWildcards].frame[6:12]) == host {
			same++
		}
	}
	if same >= mostWildcardsEach {
		return false
	}
	last := (q.first + q.count) % mostWildcards
	start := last * wildcardBytes
	room := q.memory[start : start+wildcardBytes : start+wildcardBytes]
	q.waiting[last] = wildcard{frame: room[:copy(room, frame)]}
	q.count++
	return true
}
