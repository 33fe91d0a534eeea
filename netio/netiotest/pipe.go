package netiotest

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// pipeSlots is how many frames one end holds before it drops.
const pipeSlots = 256

// A frame's data, after 36 bytes of headers, is aligned as it is in a netio.Link.
const (
	pipeAlign       = 512
	pipeFrameOffset = pipeAlign - 36
	pipeHeaderBytes = 14
)

// End is one end of a Pipe. It has the methods of a netio.Link, which describes them; here is what
// differs. It carries any frame, whatever its addresses and EtherType.
type End struct {
	in, out *pipeQueue
	mtu     int
	drops   atomic.Uint64
}

// pipeQueue holds the frames on their way to one end, in slots used in turn.
type pipeQueue struct {
	mu        sync.Mutex
	memory    []byte // aligned
	slot      int    // bytes per slot
	lengths   [pipeSlots]int
	first     int // the oldest frame not released
	count     int // frames in the queue, lent ones included
	lent      int
	drops     uint64
	event     int // eventfd, readable while frames wait
	signalled bool
	closed    bool
}

// Pipe joins two links in memory. Frames of up to mtu + 14 bytes sent on one are received on the other, 256
// may wait there, more are dropped and counted by the receiver. Close both; one end each may be used by
// one goroutine. It panics when the process has no descriptors left.
func Pipe(mtu int) (a, b *End) {
	toA, toB := newPipeQueue(mtu), newPipeQueue(mtu)
	return &End{in: toA, out: toB, mtu: mtu}, &End{in: toB, out: toA, mtu: mtu}
}

func newPipeQueue(mtu int) *pipeQueue {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		panic(fmt.Sprintf("netiotest.Pipe: eventfd: %v", err))
	}
	slot := (pipeFrameOffset + mtu + pipeHeaderBytes + pipeAlign - 1) / pipeAlign * pipeAlign
	return &pipeQueue{memory: alignedBytes(pipeSlots*slot, pipeAlign), slot: slot, event: event}
}

func (q *pipeQueue) frame(i int) []byte {
	i = (q.first + i) % pipeSlots
	start := i*q.slot + pipeFrameOffset
	return q.memory[start : start+q.lengths[i] : start+q.lengths[i]]
}

// Receive lends waiting frames. Its error is os.ErrClosed.
func (e *End) Receive(frames [][]byte) (int, error) {
	q := e.in
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, os.ErrClosed
	}
	n := 0
	for ; n < len(frames) && q.lent < q.count; n++ {
		frames[n] = q.frame(q.lent)
		q.lent++
	}
	if n == 0 && q.signalled && q.lent == q.count {
		var count [8]byte
		unix.Read(q.event, count[:])
		q.signalled = false
	}
	return n, nil
}

// Release gives back the frames that Receive lent.
func (e *End) Release() {
	q := e.in
	q.mu.Lock()
	defer q.mu.Unlock()
	q.first = (q.first + q.lent) % pipeSlots
	q.count -= q.lent
	q.lent = 0
}

// Send copies frames to the other end. Its error is os.ErrClosed.
func (e *End) Send(headers, payloads [][]byte) (sent int, err error) {
	if e.isClosed() {
		return 0, os.ErrClosed
	}
	q := e.out
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, header := range headers {
		var payload []byte
		if i < len(payloads) {
			payload = payloads[i]
		}
		if n := len(header) + len(payload); n < pipeHeaderBytes || n > e.mtu+pipeHeaderBytes {
			e.drops.Add(1)
			continue
		}
		q.putLocked(header, payload)
		sent++
	}
	return sent, nil
}

func (q *pipeQueue) putLocked(header, payload []byte) {
	if q.closed {
		return // nobody listens: lost, as on a wire
	}
	if q.count == pipeSlots {
		q.drops++
		return
	}
	q.lengths[(q.first+q.count)%pipeSlots] = len(header) + len(payload)
	frame := q.frame(q.count)
	copy(frame[copy(frame, header):], payload)
	q.count++
	if !q.signalled {
		q.signalled = true
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		unix.Write(q.event, one[:])
	}
}

// FD returns an eventfd that is readable while frames wait.
func (e *End) FD() int { return e.in.event }

// ReceiveDrops counts the frames that found this end full. Any goroutine may call it.
func (e *End) ReceiveDrops() uint64 {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	return e.in.drops
}

// SendDrops counts the frames under 14 bytes or over the MTU. Any goroutine may call it.
func (e *End) SendDrops() uint64 { return e.drops.Load() }

// Kind returns "pipe".
func (e *End) Kind() string { return "pipe" }

func (e *End) isClosed() bool {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	return e.in.closed
}

// Close closes this end; frames sent to it are lost from now on. Closing again does nothing.
func (e *End) Close() error {
	q := e.in
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	return unix.Close(q.event)
}
