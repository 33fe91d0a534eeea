package netio

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// sender sends batches of frames on a packet socket of its own (newSendSocket), one sendmmsg a batch. One goroutine
// owns it; drops may be read by any.
type sender struct {
	fd    int
	batch *sendBatch
	drops atomic.Uint64

	waits    int  // millisecond waits for room in this send
	downSeen bool // a first ENETDOWN was met in this send
	pollFD   [1]unix.PollFd
}

// maxBatch is how many frames go into one system call; longer batches take several. At MTU 1500 and
// 10 Gbit/s it is 300 µs of line time.
const maxBatch = 256

// maxWaits bounds how long one send waits for room, in milliseconds. An initiator repeats a lost
// frame after tens of milliseconds at least, other requests should not wait that long behind it.
const maxWaits = 5

func (s *sender) init(fd int) {
	s.fd = fd
	s.batch = newSendBatch()
	s.pollFD[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT}
}

// close closes the socket, if there is one.
func (s *sender) close() error {
	if s.fd < 0 {
		return nil
	}
	fd := s.fd
	s.fd = -1
	return unix.Close(fd)
}

// send returns how many frames went out. An error is ErrGone or os.ErrClosed, unwrapped.
func (s *sender) send(headers, payloads [][]byte) (sent int, err error) {
	total := len(headers)
	s.waits, s.downSeen = 0, false
	for len(headers) > 0 && err == nil {
		n := min(len(headers), maxBatch)
		m := min(n, len(payloads))
		s.batch.load(headers[:n], payloads[:m])
		var part int
		part, err = s.flush(n)
		s.batch.unload(n)
		sent += part
		headers, payloads = headers[n:], payloads[m:]
	}
	if sent < total {
		s.drops.Add(uint64(total - sent))
	}
	return sent, err
}

// flush sends the n frames loaded. sendmmsg(2) stops at a frame that fails and returns the number before
// it; called again from there it reports that frame's error.
func (s *sender) flush(n int) (sent int, err error) {
	for i := 0; i < n; {
		done, errno := s.batch.sendmmsg(s.fd, i, n)
		if errno == 0 && done > 0 {
			i += done
			sent += done
			continue
		}
		switch s.judge(errno) {
		case retryFrame:
		case dropFrame:
			i++
		case linkGone:
			return sent, ErrGone
		case linkClosed:
			return sent, os.ErrClosed
		}
	}
	return sent, nil
}

// verdict is what to do about the frame that an errno stopped at.
type verdict int

const (
	dropFrame verdict = iota
	retryFrame
	linkGone
	linkClosed
)

func (s *sender) judge(errno unix.Errno) verdict {
	switch errno {
	case unix.EINTR:
		return retryFrame
	case unix.EAGAIN: // our send buffer is full: poll tells when it drains
		return s.waitForRoom(s.pollFD[:])
	case unix.ENOBUFS: // the interface's queue is full: nothing tells
		return s.waitForRoom(nil)
	case unix.ENETDOWN:
		// The first may be the stale error of an interface that went down and came back (SO_ERROR).
		if !s.downSeen {
			s.downSeen = true
			return retryFrame
		}
		return dropFrame
	case unix.ENXIO, unix.ENODEV: // the socket has lost its interface for good
		return linkGone
	case unix.EBADF, unix.ENOTSOCK:
		return linkClosed
	}
	// EMSGSIZE over the MTU, EINVAL too short, EFAULT unreadable memory, ENOMEM: this frame's trouble.
	return dropFrame
}

// waitForRoom waits a millisecond, or less when poll says so.
func (s *sender) waitForRoom(poll []unix.PollFd) verdict {
	if s.waits >= maxWaits {
		return dropFrame
	}
	s.waits++
	unix.Poll(poll, 1) // whatever it says, the next try tells
	return retryFrame
}
