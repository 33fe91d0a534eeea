package disk

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ring is a pair of queues shared with the kernel, io_uring(7). Of each queue one side moves the tail, and the other the
// head behind it; both count without end and wrap.
type ring struct {
	fd                int
	entered           uint64 // times
	memory, sqeMemory []byte // mappings, nil if not mapped

	sqHead, sqFlags *atomic.Uint32 // the kernel's
	sqTail          *atomic.Uint32 // ours
	sqes            []sqe          // a power of two of them

	cqTail          *atomic.Uint32 // the kernel's
	cqHead, cqFlags *atomic.Uint32 // ours
	cqes            []cqe          // a power of two of them
}

// unsubmitted is how many submissions the kernel has not taken.
func (r *ring) unsubmitted() uint32 { return r.sqTail.Load() - r.sqHead.Load() }

// full reports whether there is no room for another submission.
func (r *ring) full() bool { return r.unsubmitted() == uint32(len(r.sqes)) }

// push adds a submission. The ring must not be full.
func (r *ring) push(e sqe) {
	tail := r.sqTail.Load()
	r.sqes[tail&uint32(len(r.sqes)-1)] = e
	r.sqTail.Store(tail + 1)
}

// next is the number of the next submission.
func (r *ring) next() uint32 { return r.sqTail.Load() }

// entry is the submission of that number, which the kernel must not have taken.
func (r *ring) entry(number uint32) *sqe { return &r.sqes[number&uint32(len(r.sqes)-1)] }

// retract takes the newest submission back that the kernel has not taken.
func (r *ring) retract() (userData uint64) {
	tail := r.sqTail.Load() - 1
	r.sqTail.Store(tail)
	return r.sqes[tail&uint32(len(r.sqes)-1)].userData
}

// pop returns the oldest completion.
func (r *ring) pop() (c cqe, ok bool) {
	head := r.cqHead.Load()
	if head == r.cqTail.Load() {
		return c, false
	}
	c = r.cqes[head&uint32(len(r.cqes)-1)]
	r.cqHead.Store(head + 1)
	return c, true
}

// owes reports whether the kernel has completions that it must be entered for.
func (r *ring) owes() bool { return r.sqFlags.Load()&(sqTaskrun|sqCQOverflow) != 0 }

// completed reports whether there are completions, here or with the kernel.
func (r *ring) completed() bool { return r.cqHead.Load() != r.cqTail.Load() || r.owes() }

// enter submits all and collects what is complete. It leaves submissions behind only if the kernel refuses them.
func (r *ring) enter() {
	for {
		r.entered++
		submit := r.unsubmitted()
		submitted, errno := ioUringEnter(r.fd, submit, 0, enterGetEvents)
		if errno == unix.EINTR {
			continue
		}
		// Less than all were taken: io_uring_enter(2) stops at an entry that it finds wrong, which completes with an
		// error, and for want of memory.
		if errno != 0 || submitted == 0 || r.unsubmitted() == 0 {
			return
		}
	}
}

// await sleeps until a completion is there.
func (r *ring) await() unix.Errno {
	for {
		_, errno := ioUringEnter(r.fd, 0, 1, enterGetEvents)
		if errno != unix.EINTR {
			return errno
		}
	}
}

// signal says whether completions are told on the eventfd.
func (r *ring) signal(on bool) {
	if on {
		r.cqFlags.Store(0)
	} else {
		r.cqFlags.Store(cqEventfdDisabled)
	}
}
