package target

import (
	"fmt"
	"syscall"
	"time"
)

// This file keeps a backing store that does not answer from holding up whoever
// asks for another: its opener gives up. What was asked of the store cannot be
// taken back, and its outcome is undone when it comes, however late.

// openPatience is how long an operation waits for a store: longer than a disk needs
// to spin up. A variable for tests; a Target keeps that which it was made with.
var openPatience = 30 * time.Second

const (
	// impatient is by how many times less it waits while other stores do not answer either.
	impatient = 6
	// maxHanging is how many stores may leave us waiting at once: each has a thread,
	// of which a process may have 10,000 (runtime/debug.SetMaxThreads), or what
	// its service may.
	maxHanging = 1024
)

// waiter is who waits for a store.
type waiter struct {
	t    *Target
	left bool // it waits no more; guarded by ops
}

// gone says why nothing more is to be asked of a store for w, if nothing is.
func (w *waiter) gone() error {
	if w.left || w.t.closed {
		return ErrClosed
	}
	return nil
}

// patiently calls ask, which asks things of the store at path, and returns what it
// does, unless that takes too long: then undo gets it. ops is held by all of them, and
// released while ask is waited for. It may go on without an opener's lock.
func patiently[T any](t *Target, path string, ask func(*waiter) (T, error), undo func(T)) (got T, err error) {
	w := &waiter{t: t}
	if t.parts.NeverHangs {
		return ask(w)
	}
	if t.hanging.Load() >= maxHanging {
		return got, fmt.Errorf("%w: %d others do not answer; try again when they do: %w", ErrStore, maxHanging, syscall.EAGAIN)
	}
	done := make(chan struct{})
	go func() {
		t.ops.Lock()
		defer t.ops.Unlock()
		defer close(done)
		one, failed := ask(w)
		if !w.left {
			got, err = one, failed
			return
		}
		if failed == nil {
			undo(one)
		}
		t.attempts.Add(-1)
		t.hanging.Add(-1)
	}()
	began := time.Now()
	t.outside(func() { t.awaitStore(done) })
	select {
	case <-done:
		if err == nil && t.closed {
			undo(got)
			err = ErrClosed
		}
		return got, err
	default:
	}
	w.left = true
	t.hanging.Add(1)
	t.attempts.Add(1)
	return got, fmt.Errorf("%w: %s has not answered for %s; try again when it does: %w", ErrStore, path,
		time.Since(began).Round(time.Second/10), syscall.ETIMEDOUT)
}

// withDevice has ask do something with dev, a device of d, patiently. dev stays open
// meanwhile. What ask does to the model it does only while w is there.
func (t *Target) withDevice(d *drive, dev *device, ask func(w *waiter) error) error {
	dev.users++
	_, err := patiently(t, d.path, func(w *waiter) (nothing struct{}, err error) {
		defer t.release(dev)
		return nothing, ask(w)
	}, func(struct{}) {})
	return err
}

// interrupt has an operation that has waited for a store for a while give up.
func (t *Target) interrupt() {
	select {
	case t.hurried <- struct{}{}:
	default: // none has
	}
}

// awaitStore waits for done, for as long as an operation may, or until interrupt; that
// does not reach one whose store is not found to be slow yet.
func (t *Target) awaitStore(done <-chan struct{}) {
	wait, deaf := t.openPatience, t.patience
	if t.hanging.Load() > 0 {
		wait, deaf = wait/impatient, deaf/impatient
	}
	deaf = min(deaf, wait)
	timer := time.NewTimer(deaf)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	}
	timer.Reset(wait - deaf)
	select {
	case <-done:
	case <-timer.C:
	case <-t.hurried:
	}
}
