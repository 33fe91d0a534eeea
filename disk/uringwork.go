package disk

import (
	"math"
	"runtime"

	"golang.org/x/sys/unix"
)

// start puts a request into the ring, and reports whether it belongs there and there was room.
func (q *UringQueue) start(s *Store, op Op, data []byte, offset int64, token uint64) bool {
	if q.closed || q.free < 0 || !q.belongs(s, op, data, offset) {
		return false
	}
	if q.thread == 0 && !q.bind() {
		return false
	}
	if q.ring.full() {
		if q.enter(); q.free < 0 || q.ring.full() {
			return false
		}
	}
	e := sqe{opcode: q.opcode(op, data), fd: int32(s.directFD), offset: uint64(offset), addr: address(data),
		length: uint32(len(data)), rwFlags: unix.RWF_NOWAIT, userData: uint64(q.free)}
	if op == WriteDurable {
		e.rwFlags |= unix.RWF_DSYNC
	}
	q.ring.push(e)
	q.take(slot{store: s, data: data, offset: offset, token: token, op: op})
	return true
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
	if op == Flush || len(data) > math.MaxInt32 || !s.usesDirect(data, offset) || s.noNowaitDirect.Load() {
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
	q.ring.enter()
	for q.ring.unsubmitted() > 0 {
		q.handOver(q.ring.retract())
	}
}

// collect stores the results of completed requests, at most as many as both slices hold, and returns how many.
func (q *UringQueue) collect(tokens []uint64, errs []error) (n int) {
	for n < len(tokens) {
		c, ok := q.ring.pop()
		if !ok {
			break
		}
		r := &q.slots[c.userData]
		switch errno := unix.Errno(-c.res); {
		case int(c.res) == len(r.data):
			tokens[n], errs[n] = r.token, nil
		case c.res >= 0 || again(errno):
			if errno == unix.EOPNOTSUPP && r.op != WriteDurable {
				r.store.noNowaitDirect.Store(true)
			}
			q.handOver(c.userData)
			continue
		default:
			tokens[n], errs[n] = r.token, errno
		}
		n++
		q.carried++
		q.release(c.userData)
	}
	return n
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

// handOver gives a request to the SyncQueue, to be done as a whole: what part of it took place does no harm, as no
// overlapping request came in between.
func (q *UringQueue) handOver(index uint64) {
	r := q.slots[index]
	q.release(index)
	q.handed++
	q.slow.Submit(r.store, r.op, r.data, r.offset, r.token)
}

// release frees a slot and lets go of its data.
func (q *UringQueue) release(index uint64) {
	q.slots[index] = slot{next: q.free}
	q.free = int32(index)
	q.inFlight--
}
