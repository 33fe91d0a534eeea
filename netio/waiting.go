package netio

import (
	"sort"

	"golang.org/x/sys/unix"
)

// This file says how much waits in a link, for an owner that has to choose what to serve of more than it can.

// Waiting returns how many frames wait to be received, and how many may. It costs some reads of memory. The owner
// calls it.
func (l *ringLink) Waiting() (frames, most int) {
	if l.closed {
		return 0, 0
	}
	return l.rx.waiting(), l.rx.slots
}

// Waiting is that of the ring link. What waits in the socket itself is not counted.
func (l *rawLink) Waiting() (frames, most int) { return len(l.rx.full), cap(l.rx.full) }

// Waiting is that of the ring link, in chunks.
func (l *xdpLink) Waiting() (frames, most int) {
	for i := range l.rx.queues {
		frames += int(l.rx.queues[i].socket.rx.ready())
		most += l.rx.geometry.rxChunks
	}
	return frames, most
}

// waiting counts the slots that the kernel has filled and take has not handed out. The kernel fills them in order,
// so the first that is free ends them; it may have filled more by the time that this returns.
func (r *rxRing) waiting() int {
	return sort.Search(r.slots-r.held, func(i int) bool { return loadStatus(r.ahead(i))&unix.TP_STATUS_USER == 0 })
}

// ahead is the slot i after the one that take looks at.
func (r *rxRing) ahead(i int) []byte {
	blockBytes := r.perBlock*r.slot + r.gap
	number := r.next.offset/blockBytes*r.perBlock + r.perBlock - r.next.left + i
	if number >= r.slots {
		number -= r.slots
	}
	offset := number/r.perBlock*blockBytes + number%r.perBlock*r.slot
	return r.memory[offset : offset+r.slot]
}
