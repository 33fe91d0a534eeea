package disk

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// wait sleeps in ppoll(2) on the eventfd and fd. The eventfd is written once per sleep: whoever has something for the
// owner clears sleeping. A write that comes late ends the next sleep early, and does no more harm.
func (q *SyncQueue) wait(fd int, timeout time.Duration) error {
	q.ends.next()
	q.mu.Lock()
	if q.finished.length > 0 || q.woken || q.closed {
		q.woken = false
		q.mu.Unlock()
		return nil
	}
	q.sleeping = true
	q.mu.Unlock()

	q.poll = [2]unix.PollFd{{Fd: int32(q.signal), Events: unix.POLLIN}, {Fd: int32(fd), Events: unix.POLLIN}}
	var limit *unix.Timespec
	if timeout >= 0 {
		q.left = unix.NsecToTimespec(int64(timeout))
		limit = &q.left
	}
	_, err := unix.Ppoll(q.poll[:], limit, nil) // ppoll(2): a negative descriptor is ignored

	q.mu.Lock()
	q.sleeping, q.woken = false, false
	q.mu.Unlock()
	switch {
	case err == unix.EINTR:
		return nil
	case err != nil:
		return fmt.Errorf("disk queue: ppoll: %w", err)
	}
	if q.poll[0].Revents != 0 {
		unix.Read(q.signal, q.count[:])
	}
	if q.poll[1].Revents&unix.POLLNVAL != 0 {
		return unix.EBADF
	}
	return nil
}

// Wake implements Queue.
func (q *SyncQueue) Wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.woken = true
	if q.sleeping {
		q.sleeping = false
		writeSignal(q.signal)
	}
}

// one is the count added to an eventfd: eight bytes in the machine's order (eventfd(2)).
var one = binary.NativeEndian.AppendUint64(nil, 1)

func writeSignal(eventFD int) {
	for {
		// EAGAIN: the counter is at its limit, so the sleeper has been signalled often enough.
		if _, err := unix.Write(eventFD, one); err != unix.EINTR {
			return
		}
	}
}
