package target

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// order keeps overlapping requests of one device in arrival order, whatever
// their tag, initiator, interface or worker: a request that overlaps an earlier
// one, one of the two being a write, starts only when the earlier one has fully
// taken effect. The Linux initiator repeats writes under new tags within
// milliseconds; a late copy must not undo a newer write that was acknowledged.
//
// It holds what is in flight on the device, a few dozen spans in a row, so that
// a scan is cheaper than any cleverer index.
type order struct {
	mu      sync.Mutex
	spans   []span       // running and waiting, in no particular order; guarded by mu
	entered uint64       // requests so far; guarded by mu
	hurries atomic.Int32 // of those who wait for the device to have nothing in flight; see hurry

	few [4]span // what spans begins in, near the rest
}

// span is the sectors [first, end) that a request transfers, none for a flush.
type span struct {
	first, end uint64
	write      bool
	hold       bool   // what follows is held up, and r is no request to start
	number     uint64 // of arrival
	r          *request
}

func (r *request) span() span {
	switch r.op {
	case OpFlush: // covers what has completed: it waits for nothing
		return span{r: r}
	case opBarrier, OpDiscard: // its ranges may be anywhere
		return span{end: math.MaxUint64, write: true, r: r}
	case opHold:
		return span{end: math.MaxUint64, write: true, hold: true, r: r}
	}
	return span{first: r.lba, end: r.lba + uint64(r.sectors), write: r.op != OpRead, r: r}
}

func (s *span) conflicts(o *span) bool {
	return (s.write || o.write) && s.first < o.end && o.first < s.end
}

// enter takes r in, and reports whether it may start now. If not, a later
// leave hands it out.
func (o *order) enter(r *request) bool {
	s := r.span()
	r.blockers = 0
	o.mu.Lock()
	o.entered++
	s.number = o.entered
	for i := range o.spans {
		if s.conflicts(&o.spans[i]) {
			r.blockers++
		}
	}
	if o.spans == nil {
		o.spans = o.few[:0]
	}
	o.spans = append(o.spans, s)
	free := r.blockers == 0 // once unlocked, a leave may have handed r out already
	o.mu.Unlock()
	return free
}

// leave takes r, which has finished, out, and appends to ready the requests
// that may start now that it has.
func (o *order) leave(r *request, ready []*request) []*request {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := 0
	for o.spans[i].r != r {
		i++
	}
	gone, last := o.spans[i], len(o.spans)-1
	o.spans[i] = o.spans[last]
	o.spans[last] = span{}
	o.spans = o.spans[:last]
	// Whatever overlaps gone and arrived after it has counted it. What arrived
	// before has not: gone is a hold then, given up before it was over.
	for i := range o.spans {
		s := &o.spans[i]
		if s.r.blockers > 0 && s.number > gone.number && s.conflicts(&gone) {
			if s.r.blockers--; s.r.blockers == 0 && !s.hold {
				ready = append(ready, s.r)
			}
		}
	}
	return ready
}

// hurry has requests leave off what they need not do, until calm is called: somebody waits for them to end, and has little
// patience.
func (o *order) hurry() (calm func()) {
	o.hurries.Add(1)
	return func() { o.hurries.Add(-1) }
}

// opHold is no operation: order holds up all that arrives behind it.
const opHold = opBarrier + 1

// hold has all that arrives from now on wait until resume is called, and waits
// until what is in flight has left. It reports whether that came within grace;
// resume is to be called in any case.
func (o *order) hold(grace time.Duration) (resume func(), drained bool) {
	defer o.hurry()()
	h := &request{op: opHold}
	drained = o.enter(h)
	for end := time.Now().Add(grace); !drained && time.Now().Before(end); drained = o.startable(h) {
		time.Sleep(time.Millisecond)
	}
	return func() {
		for _, r := range o.leave(h, nil) {
			r.w.postReady(r)
		}
	}, drained
}

// startable reports whether nothing blocks r.
func (o *order) startable(r *request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return r.blockers == 0
}

// idle reports whether nothing is in flight on the device.
func (o *order) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.spans) == 0
}

// settle waits until all that is in flight now has left, and reports whether
// that came within grace.
func (o *order) settle(grace time.Duration) bool {
	defer o.hurry()()
	o.mu.Lock()
	last := o.entered
	o.mu.Unlock()
	for end := time.Now().Add(grace); o.holds(last); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// holds reports whether a request that entered no later than number last is
// still there.
func (o *order) holds(last uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.spans {
		if o.spans[i].number <= last {
			return true
		}
	}
	return false
}
