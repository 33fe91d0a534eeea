package nbd

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// Queue carries the requests of one worker goroutine to stores. Only that goroutine may call it.
type Queue struct {
	wake func() // ends the owner's sleep

	// Owner only.
	free     *call // calls to use again
	lanes    map[*Store]*lane
	dirty    []*lane // with calls that were not pushed
	prune    int     // number of lanes at which those of closed stores are dropped
	inFlight int     // submitted, not reaped

	finishedCount atomic.Int32 // length of finished, to be seen without the lock
	sleeping      atomic.Bool  // the owner may be asleep: wake must be called

	mu       sync.Mutex
	more     sync.Cond // finished has grown
	finished list
}

// lane is what a queue has for a store, and has not pushed.
type lane struct {
	store *Store
	calls list
}

// NewQueue returns a queue that calls wake, on any goroutine, when something can be reaped while the owner sleeps.
func NewQueue(wake func()) *Queue {
	q := &Queue{wake: wake, lanes: make(map[*Store]*lane), prune: 64}
	q.more.L = &q.mu
	return q
}

// Submit takes a request over until Reap returns its token; data must stay unchanged and reachable until then. It goes to
// the server with the next Push, Reap or Sleep. Its result is nil, one of the errors of package disk, or an Errno: EAGAIN
// when no server was to be had for Patience.
func (q *Queue) Submit(s *Store, op disk.Op, data []byte, offset int64, token uint64) {
	q.submit(s, call{data: data, offset: offset, length: int64(len(data)), op: op, token: token}, false)
}

// SubmitRange is Submit of disk.Discard, disk.WriteZeroes or disk.Punch. The last two are one here: the server may leave a
// hole for zeros.
func (q *Queue) SubmitRange(s *Store, op disk.Op, offset, length int64, token uint64) {
	if op == disk.Punch {
		op = disk.WriteZeroes
	}
	q.submit(s, call{offset: offset, length: length, op: op, token: token}, true)
}

func (q *Queue) submit(s *Store, what call, ranged bool) {
	k := q.free
	if k == nil {
		k = new(call)
	} else {
		q.free = k.next
	}
	*k = what
	k.queue, k.store = q, s
	q.inFlight++
	refused, compound, err := s.plan(k, ranged)
	switch {
	case refused:
		k.err = err
		q.finish([]*call{k})
	case compound:
		s.compound.start(k)
	default:
		l := q.laneOf(s)
		if l.calls.length == 0 {
			q.dirty = append(q.dirty, l)
		}
		l.calls.push(k)
	}
}

// laneOf finds the lane of a store. Lanes of closed stores are dropped now and then, when new ones are made.
func (q *Queue) laneOf(s *Store) *lane {
	if l := q.lanes[s]; l != nil {
		return l
	}
	if len(q.lanes) >= q.prune {
		for old := range q.lanes {
			if old.closed.Load() {
				delete(q.lanes, old)
			}
		}
		q.prune = max(64, 2*len(q.lanes))
	}
	l := &lane{store: s}
	q.lanes[s] = l
	return l
}

// Push sends what was submitted.
func (q *Queue) Push() {
	if len(q.dirty) == 0 {
		return
	}
	now := clock()
	for i, l := range q.dirty {
		for k := l.calls.first; k != nil; k = k.next {
			k.born = now
		}
		l.store.submit(&l.calls)
		q.dirty[i] = nil
	}
	q.dirty = q.dirty[:0]
}

// Idle reports whether nothing is to be pushed or reaped, now or later.
func (q *Queue) Idle() bool { return q.inFlight == 0 }

// Reap stores the tokens and results of finished requests, at most as many as the shorter slice holds, and returns how
// many. It never blocks.
func (q *Queue) Reap(tokens []uint64, errs []error) int {
	q.Push()
	limit := min(len(tokens), len(errs), int(q.finishedCount.Load()))
	if limit == 0 {
		return 0
	}
	q.mu.Lock()
	n := 0
	var taken list
	for ; n < limit; n++ {
		taken.push(q.finished.pop())
	}
	q.finishedCount.Add(-int32(n))
	q.mu.Unlock()
	for i := range n {
		k := taken.pop()
		tokens[i], errs[i] = k.token, k.err
		*k = call{next: q.free} // lets go of the data
		q.free = k
	}
	q.inFlight -= n
	return n
}

// Sleep is called before the owner sleeps, and reports whether it must not, as something can be reaped. Awake is called
// after it slept.
func (q *Queue) Sleep() (no bool) {
	q.Push()
	q.sleeping.Store(true)
	if q.finishedCount.Load() > 0 {
		q.sleeping.Store(false)
		return true
	}
	return false
}

// Awake ends what Sleep began.
func (q *Queue) Awake() { q.sleeping.Store(false) }

// Close waits for what was submitted, and drops results that were not reaped.
func (q *Queue) Close() {
	q.Push()
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.finished.length < q.inFlight {
		q.more.Wait()
	}
	q.finished, q.inFlight = list{}, 0
	q.finishedCount.Store(0)
}

// finish hands calls back to the owner. Any goroutine may call it.
func (q *Queue) finish(ended []*call) {
	q.mu.Lock()
	for _, k := range ended {
		q.finished.push(k)
	}
	q.finishedCount.Add(int32(len(ended)))
	q.more.Signal()
	q.mu.Unlock()
	if q.sleeping.Load() && q.sleeping.Swap(false) {
		q.wake()
	}
}

// plan says what becomes of a request: it is refused, or carried out at once, with that result; or it takes more than one
// command; or it is made one command.
func (s *Store) plan(k *call, ranged bool) (refused, compound bool, err error) {
	e := s.export.Load()
	switch {
	case k.op > disk.WriteZeroes || (k.op >= disk.Discard) != ranged:
		return true, false, unix.EINVAL
	case s.closed.Load():
		return true, false, disk.ErrClosed
	case k.op == disk.Flush:
		k.data, k.offset, k.length = nil, 0, 0
		return s.ReadOnly() || !e.has(flagFlush), false, nil
	case k.op != disk.Read && s.ReadOnly():
		return true, false, unix.EROFS
	case k.offset < 0 || k.length < 0 || k.length > s.SizeBytes()-k.offset:
		if k.op == disk.Read && k.offset >= 0 {
			return true, false, disk.ErrShort
		}
		return true, false, disk.ErrRange
	case k.length == 0:
		return true, false, nil
	}
	if k.op == disk.WriteDurable || k.op != disk.Read && s.Policy() == disk.Durable {
		k.durable = e.has(flagFUA) || e.has(flagFlush) // of a server that has neither, all writes are (proto.md, "Ordering of messages and writes")
	}
	if k.op == disk.WriteDurable {
		k.op = disk.Write
	}
	return false, !e.takes(k.op, k.offset, k.length, k.durable), nil
}

// Patience is how long a request waits for a server before it fails with EAGAIN. Initiators repeat what is not answered, for
// minutes; what they have given up must not be written any more.
const Patience = 10 * time.Second
