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
	case Announce, SetPaused, SetTrace, Resize:
		return
	}
	if t.keeper != nil {
		t.keeper.Changed(nil)
	}
}

// An edit is a change by an initiator. With a Keeper it is not seen before it is
// durable, and what cannot be made durable is as if it had not been asked for:
//
//	edit ─▶ ahead ─┬─ kept ───▶ rules, answered
//	               └─ failed ─▶ nowhere, not answered
//
// Later edits are made over it meanwhile. If it fails and they do not, they have it
// with them.
type edit struct {
	failed bool // guarded by the blade's rulesMu
}

// edit carries out a change by an initiator, and returns the rules that it has led
// to, which may be those before.
func (b *blade) edit(keeper Keeper, change func(*rules)) *rules {
	b.rulesMu.Lock()
	defer b.rulesMu.Unlock()
	before := b.latestLocked()
	next := *before
	change(&next)
	if bytes.Equal(before.config, next.config) && slices.Equal(before.masks, next.masks) && slices.Equal(before.reserve, next.reserve) {
		return before
	}
	next.edit = new(edit)
	if keeper == nil {
		b.publish(&next)
	} else {
		b.ahead = append(b.ahead, &next)
	}
	return &next
}

// latest is the rules with what initiators have changed of them last.
func (b *blade) latest() *rules {
	b.rulesMu.Lock()
	defer b.rulesMu.Unlock()
	return b.latestLocked()
}

func (b *blade) latestLocked() *rules {
	if n := len(b.ahead); n > 0 {
		return b.ahead[n-1]
	}
	return b.rules.Load()
}

// settle takes whether a state with e has been made durable, and reports whether e is
// in force.
func (b *blade) settle(e *edit, kept bool) bool {
	b.rulesMu.Lock()
	defer b.rulesMu.Unlock()
	at := slices.IndexFunc(b.ahead, func(r *rules) bool { return r.edit == e })
	switch {
	case kept && at >= 0:
		b.publish(b.ahead[at])
		b.ahead = slices.Clone(b.ahead[at+1:])
	case at >= 0 && at == len(b.ahead)-1:
		for _, r := range b.ahead {
			r.edit.failed = true
		}
		b.ahead = nil
	}
	return kept && !e.failed
}

// mayEdit reports whether an initiator's change may be made now: its reply may
// have to wait, and only so many can.
func (w *worker) mayEdit() bool { return w.keeping < maxKeeping }

// answerKept holds the reply queued last back until r, which it tells of, is
// durable, and counts it in count then. A repeat of a change that is not yet
// durable waits, too, and so does a refusal for the sake of one; what has changed
// nothing does not.
func (w *worker) answerKept(p *port, r *rules, count *atomic.Uint64) {
	b, keeper := p.blade, w.target.keeper
	if keeper == nil || r.edit == b.rules.Load().edit {
		count.Add(1)
		return
	}
	last := len(w.headers) - 1
	reply := bytes.Clone(w.headers[last])
	w.headers, w.payloads, w.bytes = w.headers[:last], w.payloads[:last], w.bytes-len(reply)
	w.keeping++
	keeper.Changed(func(err error) { // by another goroutine
		kept := b.settle(r.edit, err == nil)
		w.post(func() { w.endKeeping(p, reply, count, kept) })
	})
}

// endKeeping sends a reply that was held back, unless the change could not be
// made durable or p has gone. It is sent at once: what removes p waits for a
// later turn only.
func (w *worker) endKeeping(p *port, reply []byte, count *atomic.Uint64, kept bool) {
	w.keeping--
	if !kept || w.link == nil || w.netif.table.Load().get(p.addr) != p {
		p.counts.dropped.Add(1)
		return
	}
	w.queueReply(append(w.reply()[:0], reply...), nil, nil)
	w.send()
	count.Add(1)
}
