package netio

import (
	"time"

	"golang.org/x/sys/unix"
)

// rxRing is a TPACKET_V2 receive ring mapped into our memory: blocks of slots, each slot a header, room
// reserved for alignment, and a frame. The kernel fills slots in order and marks each with
// TP_STATUS_USER; take hands them out in order, release marks them TP_STATUS_KERNEL in order. One
// goroutine owns it.
type rxRing struct {
	memory   []byte
	slots    int
	slot     int    // bytes per slot
	perBlock int    // slots per block; a block may have a rest that holds no slot
	gap      int    // bytes of that rest
	next     cursor // the slot that take looks at
	first    cursor // the oldest slot not released; next is held slots further on
	held     int

	from, until int64 // see Only; 0: no bound
}

// cursor is a place in the ring.
type cursor struct {
	offset int // of the slot in memory
	left   int // slots left in its block, itself included
}

func (r *rxRing) init(memory []byte, request unix.TpacketReq) {
	r.memory = memory
	r.slots = int(request.Frame_nr)
	r.slot = int(request.Frame_size)
	r.perBlock = int(request.Block_size / request.Frame_size)
	r.gap = int(request.Block_size % request.Frame_size)
	r.next = cursor{left: r.perBlock}
	r.first = r.next
}

func (r *rxRing) advance(c *cursor) {
	c.offset += r.slot
	c.left--
	if c.left > 0 {
		return
	}
	c.offset += r.gap
	c.left = r.perBlock
	if c.offset >= len(r.memory) {
		c.offset = 0
	}
}

// take stores waiting frames and returns how many; dropped counts those it skipped because the kernel cut
// them, or because they are stale. It stops at a full turn: a slot that is lent still has the status of a
// waiting one.
func (r *rxRing) take(frames [][]byte) (n, dropped int) {
	var now int64 // read once, and only when there is a frame
	for n < len(frames) && r.held < r.slots {
		slot := r.memory[r.next.offset : r.next.offset+r.slot]
		if loadStatus(slot)&unix.TP_STATUS_USER == 0 {
			return n, dropped
		}
		if now == 0 {
			now = time.Now().UnixNano()
		}
		r.advance(&r.next)
		r.held++
		frame, ok := slotFrame(slot)
		h := header(slot)
		others := r.from|r.until != 0 && r.elsewhere(now, int64(h.Sec)*1e9+int64(h.Nsec))
		if ok && !others && !stale(now, h.Sec, h.Nsec) {
			frames[n] = frame
			n++
			continue
		}
		if !others {
			dropped++
		}
		if r.held == 1 {
			// Nothing is lent, so the owner may not call Release.
			r.release()
		}
	}
	return n, dropped
}

// slotFrame returns the frame in a slot that the kernel has filled; false when it is cut short or its
// header contradicts the slot.
func slotFrame(slot []byte) ([]byte, bool) {
	h := header(slot)
	start := uint64(h.Mac)
	end := start + uint64(h.Snaplen)
	if h.Snaplen < h.Len || h.Snaplen < ethernetHeaderBytes || start < ringHeaderBytes || end > uint64(len(slot)) {
		return nil, false
	}
	return slot[start:end:end], true
}

func (r *rxRing) release() {
	for ; r.held > 0; r.held-- {
		storeStatus(r.memory[r.first.offset:r.first.offset+r.slot], unix.TP_STATUS_KERNEL)
		r.advance(&r.first)
	}
}
