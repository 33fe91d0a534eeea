package target

import (
	"bytes"
	"slices"
	"sync/atomic"
)

// This file has changes kept by the target's Keeper: those of operations, which
// nobody waits for here, and those of initiators, which are answered when they
// are durable. Reads are answered at once.

// maxKeeping is how many replies of one worker may wait for the Keeper. What
// would make more is dropped: initiators repeat it.
const maxKeeping = 64

// kept tells the Keeper of a successful operation, if it changed what is kept.
func (t *Target) kept(op Operation) {
	switch op.(type) {
	case Announce, SetPaused, Resize:
		return
	}
	if t.keeper != nil {
		t.keeper.Changed(nil)
	}
}

// edit is change by an initiator, which is counted.
func (b *blade) edit(edit func(*rules)) {
	b.change(func(r *rules) {
		before := *r
		edit(r)
		if !bytes.Equal(before.config, r.config) || !slices.Equal(before.masks, r.masks) || !slices.Equal(before.reserve, r.reserve) {
			r.edits++
		}
	})
}

// mayEdit reports whether an initiator's change may be made now: its reply may
// have to wait, and only so many can.
func (w *worker) mayEdit() bool { return w.keeping < maxKeeping }

// answerKept holds the reply queued last back until the change of p's blade that
// it tells of is durable, and counts it in count then. A repeat of a change that
// is not yet durable waits, too; what has changed nothing does not.
func (w *worker) answerKept(p *port, count *atomic.Uint64) {
	b, keeper := p.blade, w.target.keeper
	edits := b.rules.Load().edits
	if keeper == nil || edits <= b.keptEdits.Load() {
		count.Add(1)
		return
	}
	last := len(w.headers) - 1
	reply := bytes.Clone(w.headers[last])
	w.headers, w.payloads = w.headers[:last], w.payloads[:last]
	w.keeping++
	keeper.Changed(func(err error) { // by another goroutine
		if err == nil {
			b.confirm(edits)
		}
		w.post(func() { w.endKeeping(p, reply, count, err) })
	})
}

// confirm notes that the first n changes by initiators are durable.
func (b *blade) confirm(n uint64) {
	for {
		kept := b.keptEdits.Load()
		if kept >= n || b.keptEdits.CompareAndSwap(kept, n) {
			return
		}
	}
}

// endKeeping sends a reply that was held back, unless the change could not be
// made durable or p has gone. It is sent at once: what removes p waits for a
// later turn only.
func (w *worker) endKeeping(p *port, reply []byte, count *atomic.Uint64, err error) {
	w.keeping--
	if err != nil || w.link == nil || w.netif.table.Load().get(p.addr) != p {
		p.counts.dropped.Add(1)
		return
	}
	w.queueReply(append(w.reply()[:0], reply...), nil, nil)
	w.send()
	count.Add(1)
}
