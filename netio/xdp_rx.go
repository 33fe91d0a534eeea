package netio

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// xdpReceiver takes frames from the sockets of all queues, in turns. A frame in one chunk is lent where it is;
// one in several is put together in a slot. One goroutine owns it.
type xdpReceiver struct {
	geometry xdpGeometry
	queues   []xdpQueue
	turn     int    // the queue that is looked at first
	slots    []byte // memory for frames in several chunks
	used     int    // slots lent

	opened     time.Time
	openedMono int64 // CLOCK_MONOTONIC at that time, in nanoseconds
}

// xdpQueue is the receiving side of one socket.
type xdpQueue struct {
	socket *xdpSocket
	lent   []uint64 // addresses of frames in chunks that are not the kernel's
}

func (r *xdpReceiver) init(g xdpGeometry, sockets []*xdpSocket) error {
	r.geometry = g
	for _, s := range sockets {
		r.queues = append(r.queues, xdpQueue{socket: s, lent: make([]uint64, 0, g.rxChunks)})
	}
	if g.slots > 0 {
		var err error
		r.slots, err = unix.Mmap(-1, 0, g.slots*g.slotBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return err
		}
	}
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	r.opened, r.openedMono = time.Now(), t.Nano()
	return err
}

func (r *xdpReceiver) close() error {
	slots := r.slots
	*r = xdpReceiver{}
	if slots == nil {
		return nil
	}
	return unix.Munmap(slots)
}

// take stores waiting frames and returns how many; dropped counts those it skipped because they are too large
// or stale.
func (r *xdpReceiver) take(frames [][]byte) (n, dropped int) {
	if r.turn++; r.turn >= len(r.queues) {
		r.turn = 0
	}
	var now int64 // read once, and only when there is a frame
	for i := range r.queues {
		if i += r.turn; i >= len(r.queues) {
			i -= len(r.queues)
		}
		q := &r.queues[i]
		ready := q.socket.rx.ready()
		if ready == 0 {
			q.wake()
			continue
		}
		if now == 0 {
			now = r.openedMono + int64(time.Since(r.opened))
		}
		taken, skipped := r.takeFrom(q, frames[n:], ready, now)
		n, dropped = n+taken, dropped+skipped
	}
	return n, dropped
}

// takeFrom takes frames from a queue that has ready descriptors.
func (r *xdpReceiver) takeFrom(q *xdpQueue, frames [][]byte, ready uint32, now int64) (n, dropped int) {
	rx := &q.socket.rx
	for n < len(frames) && ready > 0 {
		count := uint32(1)
		if rx.entry(rx.index).Options&unix.XDP_PKT_CONTD != 0 {
			count = q.descriptors(ready)
			if count == 0 || r.used == r.geometry.slots && r.geometry.slots > 0 {
				break // the rest is still to come, or the owner has not released what it has
			}
		}
		frame, ok := r.frame(q, count, now)
		if ok {
			frames[n] = frame
			n++
		} else {
			dropped++
		}
		for range count {
			address := rx.entry(rx.index).Addr
			rx.index++
			if ok {
				q.lent = append(q.lent, address)
			} else {
				q.giveBack(address, r.geometry.chunk) // at once: if nothing is lent, the owner may not call Release
			}
		}
		ready -= count
	}
	rx.consume()
	if dropped > 0 {
		q.socket.fill.produce()
	}
	return n, dropped
}

// descriptors counts those of the frame that comes next, 0 when its last is not there yet.
func (q *xdpQueue) descriptors(ready uint32) uint32 {
	for n := range ready {
		if q.socket.rx.entry(q.socket.rx.index+n).Options&unix.XDP_PKT_CONTD == 0 {
			return n + 1
		}
	}
	return 0
}

// frame returns the frame of the next count descriptors; false when it is of no use.
func (r *xdpReceiver) frame(q *xdpQueue, count uint32, now int64) ([]byte, bool) {
	first := q.socket.rx.entry(q.socket.rx.index)
	piece, ok := q.piece(first)
	if !ok || q.stale(first.Addr, now) {
		return nil, false
	}
	if count > 1 {
		piece, ok = r.assemble(q, count)
	}
	if !ok || len(piece) > r.geometry.maxFrame || len(piece) < ethernetHeaderBytes {
		return nil, false
	}
	if count > 1 {
		r.used++
	}
	return piece, true
}

// piece returns the memory that a descriptor means; false when it leaves its socket's.
func (q *xdpQueue) piece(d *unix.XDPDesc) ([]byte, bool) {
	end := d.Addr + uint64(d.Len)
	if d.Addr < xdpStampBytes || end < d.Addr || end > uint64(len(q.socket.memory)) {
		return nil, false
	}
	return q.socket.memory[d.Addr:end:end], true
}

// assemble copies the pieces of a frame into the next slot, aligned as in a chunk; false when they are too large.
func (r *xdpReceiver) assemble(q *xdpQueue, count uint32) ([]byte, bool) {
	if r.used == r.geometry.slots {
		return nil, false
	}
	start := r.used*r.geometry.slotBytes + frameOffset
	slot := r.slots[start : start+r.geometry.slotBytes-frameOffset]
	length := 0
	for i := range count {
		piece, ok := q.piece(q.socket.rx.entry(q.socket.rx.index + i))
		if !ok || length+len(piece) > len(slot) {
			return nil, false
		}
		length += copy(slot[length:], piece)
	}
	return slot[:length:length], true
}

// xdpStampBytes is the time that the program writes before a frame, CLOCK_MONOTONIC in nanoseconds.
const xdpStampBytes = 8

// stale says whether the frame at that address has waited too long, as the function stale does. Where the driver
// lets the program write no stamp there is the zero that giveBack leaves.
func (q *xdpQueue) stale(address uint64, now int64) bool {
	stamp := int64(binary.NativeEndian.Uint64(q.socket.memory[address-xdpStampBytes:]))
	age := now - stamp
	return age > maxWaitNanos && age <= maxAgeNanos && stamp != 0
}

// giveBack puts the chunk of a frame into the fill ring; produce makes it the kernel's.
func (q *xdpQueue) giveBack(address uint64, chunk int) {
	if stamp := address - xdpStampBytes; stamp < uint64(len(q.socket.memory)-xdpStampBytes) {
		clear(q.socket.memory[stamp : stamp+xdpStampBytes])
	}
	fill := &q.socket.fill
	*fill.entry(fill.index) = address &^ uint64(chunk-1)
	fill.index++
}

// release gives the lent chunks of all queues back.
func (r *xdpReceiver) release() {
	r.used = 0
	for i := range r.queues {
		q := &r.queues[i]
		if len(q.lent) == 0 {
			continue
		}
		for _, address := range q.lent {
			q.giveBack(address, r.geometry.chunk)
		}
		q.lent = q.lent[:0]
		q.socket.fill.produce()
		q.wake()
	}
}

// wake has a driver that ran out of chunks go on; only zero copy needs it.
func (q *xdpQueue) wake() {
	if q.socket.zeroCopy && q.socket.fill.needsWakeup() {
		kickReceive(q.socket.fd)
	}
}
