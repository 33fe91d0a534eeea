//lint:file-ignore SA1019 mdlayher/raw is the portable link by design; it is frozen, and calls its successor

package netio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mdlayher/raw"
	"golang.org/x/sys/unix"
)

// rawReceiver hands frames from the reader goroutine to the link's owner:
//
//	free ─▶ reader: ReadFrom into the slot ─▶ full ─▶ take: lent ─▶ release ─▶ free
//
// A slot is in one of these places at a time. When none is free the reader waits, and the kernel drops
// and counts what its socket buffer cannot hold.
type rawReceiver struct {
	memory   []byte
	slot     int // bytes per slot
	maxFrame int // longer frames are cut, and dropped
	opened   time.Time
	free     chan int
	full     chan rawFrame
	lent     []int
	done     chan struct{} // closed by Close
	cut      rawCut

	event     int         // eventfd, readable while frames wait
	signalled atomic.Bool // event has been made readable and not yet emptied
	down      atomic.Bool // the interface was seen going down, and no frame came since
	skipped   atomic.Uint64
	failure   atomic.Pointer[error] // why the reader stopped
}

// rawFrame is a received frame: its slot and length, when the reader got it, as time since opened, and the kernel's stamp,
// 0 while none is wanted.
type rawFrame struct {
	slot, length int
	at           time.Duration
	stamp        int64
}

func (r *rawReceiver) init(mtu, ringBytes int) error {
	r.event = -1
	r.opened = time.Now()
	r.done = make(chan struct{})
	r.maxFrame = maxFrameBytes(mtu)
	// One byte more than the largest frame shows that a frame was larger.
	r.slot = (frameOffset + r.maxFrame + 1 + slotAlign - 1) / slotAlign * slotAlign
	slots := max(2, ringBytes/r.slot)
	memory, err := unix.Mmap(-1, 0, slots*r.slot, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("mapping %d bytes for received frames: %w", slots*r.slot, err)
	}
	r.memory = memory
	r.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	r.free, r.full = make(chan int, slots), make(chan rawFrame, slots)
	r.lent = make([]int, 0, slots)
	for i := range slots {
		r.free <- i
	}
	return nil
}

// close frees the memory; the reader must have ended.
func (r *rawReceiver) close() error {
	var errs [2]error
	if r.memory != nil {
		errs[0] = unix.Munmap(r.memory)
		r.memory = nil
	}
	if r.event >= 0 {
		errs[1] = unix.Close(r.event)
		r.event = -1
	}
	return errors.Join(errs[:]...)
}

// buffer is where a frame is read into, one byte longer than the largest frame.
func (r *rawReceiver) buffer(slot int) []byte {
	start := slot*r.slot + frameOffset
	return r.memory[start : start+r.maxFrame+1]
}

// read is the reader goroutine; it ends when the connection is closed, or fails for good.
func (r *rawReceiver) read(conn *raw.Conn) {
	for {
		var slot int
		select {
		case slot = <-r.free:
		case <-r.done:
			return
		}
		length, err := r.readFrame(conn, slot)
		if err != nil {
			r.failure.Store(&err)
			r.signal()
			return
		}
		f := rawFrame{slot: slot, length: length, at: time.Since(r.opened)}
		if r.cut.stamps() {
			f.stamp, _ = r.cut.stamp() // it could once
		}
		r.full <- f // never waits: there are as many places as slots
		r.cut.read.Add(1)
		r.signal()
	}
}

// readFrame waits for the next good frame. An interface that goes down leaves one ENETDOWN, after which
// the same socket goes on; other passing errors are waited out.
func (r *rawReceiver) readFrame(conn *raw.Conn, slot int) (int, error) {
	buffer := r.buffer(slot)
	for {
		n, _, err := conn.ReadFrom(buffer)
		switch {
		case err == nil && n > r.maxFrame:
			r.skipped.Add(1)
			r.cut.read.Add(1)
		case err == nil && n >= ethernetHeaderBytes:
			if r.down.Load() {
				r.down.Store(false)
			}
			return n, nil
		case errors.Is(err, unix.ENETDOWN):
			r.down.Store(true)
			r.signal() // the owner looks whether the interface still exists
		case err == nil:
			r.cut.read.Add(1)
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
			time.Sleep(time.Millisecond)
		default:
			return 0, err
		}
	}
}

// signal makes event readable, once until take empties it.
func (r *rawReceiver) signal() {
	if r.signalled.Swap(true) {
		return
	}
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(r.event, one[:]) // can only fail when the count is at its limit, and then it is readable
}

// take stores waiting frames and returns how many; it drops those that waited too long (maxWaitNanos).
// Finding none, it makes event unreadable and looks again, for a frame that came in between and saw event
// still signalled.
func (r *rawReceiver) take(frames [][]byte) int {
	n := r.drain(frames)
	if n > 0 || len(frames) == 0 || !r.signalled.Load() {
		return n
	}
	var count [8]byte
	unix.Read(r.event, count[:]) // EAGAIN means that it is empty, which is what we want
	r.signalled.Store(false)
	return r.drain(frames)
}

func (r *rawReceiver) drain(frames [][]byte) (n int) {
	var now time.Duration // read once, and only when there is a frame
	for n < len(frames) {
		select {
		case f := <-r.full:
			if now == 0 {
				now = time.Since(r.opened)
			}
			others := r.cut.from|r.cut.until != 0 && r.cut.elsewhere(time.Now().UnixNano(), f.stamp)
			if others || now-f.at > maxWaitNanos {
				if !others {
					r.skipped.Add(1)
				}
				r.free <- f.slot
				continue
			}
			frames[n] = r.buffer(f.slot)[:f.length:f.length]
			r.lent = append(r.lent, f.slot)
			n++
		default:
			return n
		}
	}
	return n
}

func (r *rawReceiver) release() {
	for _, slot := range r.lent {
		r.free <- slot
	}
	r.lent = r.lent[:0]
}
