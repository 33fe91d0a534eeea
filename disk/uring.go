package disk

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// UringQueue is a Queue that carries what goes to the device itself (policy Direct) through an io_uring, and hands the
// rest to a SyncQueue:
//
//	Submit ─┬─ O_DIRECT ──────────▶ ring ────────┬─▶ Reap
//	        │       would wait: ┌────┘           │
//	        └─ all else ────────┴─▶ SyncQueue ───┘
//
// Every request in the ring is RWF_NOWAIT: the kernel starts it without waiting for anything, or refuses it (EAGAIN: no
// free request of a busy device, blocks to allocate, dirty pages to write first). Otherwise a busy or dead device would
// make io_uring_enter wait, and its owner with it, or take the kernel's worker threads (io-wq), which know no fairness
// between stores: they are few, and writes to the page cache hold up those to other files that share a hash bucket. All
// that waits is with the SyncQueue instead, which lets no store hold up another. Flush would be an io-wq thread anyway,
// and for reads of what is not in the page cache those threads were measured to be no faster than goroutines.
//
// Requests go to the kernel when the owner calls Reap or Wait, or when the ring is full, all with one system call, and
// neighbours on a store as one: see uringmerge.go. Reap makes none when nothing was submitted and nothing is complete.
//
// The first request for the ring binds the calling goroutine to its thread (runtime.LockOSThread) until Close, since the
// kernel takes requests from one thread only.
type UringQueue struct {
	slow     *SyncQueue
	ring     *ring
	slots    []slot
	batch    batch
	done     int32  // first slot of a completed request whose members are not all reaped, none: there is no such
	doneErr  error  // its result
	buffers  []byte // registered; nil: none
	free     int32  // first free slot
	inFlight int    // slots in use
	slowNext bool   // the next Reap begins with slow, so that neither starves the other
	thread   int    // that the ring is bound to; 0: none yet
	closed   bool

	carried uint64 // requests that the ring finished
	handed  uint64 // requests that the ring would not take
	joined  uint64 // requests that became part of another

	mergeMembers int32 // most members of a request
}

var _ Queue = (*UringQueue)(nil)

// slot is one request in the ring. Its index is the kernel's name for it.
type slot struct {
	store  *Store
	data   []byte // kept reachable
	offset int64
	token  uint64
	next   int32 // free slot after this one
	op     Op

	member int32 // next member of the same merged request
	// Of heads:
	last    int32  // member
	members int32  // count, itself included
	entry   uint32 // submission
	end     int64  // offset behind the last member
}

// NewUring returns a queue, or why there is none: io_uring may be switched off or be too old. Any goroutine may call it.
func NewUring() (*UringQueue, error) {
	return newUring(ringEntries, ringInFlight, ioUringSetup)
}

func newUring(entries, inFlight uint32, setup func(uint32, *ringParams) (int, unix.Errno)) (*UringQueue, error) {
	r, err := newRing(entries, inFlight, setup)
	if err != nil {
		return nil, fmt.Errorf("disk queue: %w", err)
	}
	slow, err := NewSync()
	if err != nil {
		r.close()
		return nil, err
	}
	if errno := registerRingEventfd(r.fd, slow.signal); errno != 0 {
		slow.Close()
		r.close()
		return nil, fmt.Errorf("disk queue: io_uring eventfd: %w", errno)
	}
	r.signal(false)
	q := &UringQueue{slow: slow, ring: r, slots: make([]slot, inFlight), done: none, mergeMembers: mergeMembers}
	q.batch.merged, q.batch.iovecs = make([]int32, 0, inFlight), make([]unix.Iovec, 0, inFlight)
	for i := range q.slots {
		q.slots[i].next = int32(i) + 1
	}
	q.slots[inFlight-1].next = none
	return q, nil
}

// RegisterBuffers tells the kernel of the memory that most data will be in, which saves it from looking up the pages of
// each request: a tenth of what a request costs. The memory is pinned until Close; it comes from AllocBuffers and is freed
// after Close only. It may be called once, before the first request, on any goroutine. If it fails, the queue works as it
// did without.
func (q *UringQueue) RegisterBuffers(memory []byte) error {
	if errno := registerRingBuffer(q.ring.fd, memory); errno != 0 {
		return fmt.Errorf("register %d bytes of buffers with io_uring: %w%s", len(memory), errno, lockRemedy(errno))
	}
	q.buffers = memory
	return nil
}

// Try implements Queue.
func (q *UringQueue) Try(s *Store, op Op, data []byte, offset int64) (done bool, err error) {
	return s.try(op, data, offset, &q.slow.ends)
}

// Submit implements Queue.
func (q *UringQueue) Submit(s *Store, op Op, data []byte, offset int64, token uint64) {
	if !q.start(s, op, data, offset, token) {
		q.slow.Submit(s, op, data, offset, token)
	}
}

// SubmitRange implements Queue.
func (q *UringQueue) SubmitRange(s *Store, op Op, offset, length int64, token uint64) {
	q.slow.SubmitRange(s, op, offset, length, token)
}

// Reap implements Queue.
func (q *UringQueue) Reap(tokens []uint64, errs []error) int {
	if q.inFlight == 0 {
		return q.slow.Reap(tokens, errs)
	}
	q.enter()
	limit := min(len(tokens), len(errs))
	tokens, errs = tokens[:limit], errs[:limit]
	n := 0
	if q.slowNext {
		n = q.slow.Reap(tokens, errs)
	}
	n += q.collect(tokens[n:], errs[n:])
	if !q.slowNext {
		n += q.slow.Reap(tokens[n:], errs[n:])
	}
	q.slowNext = !q.slowNext
	return n
}

// Wait implements Queue. The ring shares the eventfd of the SyncQueue, which it signals only during Wait.
func (q *UringQueue) Wait(fd int, timeout time.Duration) error {
	if q.inFlight == 0 {
		return q.slow.wait(fd, timeout)
	}
	q.enter()
	q.ring.signal(true)
	defer q.ring.signal(false)
	if q.done != none || q.ring.completed() { // looked at after signals are on: one that comes later is seen by the sleep
		return nil
	}
	return q.slow.wait(fd, timeout)
}

// Wake implements Queue.
func (q *UringQueue) Wake() { q.slow.Wake() }

// Close implements Queue. If the owner's thread has ended with requests in flight, it fails and releases nothing, as the
// kernel may still use their memory.
func (q *UringQueue) Close() error {
	if q.closed {
		return nil
	}
	var tokens [1]uint64
	var errs [1]error
	for q.inFlight > 0 {
		q.enter()
		if q.collect(tokens[:], errs[:]) > 0 || q.inFlight == 0 || q.ring.unsubmitted() > 0 { // again, after a merged one failed
			continue
		}
		if errno := q.ring.await(); errno != 0 {
			return fmt.Errorf("disk queue: %d requests are left in flight: %w: close it on the goroutine that used it", q.inFlight, errno)
		}
	}
	q.closed = true
	if q.thread == unix.Gettid() {
		runtime.UnlockOSThread()
	}
	err := q.ring.close() // before its eventfd
	if slowErr := q.slow.Close(); err == nil {
		err = slowErr
	}
	return err
}
