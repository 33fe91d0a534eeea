package disk

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// storeDepth is how many requests of one store are carried out at a time on one queue.
	storeDepth = 16
	// crowded is the number of requests being carried out from which on a store gets only one at a time, so that
	// several dead disks together cannot take what the living need.
	crowded = 256
	// queueGoroutines is the most one queue has; each may be a thread blocked in a system call.
	queueGoroutines = 1024
	// processGoroutines is the most all queues have together, beyond a few each: the Go runtime ends the process at
	// 10000 threads (runtime/debug.SetMaxThreads), and each interface takes one for its worker besides.
	processGoroutines = 6000
	// ownGoroutines is what each queue may have even then.
	ownGoroutines = 8
)

// goroutines counts those of all queues.
var goroutines atomic.Int32

// SyncQueue is a Queue that carries out submitted requests with blocking system calls on goroutines of its own. Their
// number grows with the need; idle ones are kept until Close. At most storeDepth requests of one store are carried out
// at a time, and the rest wait in the store's own FIFO, so that a store that hangs holds up no other. Flushes of a store
// share one, see syncflush.go, and those of all queues do, see syncs.go.
//
//	Submit ─▶ lane (of a store) ─▶ ready ─▶ goroutine ─▶ finished ─▶ Reap
type SyncQueue struct {
	// Owner only.
	free   *request         // requests to use again
	lanes  map[*Store]*lane // one for each store in use
	prune  int              // number of lanes at which those of closed stores are dropped
	poll   [2]unix.PollFd   // Wait's argument
	left   unix.Timespec    // Wait's other argument
	signal int              // eventfd
	count  [8]byte          // what is read from it
	ends   ends

	finishedCount atomic.Int32 // length of finished, for Reap and Wait to see without the lock

	mu       sync.Mutex
	work     sync.Cond // ready has grown, or closed
	ready    fifo      // admitted, waiting for a goroutine
	finished fifo
	running  int // requests in ready or on a goroutine
	idle     int // goroutines that will look at ready before they do anything else
	alive    int // goroutines
	closed   bool
	sleeping bool // the owner may be in poll: signal must be written
	woken    bool // Wake was called since the last Wait

	ended sync.WaitGroup
}

var _ Queue = (*SyncQueue)(nil)

// request is one submitted request. It is in one list at a time.
type request struct {
	next   *request
	store  *Store
	lane   *lane
	data   []byte
	offset int64
	length int64 // of a range
	token  uint64
	err    error
	op     Op
	ranged bool // without data
}

// flushes reports whether the request shares with others of its kind, see syncflush.go.
func (r *request) flushes() bool { return r.op == Flush && !r.ranged }

// lane is what a queue keeps of a store: guarded by the queue's mu.
type lane struct {
	running int  // requests in ready or on a goroutine
	waiting fifo // requests beyond the limit
	flushes flushes
}

// NewSync returns a queue. It fails when the process has no descriptor left for it.
func NewSync() (*SyncQueue, error) {
	signal, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("disk queue: eventfd: %w: raise the limit of open files", err)
	}
	q := &SyncQueue{lanes: make(map[*Store]*lane), prune: 64, signal: signal}
	q.work.L = &q.mu
	return q, nil
}

// Try implements Queue.
func (q *SyncQueue) Try(s *Store, op Op, data []byte, offset int64) (done bool, err error) {
	return s.try(op, data, offset, &q.ends)
}

// Submit implements Queue.
func (q *SyncQueue) Submit(s *Store, op Op, data []byte, offset int64, token uint64) {
	q.submit(request{store: s, data: data, offset: offset, token: token, op: op})
}

// SubmitRange implements Queue.
func (q *SyncQueue) SubmitRange(s *Store, op Op, offset, length int64, token uint64) {
	q.submit(request{store: s, offset: offset, length: length, token: token, op: op, ranged: true})
}

func (q *SyncQueue) submit(what request) {
	r := q.free
	if r == nil {
		r = new(request)
	} else {
		q.free = r.next
	}
	l := q.laneOf(what.store)
	*r = what
	r.lane = l
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		r.err = ErrClosed
		q.handBackLocked(r)
	case r.flushes() && l.flushes.addLocked(r):
	case l.waiting.length > 0 || l.running >= q.depthLocked(): // none overtakes those that wait
		l.waiting.push(r)
	default:
		q.admitLocked(r)
		q.staffLocked()
	}
}

// laneOf finds the lane of a store. Lanes of closed stores are dropped now and then, when new ones are made.
func (q *SyncQueue) laneOf(s *Store) *lane {
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
	l := new(lane)
	q.lanes[s] = l
	return l
}

// Reap implements Queue.
func (q *SyncQueue) Reap(tokens []uint64, errs []error) int {
	q.ends.next()
	limit := min(len(tokens), len(errs))
	if q.finishedCount.Load() == 0 || limit == 0 {
		return 0
	}
	q.mu.Lock()
	taken := q.finished.take(limit)
	n := taken.length
	q.finishedCount.Add(-int32(n))
	q.mu.Unlock()
	for i := range n {
		r := taken.pop()
		tokens[i], errs[i] = r.token, r.err
		*r = request{next: q.free} // lets go of the data
		q.free = r
	}
	return n
}

// Wait implements Queue.
func (q *SyncQueue) Wait(fd int, timeout time.Duration) error {
	return q.wait(fd, timeout)
}

// Close implements Queue.
func (q *SyncQueue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	q.work.Broadcast()
	q.mu.Unlock()
	q.ended.Wait()
	q.mu.Lock() // Wake may be using the eventfd
	defer q.mu.Unlock()
	q.finished = fifo{}
	q.finishedCount.Store(0)
	signal := q.signal
	q.signal = -1
	if err := unix.Close(signal); err != nil {
		return fmt.Errorf("disk queue: close eventfd: %w", err)
	}
	return nil
}
