package disk

import "golang.org/x/sys/unix"

// Merging: a request that begins where another one of the same batch ends, of the same store and operation, becomes a
// member of it, and the kernel gets one vectored request for all of them. Members are linked through their slots, the
// oldest being the head, whose index the kernel knows:
//
//	head ─member▶ slot ─member▶ slot ─▶ none
//
// A merged request that fails, or ends early, is done again as its members are, each by itself, so that an error meets
// only the request that it belongs to. That does no harm, as no overlapping request came in between.
const (
	mergeMembers = 32        // at most so many in one
	mergeBytes   = 128 << 10 // and so much data: kernels refuse RWF_NOWAIT for what the device takes in parts only
	mergeRecent  = 4         // newest submissions that a request may belong to: that many streams at a time
	// mergePause is how many chances to merge a store's requests are let pass after the kernel refused a merged one. NVMe
	// devices take memory only in whole pages, so that requests of 1 KiB in buffers of their own never merge there.
	mergePause = 1024
)

// none ends a list of slots.
const none = -1

// batch is what was submitted since the ring was last entered.
type batch struct {
	recent [mergeRecent]int32 // heads, the newest at length-1 modulo their number
	length int
	merged []int32      // heads of more than one
	iovecs []unix.Iovec // of the merged; the kernel reads them during enter (IORING_FEAT_SUBMIT_STABLE, 5.5)
}

// note remembers a head for those that follow it.
func (b *batch) note(head int32) {
	b.recent[b.length%mergeRecent] = head
	b.length++
}

// merge makes a request part of one in the ring, if it can. A slot must be free.
func (q *UringQueue) merge(r slot) bool {
	for i := range min(q.batch.length, mergeRecent) {
		index := q.batch.recent[i]
		head := &q.slots[index]
		if head.end != r.offset || head.store != r.store || head.op != r.op ||
			head.members >= q.mergeMembers || head.end-head.offset+int64(len(r.data)) > mergeBytes {
			continue
		}
		if pause := r.store.mergePause.Load(); pause > 0 {
			r.store.mergePause.Store(pause - 1)
			return false
		}
		if head.members == 1 {
			q.batch.merged = append(q.batch.merged, index)
		}
		q.slots[head.last].member = q.free
		head.last = q.free
		head.members++
		head.end += int64(len(r.data))
		q.take(r)
		return true
	}
	return false
}

// vectorize makes vectored submissions of those that were merged, and ends the batch.
func (q *UringQueue) vectorize() {
	iovecs := q.batch.iovecs[:0]
	for _, index := range q.batch.merged {
		head := &q.slots[index]
		e := q.ring.entry(head.entry)
		if e.opcode = opReadv; head.op != Read {
			e.opcode = opWritev
		}
		start := len(iovecs)
		for i := index; i != none; i = q.slots[i].member {
			iovecs = append(iovecs, iovec(q.slots[i].data))
		}
		e.addr, e.length, e.bufIndex = addressOfIovecs(iovecs[start:]), uint32(len(iovecs)-start), 0
	}
	q.batch.merged, q.batch.length = q.batch.merged[:0], 0
}

// redo submits the members of a merged request again, each by itself.
func (q *UringQueue) redo(head int32) {
	for index := head; index != none; {
		r := &q.slots[index]
		next := r.member
		r.member = none
		if q.ring.full() {
			q.handOver(index)
		} else {
			q.push(index)
		}
		index = next
	}
}
