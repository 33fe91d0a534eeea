package target

import (
	"slices"
	"time"
)

// This file brings up drives that are down: those that were added with Wait
// while their store could not be opened. Each is tried again every second or so.
// A store that hangs holds up its own drives only.

// Variables for tests; a Target keeps those that it was made with.
var (
	// reopenDelay is how long drives that are down are left alone, at least.
	reopenDelay = time.Second
	// patience is how long an attempt holds up the next.
	patience = time.Second
)

const (
	longestRest = 5 * time.Second
	// restful bounds what absent drives cost: a rest is as many times as long as
	// the round of attempts before it.
	restful = 50
	// impatience is patience while another attempt hangs already.
	impatience = 20 * time.Millisecond
)

// Why a drive is down before its store has said anything.
const (
	downOpening = "its backing store is being opened"
	downSilent  = "its backing store does not answer; still waiting for it"
	downOthers  = "too many others do not answer"
)

// addWaiting adds d, which op describes, and brings it up if its store can be opened.
func (t *Target) addWaiting(d *drive, op AddDrive) error {
	if op.Create != 0 {
		m, err := patiently(t, op.Path, func(w *waiter) (made, error) { return t.makeStore(op, w) }, t.unmake)
		if err != nil {
			return err
		}
		m.done()
	}
	d.down = downOpening
	t.mu.Lock()
	t.linkDrive(d)
	t.mu.Unlock()
	t.absent.add(&d.waits, d)
	t.outside(func() { t.try(d) })
	t.reopenAfter(t.reopenDelay)
	return nil
}

// reopenAfter has all drives that are down tried again after a rest; ops is
// held.
func (t *Target) reopenAfter(rest time.Duration) {
	if t.reopener == nil && t.absent.length > 0 && !t.closed {
		t.reopener = time.AfterFunc(rest, t.reopen)
	}
}

// reopen tries all drives that are down.
func (t *Target) reopen() {
	began := time.Now()
	t.ops.Lock()
	drives := slices.Collect(t.absent.all)
	t.ops.Unlock()
	for _, d := range drives {
		t.try(d)
	}
	t.ops.Lock()
	defer t.ops.Unlock()
	t.reopener = nil
	t.reopenAfter(min(max(t.reopenDelay, restful*time.Since(began)), longestRest))
}

// try makes an attempt to bring d up, and waits for it, though not for long: one
// that takes its time goes on by itself.
func (t *Target) try(d *drive) {
	if t.parts.NeverHangs {
		t.attempt(d)
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.attempt(d)
	}()
	wait := t.patience
	if t.hanging.Load() > 0 {
		wait = impatience
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.hanging.Add(1)
		go func() {
			<-done
			t.hanging.Add(-1)
		}()
		t.ops.Lock()
		defer t.ops.Unlock()
		if d.trying {
			t.stayDown(d, downSilent)
		}
	}
}

// attempt opens the store of d, if it is down and nobody else does that, and
// brings it up.
func (t *Target) attempt(d *drive) {
	t.ops.Lock()
	defer t.ops.Unlock()
	if t.closed || d.trying || !d.waits.taken {
		return
	}
	if t.hanging.Load() >= maxHanging {
		t.stayDown(d, downOthers)
		return
	}
	d.trying = true
	t.attempts.Add(1)
	defer func() {
		d.trying = false
		t.attempts.Add(-1)
	}()
	wish := d.wish()
	dev, err := t.acquireFitting(wish, &waiter{t: t})
	switch {
	case t.closed || !d.waits.taken || d.wish() != wish: // removed, or changed, meanwhile
		if err == nil {
			t.release(dev)
		}
	case err != nil:
		t.stayDown(d, err.Error())
	default:
		t.comeUp(d, dev)
	}
}

// wish is how the store of d, which is down, is to be opened.
func (d *drive) wish() AddDrive {
	return AddDrive{Path: d.path, Access: d.access, Cache: d.cache, Force: d.force,
		Offset: d.window.first, Length: d.window.length}
}

// stayDown says why d is down, unless that has been said.
func (t *Target) stayDown(d *drive, reason string) {
	if d.down == reason {
		return
	}
	t.mu.Lock()
	d.down = reason
	t.mu.Unlock()
	t.log.Warnf("drive %s is down, and tried again until it comes up: %s", d.name, reason)
}

// comeUp puts the device under d, which is down, and d on its interfaces.
func (t *Target) comeUp(d *drive, dev *device) {
	t.absent.remove(&d.waits)
	if d.down != downOpening {
		t.log.Infof("drive %s is up: %s", d.name, d.path)
	}
	t.mu.Lock()
	d.down = ""
	d.device.Store(dev)
	t.mu.Unlock()
	for _, b := range slices.Collect(d.bindings.all) {
		if b.inTarget.taken { // what is reached may turn out to be renamed; see carry
			t.reach(b, nil)
		}
	}
}

// awaitAttempts waits until no store is being opened, but for those that hang.
func (t *Target) awaitAttempts(pause func() error) {
	for t.attempts.Load() > t.hanging.Load() && pause() == nil {
	}
}
