package initiator

import (
	"syscall"
	"time"
)

// Link is what an initiator needs of a network interface: netio's links have
// it. One goroutine uses it.
type Link interface {
	// Receive fills frames with whole Ethernet frames that are there, and
	// returns how many; it never waits. They are borrowed until Release.
	Receive(frames [][]byte) (int, error)
	// Release gives back what Receive lent.
	Release()
	// Send sends headers[i] followed by payloads[i] as one frame each, and
	// returns how many went out; the others are lost. It keeps neither. An
	// error means that the link is unusable.
	Send(headers, payloads [][]byte) (sent int, err error)
	// FD is readable when frames are there, or negative if there is no such
	// descriptor.
	FD() int
	// ReceiveDrops and SendDrops count what was lost below the link.
	ReceiveDrops() uint64
	SendDrops() uint64
	// Kind names the link, as in "ring".
	Kind() string
	Close() error
}

// receiveBatch is the most frames taken per Receive: enough that its cost is
// shared, few enough that a batch stays in the cache. Ours.
const receiveBatch = 64

// pollPause is how long a link without a descriptor is left alone.
const pollPause = 100 * time.Microsecond

// waitReadable waits until fd is readable or wait has passed. It may return
// early, so callers look at the clock themselves. select takes descriptors
// below 1024 only (select(2)); the others are asked again and again.
func waitReadable(fd int, wait time.Duration) {
	if wait <= 0 {
		return
	}
	var set syscall.FdSet
	bits := 8 * 8 // of one word of FdSet, 64 on the systems that Go calls 64-bit
	if ^uint(0)>>32 == 0 {
		bits = 32
	}
	if fd < 0 || fd >= len(set.Bits)*bits {
		time.Sleep(min(wait, pollPause))
		return
	}
	set.Bits[fd/bits] |= 1 << (fd % bits)
	timeout := syscall.NsecToTimeval(int64(max(wait, time.Microsecond)))
	if _, err := syscall.Select(fd+1, &set, nil, nil, &timeout); err != nil && err != syscall.EINTR {
		time.Sleep(min(wait, pollPause))
	}
}
