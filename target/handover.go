package target

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// This file hands a target's exports over to another process, which has opened
// the same stores beside this one:
//
//	Hold ─▶ what there is stays so, requests are served
//	     Carry ─▶ by links that can be handed over
//	     Rest ─▶ all requests that were taken are answered, others wait in the links
//	          Links ─▶ the other process goes on with them, or GoOn
//	Release ─▶ all is as before; or End ─▶ nothing happens here any more
//
// So every request is carried out by one of the two, and in the order in which
// they came.

// Handover is a target that is held for another process to take over. It is for
// one goroutine.
type Handover struct{ target *Target }

// Hold has operations, and what follows interfaces and devices, wait until
// Release. It waits no longer than ctx for those that are under way, and those that
// have waited for a backing store for a while fail.
func (t *Target) Hold(ctx context.Context) (*Handover, error) {
	for _, lock := range []interface{ TryLock() bool }{&t.opening, &t.ops} {
		for !lock.TryLock() {
			t.interrupt()
			if err := pause(ctx); err != nil {
				if lock == &t.ops {
					t.opening.Unlock()
				}
				return nil, fmt.Errorf("%w: an operation waits for a drive", ErrNotDrained)
			}
		}
	}
	h := &Handover{t}
	if t.closed {
		h.Release()
		return nil, ErrClosed
	}
	return h, nil
}

// Release lets operations go on.
func (h *Handover) Release() {
	h.target.ops.Unlock()
	h.target.opening.Unlock()
}

// End closes the target without a word to anybody: operations that wait fail with
// ErrClosed, and its stores and links stay as they are until the process ends.
func (h *Handover) End() {
	h.target.closed = true
	h.Release()
}

// Stores are the stores that are open, by their keys.
func (h *Handover) Stores() map[string]Store {
	stores := make(map[string]Store, len(h.target.devices))
	for key, d := range h.target.devices {
		stores[key] = d.store
	}
	return stores
}

// WriteThrough has the keys of the stores whose write cache an initiator has turned
// off (SET FEATURES), which no state keeps. After Rest none is about to be.
func (h *Handover) WriteThrough() (keys []string) {
	for key, d := range h.target.devices {
		if d.initiatorCache.off() {
			keys = append(keys, key)
		}
	}
	return keys
}

// Carry has links that can be handed over (Parts.OpenCarrier) take the place of
// those that cannot. Requests are served meanwhile, and go on to be by the new
// links; after Release ReplaceStandIns has the wanted ones return. Where it fails
// the old ones stay.
func (h *Handover) Carry(can func([]Link) bool) (err error) {
	t := h.target
	if t.parts.OpenCarrier == nil {
		return nil
	}
	var list []*netif
	for name, links := range h.Links() {
		if !can(links) {
			list = append(list, t.netifs[name])
		}
	}
	failed := together(list, func(n *netif) error { return t.replace(n, t.parts.OpenCarrier) })
	for n, why := range failed {
		err = errors.Join(err, fmt.Errorf("interface %s: %w", n.name(), why))
	}
	return err
}

// restless is how long Rest waits while no request finishes: a drive that is slow
// goes on, one that is stuck shall not hold the others up.
const restless = 100 * time.Millisecond

// Rest has requests wait in the links, and returns when those that were taken out
// are answered. When ctx ends first, or none is answered for a while, requests are
// served again.
func (h *Handover) Rest(ctx context.Context) error {
	t := h.target
	var deaf []chan struct{}
	for _, n := range t.netifs {
		deaf = append(deaf, n.postAll(func(w *worker) { w.serveArrived(); w.deaf = true })...)
	}
	for _, d := range deaf {
		<-d
	}
	err := t.awaitProgress(ctx)
	if err == nil {
		err = t.awaitKeeping(ctx)
	}
	if err != nil {
		h.GoOn(false)
		return err
	}
	for _, n := range t.netifs {
		n.barrier() // the last replies are out
	}
	return nil
}

// awaitProgress waits until all requests are answered, as long as some are.
func (t *Target) awaitProgress(ctx context.Context) error {
	defer t.hurry()()
	for least, since := math.MaxInt, time.Now(); ; {
		left := 0
		for _, n := range t.netifs {
			for p := range n.ports.all {
				left += int(p.counts.inFlight.Load())
			}
		}
		if left < least {
			least, since = left, time.Now()
		}
		if left == 0 {
			return nil
		}
		if time.Since(since) > restless {
			ended, end := context.WithCancel(ctx)
			end()
			return t.awaitRequests(ended)
		}
		if err := pause(ctx); err != nil {
			return t.awaitRequests(ctx)
		}
	}
}

// awaitKeeping waits until no reply waits for the Keeper.
func (t *Target) awaitKeeping(ctx context.Context) error {
	for _, n := range t.netifs {
		for waiting := 1; waiting > 0; {
			waiting = 0
			for i, counted := range n.postAll(func(w *worker) { w.counted = w.keeping }) {
				<-counted
				waiting += n.workers[i].counted
			}
			if waiting == 0 {
				break
			}
			if err := pause(ctx); err != nil {
				return fmt.Errorf("%w: a change on %s is not saved yet", ErrNotDrained, n.name())
			}
		}
	}
	return nil
}

// Links are those of each interface, as OpenLinks made them. Nothing takes frames
// from them between Rest and GoOn.
func (h *Handover) Links() map[string][]Link {
	links := map[string][]Link{}
	for name, n := range h.target.netifs {
		for _, w := range n.workers {
			if l := w.opened.Load(); l != nil {
				links[name] = append(links[name], *l)
			}
		}
	}
	return links
}

// GoOn has requests served again after Rest: with new links, if another process
// may have taken frames out of those there were.
func (h *Handover) GoOn(anew bool) {
	if anew {
		h.target.linkAllAnew()
	}
	for _, n := range h.target.netifs {
		n.postAll(func(w *worker) { w.deaf = false })
	}
}

// LinkAnew closes all links and opens new ones.
func (t *Target) LinkAnew() {
	t.ops.Lock()
	defer t.ops.Unlock()
	if !t.closed {
		t.linkAllAnew()
	}
}

func (t *Target) linkAllAnew() {
	var list []*netif
	for _, n := range t.netifs {
		if n.linked.Load() {
			list = append(list, n)
		}
	}
	for n, err := range together(list, t.relink) {
		t.later(n.name(), err)
	}
}

func (t *Target) linkAnew(n *netif) {
	if err := t.relink(n); err != nil {
		t.later(n.name(), err)
	}
}

// SetWriteThrough has the write caches of the stores of these keys be off, as an
// initiator wanted of the process that served them before, and has got. It comes
// before the first request.
func (t *Target) SetWriteThrough(keys []string) {
	t.ops.Lock()
	defer t.ops.Unlock()
	for _, key := range keys {
		if d := t.devices[key]; d != nil {
			d.initiatorCache.set(true)
			d.initiatorCache.flushed(d.initiatorCache.turn())
		}
	}
}
