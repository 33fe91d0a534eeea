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
	// impatient is by how much less it waits while other stores do not answer either.
	impatient = 6
	// maxHanging is how many stores may leave us waiting at once: each has a thread,
	// of which a process may have 10,000 (runtime/debug.SetMaxThreads), or what
	// its service may.
	maxHanging = 1024
)

// patiently calls ask, which asks things of the store at path, and returns what it
// does, unless that takes too long: then undo gets it. ops is held by all of them, and
// released while ask is waited for.
func patiently[T any](t *Target, path string, ask func() (T, error), undo func(T)) (got T, err error) {
	if t.parts.NeverHangs {
		return ask()
	}
	if t.hanging.Load() >= maxHanging {
		return got, fmt.Errorf("%w: %d others do not answer; try again when they do: %w", ErrStore, maxHanging, syscall.EAGAIN)
	}
	late, done := false, make(chan struct{})
	go func() {
		t.ops.Lock()
		defer t.ops.Unlock()
		defer close(done)
		one, failed := ask()
		if !late {
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
	late = true
	t.hanging.Add(1)
	t.attempts.Add(1)
	return got, fmt.Errorf("%w: %s has not answered for %s; try again when it does: %w", ErrStore, path,
		time.Since(began).Round(time.Second/10), syscall.ETIMEDOUT)
}

// interrupt has an operation that waits for a store give up.
func (t *Target) interrupt() {
	select {
	case t.hurried <- struct{}{}:
	default: // none does
	}
}

// awaitStore waits for done, for as long as an operation may, or until interrupt.
func (t *Target) awaitStore(done <-chan struct{}) {
	wait := t.openPatience
	if t.hanging.Load() > 0 {
		wait /= impatient
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-t.hurried:
	}
}
