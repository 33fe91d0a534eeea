package target

import (
	"errors"
	"sync/atomic"
	"syscall"

	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// This file is the way of a request that needs the backing store: take a
// buffer, wait for earlier requests that it overlaps, transfer, answer.

// opBarrier is a flush that waits for everything in flight on the device, and
// that everything later waits for.
const opBarrier = OpPunch + 1

// transfer serves a read, write, flush or barrier. payload is the data of a write,
// borrowed from the link.
func (w *worker) transfer(p *port, d *device, h aoe.Header, a aoe.ATA, op Op, q ata.Request, payload []byte) {
	r := w.admit(p)
	if r == nil {
		p.counts.full.Add(1)
		p.counts.dropped.Add(1)
		w.fate.outcome = TraceFull
		return
	}
	w.fate.outcome = underWay
	w.said.depth += uint64(p.counts.inFlight.Add(1)) // p has just been heard
	r.began = w.now()
	r.port, r.device, r.header, r.ata = p, d, h, a
	r.op, r.lba, r.sectors = op, p.window.first+q.LBA, q.Sectors
	if op == opBarrier {
		r.turn = d.initiatorCache.turn()
	}
	free := d.order.enter(r)
	// Asked only now: a write that enters behind the barrier that began
	// write-through must see it.
	if (r.op == OpWrite || r.op == OpPunch) && d.initiatorCache.through() {
		r.op = OpWriteDurable
	}
	if !free {
		copy(r.data(), payload)
		return
	}
	if payload != nil && !r.ranged() { // try from the link's memory first: most need no copy
		if done, err := w.queue.Try(d.store, r.op, payload, r.offset()); done {
			w.finish(r, err)
			return
		}
		copy(r.data(), payload)
		w.submit(r, r.op)
		return
	}
	copy(r.data(), payload)
	w.start(r)
	w.startReady()
}

// fairShare is what each port may have in flight when the pool runs low, so that
// ports whose drives are stuck leave something for the others.
const fairShare = 8

// admit lends a request for p, or nil when p has as many in flight as it may.
func (w *worker) admit(p *port) *request {
	inFlight := p.counts.inFlight.Load()
	if inFlight >= p.buffers.Load() || inFlight >= fairShare && len(w.pool.free) < len(w.pool.requests)/2 {
		return nil
	}
	return w.pool.take()
}

// start hands r, which nothing blocks, to the queue.
func (w *worker) start(r *request) {
	if r.ranged() {
		w.startRanges(r)
		return
	}
	op := r.op
	if op == opBarrier {
		op = OpFlush
	}
	if done, err := w.queue.Try(r.device.store, op, r.data(), r.offset()); done {
		w.ready = r.device.order.leave(r, w.ready)
		w.answer(r, err)
		return
	}
	w.submit(r, op)
}

// submit hands r to the queue to be done meanwhile.
func (w *worker) submit(r *request, op Op) {
	w.queue.Submit(r.device.store, op, r.data(), r.offset(), r.token)
}

// finish answers r, whose transfer has ended with err, and starts what waited
// for it.
func (w *worker) finish(r *request, err error) {
	if r.op == OpDiscard && err == nil && w.nextRange(r) {
		return
	}
	w.ready = r.device.order.leave(r, w.ready)
	w.answer(r, err)
	w.startReady()
}

// startReady starts the requests that nothing blocks any more; those of other
// workers go back to them.
func (w *worker) startReady() {
	for len(w.ready) > 0 {
		r := w.ready[len(w.ready)-1]
		w.ready = w.ready[:len(w.ready)-1]
		if r.w == w {
			w.start(r)
		} else {
			r.w.postReady(r)
		}
	}
}

// answer queues the reply to r. The port's buffer is free from here on: a
// removal that waits for it passes a barrier afterwards.
func (w *worker) answer(r *request, err error) {
	p, counts := r.port, &r.port.counts
	if r.op == OpFlush || r.op == opBarrier {
		err = p.flushed(r.device, err)
	}
	if err != nil && transient(err) {
		// Silence: initiators repeat what is not answered, and would take an
		// error for the end of the disk.
		counts.dropped.Add(1)
		counts.inFlight.Add(-1)
		w.traceTransfer(r, TraceNoRoom, 0)
		w.pool.put(r)
		return
	}
	result := registers(r.ata)
	if err != nil {
		// With all sectors left: never a success with a remainder, which the
		// Linux initiator takes for a whole one.
		result = result.Failed(failure(r.op), uint8(r.sectors))
		counts.ataErrors.Add(1)
		counts.errors.Add(1)
		counts.failedAt.Store(w.second)
		w.traceTransfer(r, TraceATAError, result.Feature)
		if n := counts.failures.Add(1); n&(n-1) == 0 { // 1, 2, 4, 8 …: enough to know
			go w.target.logFailure(p, r.op, r.lba-p.window.first, r.sectors, n, err)
		}
	} else {
		result = result.Done()
		if r.op == opBarrier {
			r.device.initiatorCache.flushed(r.turn)
		}
		p.count(r, w.took(r))
		w.traceTransfer(r, TraceDone, 0)
	}
	if r.op == OpRead && err == nil {
		w.makeRoom()
		r.header.Put(r.head)
		argument(r.ata, result).Put(r.head)
		w.queueReply(r.head, r.data(), r)
	} else {
		b := w.reply()
		r.header.Put(b)
		argument(r.ata, result).Put(b)
		w.queueReply(padded(b, aoe.ATASize), nil, r)
	}
	w.time(r, transferKind(r.op))
	counts.inFlight.Add(-1)
}

// failure is what the error register says of a transfer that failed. Of commands that do not read, UNC is not defined
// (ATA8-ACS, their error outputs); initiators look at the status alone.
func failure(op Op) uint8 {
	if op == OpRead {
		return ata.UNC
	}
	return ata.ABRT
}

// transient reports whether err says nothing about the drive, but that the host
// had no room for the transfer at this moment.
func transient(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) &&
		(errno == syscall.ENOMEM || errno == syscall.EAGAIN || errno == syscall.EINTR || errno == syscall.ENOBUFS)
}

// took is how long r waited, in nanoseconds; 0 for what was done at once.
func (w *worker) took(r *request) int64 { return w.now() - r.began }

// count counts a transfer that succeeded, after so many nanoseconds.
func (p *port) count(r *request, took int64) {
	switch r.op {
	case OpRead:
		p.counts.reads.Add(1)
		p.counts.readSectors.Add(uint64(r.sectors))
		addTime(&p.counts.readTime, took)
	case OpFlush, opBarrier, OpDiscard:
		p.counts.others.Add(1)
		addTime(&p.counts.otherTime, took)
	default:
		p.counts.writes.Add(1)
		p.counts.writeSectors.Add(uint64(r.sectors))
		addTime(&p.counts.writeTime, took)
	}
}

// addTime spares what needed no waiting the cost of adding nothing.
func addTime(sum *atomic.Int64, took int64) {
	if took != 0 {
		sum.Add(took)
	}
}
