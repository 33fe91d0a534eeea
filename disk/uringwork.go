package disk

import (
	"math"
	"runtime"

	"golang.org/x/sys/unix"
)

// start puts a request into the ring, and reports whether it belongs there and there was room.
func (q *UringQueue) start(s *Store, op Op, data []byte, offset int64, token uint64) bool {
	if q.closed || q.free == none || !q.belongs(s, op, data, offset) {
		return false
	}
	if q.thread == 0 && !q.bind() {
		return false
	}
	r := slot{store: s, data: data, offset: offset, token: token, op: op, member: none}
	if q.merge(r) {
		q.joined++
		return true
	}
	if q.ring.full() {
		if q.enter(); q.free == none || q.ring.full() {
			return false
		}
	}
	index := q.free
	r.last, r.members, r.entry, r.end = index, 1, q.ring.next(), offset+int64(len(data))
	q.take(r)
	q.push(index)
	q.batch.note(index)
	return true
}

// push submits the request in a slot, and no other member of it. The ring must not be full.
func (q *UringQueue) push(index int32) {
	r := &q.slots[index]
	e := sqe{opcode: q.opcode(r.op, r.data), fd: int32(r.store.directFD), offset: uint64(r.offset), addr: address(r.data),
		length: uint32(len(r.data)), rwFlags: unix.RWF_NOWAIT, userData: uint64(index)}
	if r.op == WriteDurable {
		e.rwFlags |= unix.RWF_DSYNC
	}
	q.ring.push(e)
}

// opcode is the kernel's operation for a request.
func (q *UringQueue) opcode(op Op, data []byte) uint8 {
	fixed := within(data, q.buffers)
	switch {
	case op == Read && fixed:
		return opReadFixed
	case op == Read:
		return opRead
	case fixed:
		return opWriteFixed
	}
	return opWrite
}

// take fills the first free slot.
func (q *UringQueue) take(r slot) {
	at := &q.slots[q.free]
	q.free = at.next
	q.inFlight++
	*at = r
}

// belongs reports whether a request is one for the ring: all that is refused, unaligned, or not known to be startable
// without waiting is not.
func (q *UringQueue) belongs(s *Store, op Op, data []byte, offset int64) bool {
	if op == Flush || len(data) > math.MaxInt32 || s.Policy() != Direct || !s.usesDirect(op, data, offset) || s.noNowaitDirect.Load() {
		return false
	}
	if refused, _ := s.refuse(op, data, offset); refused || !alignedTo(data, s.memAlign) {
		return false
	}
	switch op {
	case Read:
		return true
	case WriteDurable:
		if s.noDsync.Load() {
			return false
		}
	}
	return q.slow.ends.check(s, data, offset) == nil // fstat(2) of a local file, which waits for nothing
}

// bind makes the calling goroutine and its thread the ring's only user.
func (q *UringQueue) bind() bool {
	runtime.LockOSThread()
	if errno := enableRing(q.ring.fd); errno != 0 {
		runtime.UnlockOSThread()
		return false
	}
	q.thread = unix.Gettid()
	return true
}

// enter gives the kernel what was submitted and lets it work off completions, if there are any of either. What the
// kernel does not take, for want of memory, goes the other way, so that nothing is left behind.
func (q *UringQueue) enter() {
	if q.ring.unsubmitted() == 0 && !q.ring.owes() {
		return
	}
	q.vectorize()
	q.ring.enter()
	for q.ring.unsubmitted() > 0 {
		q.handOver(int32(q.ring.retract()))
	}
}

// collect stores the results of completed requests, at most as many as both slices hold, and returns how many.
func (q *UringQueue) collect(tokens []uint64, errs []error) (n int) {
	for n < len(tokens) {
		if q.done == none {
			c, ok := q.ring.pop()
			if !ok {
				break
			}
			q.complete(int32(c.userData), int(c.res))
			continue
		}
		r := &q.slots[q.done]
		tokens[n], errs[n] = r.token, q.doneErr
		n++
		q.carried++
		next := r.member
		q.release(q.done)
		q.done = next
	}
	return n
}

// complete looks at what became of a request: res is the bytes transferred, or a negative errno.
func (q *UringQueue) complete(index int32, res int) {
	r := &q.slots[index]
	merged := r.member != none
	want := len(r.data)
	if merged {
		want = int(r.end - r.offset)
	}
	errno := unix.Errno(-res)
	switch {
	case res == want:
		q.done, q.doneErr = index, nil
	case merged:
		if res < 0 && again(errno) {
			r.store.mergePause.Store(mergePause)
		}
		q.redo(index)
	case res >= 0 || again(errno):
		if errno == unix.EOPNOTSUPP && r.op != WriteDurable {
			r.store.noNowaitDirect.Store(true)
		}
		q.handOver(index)
	default:
		q.done, q.doneErr = index, errno
	}
}

// again reports whether a request failed only because the ring is not the way for it: it would have waited, or its file
// cannot do what was asked of it, which the SyncQueue has other ways for.
func again(errno unix.Errno) bool {
	switch errno {
	case unix.EAGAIN, unix.EINTR, unix.ECANCELED, unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSYS:
		return true
	}
	return false
}

// handOver gives a request, with all its members, to the SyncQueue, to be done as a whole: what part of it took place
// does no harm, as no overlapping request came in between.
func (q *UringQueue) handOver(index int32) {
	for index != none {
		r := q.slots[index]
		q.release(index)
		q.handed++
		q.slow.Submit(r.store, r.op, r.data, r.offset, r.token)
		index = r.member
	}
}

// release frees a slot and lets go of its data.
func (q *UringQueue) release(index int32) {
	q.slots[index] = slot{next: q.free}
	q.free = index
	q.inFlight--
}
