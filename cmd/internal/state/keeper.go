package state

import (
	"bytes"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// How long after a failed save the next begins: at least shortest when somebody
// waits for it, else twice as long each time up to longest. Failures are logged
// as seldom, down to once in longestQuiet.
const (
	shortestRetry = 100 * time.Millisecond
	longestRetry  = 5 * time.Second
	longestQuiet  = time.Minute
)

// How long no save is made for the changes of initiators after one that was: so
// many times as long as that took, and no longer than longestRest. Whoever changes
// config strings without end gets no more than a fifth of a processor for it; a change
// now and then is saved at once.
const (
	restAfterSave = 4
	longestRest   = 2 * time.Second
)

// Changed tells of a change that has been made. It returns at once. Then, if
// not nil, is called from another goroutine when the change is durable, or with
// the error of a save that failed: that is for the changes of initiators, which
// wait for each other.
func (k *Keeper) Changed(then func(error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing {
		if then != nil {
			go then(ErrClosed)
		}
		return
	}
	k.changes++
	if k.due.IsZero() {
		k.due = time.Now().Add(patience)
	}
	if then != nil {
		k.thens = append(k.thens, then)
		k.wanted = k.changes
	}
	k.poke()
}

// Hurry has initiators wait for no rest after a save, or as always again: while
// requests are held up until theirs are answered.
func (k *Keeper) Hurry(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hurried = on
	k.poke()
}

// Settle waits until the changes so far are durable, or a save of them has
// failed, or those who wait have waited enough of late.
func (k *Keeper) Settle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	began := time.Now()
	left := k.waits.left(began)
	if !k.started || k.attempted >= k.changes || left == 0 {
		return
	}
	k.waits.enter(began)
	k.await(k.changes, time.After(left))
	k.waits.leave(time.Now())
}

// Save makes the present state durable now.
func (k *Keeper) Save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing || !k.started {
		return ErrClosed
	}
	k.changes++ // perhaps none, but one that must be saved
	if !k.await(k.changes, nil) {
		return ErrClosed
	}
	return k.err
}

// Unsaved reports whether a save is under way, or is to come: after one that failed, and
// for changes that nobody waits for.
func (k *Keeper) Unsaved() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.started && k.changes > k.saved
}

// await waits for a save that covers a change, and reports whether there was
// one; mu is held before and after.
func (k *Keeper) await(change uint64, enough <-chan time.Time) bool {
	k.urgent = max(k.urgent, change)
	k.poke()
	for k.attempted < change {
		round := k.round
		k.mu.Unlock()
		gaveUp := false
		select {
		case <-round:
		case <-enough:
			gaveUp = true
		case <-k.ended:
			gaveUp = true
		}
		k.mu.Lock()
		if gaveUp {
			return k.attempted >= change
		}
	}
	return true
}

// poke has the saving goroutine look at what there is to do.
func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run saves until the keeper is closed.
func (k *Keeper) run() {
	defer close(k.ended)
	for {
		delay, last := k.next(time.Now())
		if delay == 0 {
			k.attempt()
		}
		if last {
			return
		}
		if delay == 0 {
			continue
		}
		timer := time.NewTimer(delay)
		select {
		case <-k.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// next is how long it is to the next save, if nothing comes between, and
// whether that is the last.
func (k *Keeper) next(now time.Time) (delay time.Duration, last bool) {
	const never = time.Hour
	k.mu.Lock()
	defer k.mu.Unlock()
	unsaved := k.changes > k.saved
	switch {
	case k.closing && unsaved:
		return 0, true
	case k.closing:
		return never, true
	case k.urgent > k.attempted:
		return max(k.notBefore.Sub(now), 0), false
	case k.wanted > k.attempted:
		rest := k.rested.Sub(now)
		if k.hurried {
			rest = 0
		}
		return max(k.notBefore.Sub(now), rest, 0), false
	case unsaved && !k.due.IsZero():
		return max(k.due.Sub(now), 0), false
	}
	return never, false
}

// attempt makes one save, of all changes so far.
func (k *Keeper) attempt() {
	k.mu.Lock()
	covered, thens := k.changes, k.thens
	k.thens, k.due = nil, time.Time{}
	k.mu.Unlock()

	began := time.Now()
	err := k.replace(k.text())
	ended := time.Now()

	k.mu.Lock()
	k.rested = ended.Add(min(restAfterSave*ended.Sub(began), longestRest))
	k.attempted, k.err = covered, err
	var tell func()
	if err == nil {
		k.saved = covered
		tell = k.succeeded()
	} else {
		tell = k.failed(err, time.Now())
	}
	close(k.round)
	k.round = make(chan struct{})
	k.mu.Unlock()
	tell() // who reads the log may be slow, and workers take mu
	for _, then := range thens {
		then(err)
	}
}

// replace saves text unless the file has it.
func (k *Keeper) replace(text []byte) error {
	if k.last != nil && bytes.Equal(text, k.last) && k.folder.has() {
		return nil
	}
	if k.rejected && k.folder.has() {
		name, err := k.folder.keepRejected(time.Now())
		if err != nil {
			return err
		}
		k.log.Warnf("the state that was not carried out in full is kept as %s; `vbladefs restore %s` tries it again", name, name)
	}
	k.rejected, k.last = false, nil
	if err := k.folder.save(seal(text)); err != nil {
		return err
	}
	k.last = text
	return nil
}

// succeeded returns what logs that saves succeed again; mu is held.
func (k *Keeper) succeeded() (tell func()) {
	tell = func() {}
	if k.failures > 0 {
		tell = func() { k.log.Infof("the state is saved again, in %s", k.Path()) }
	}
	k.failures, k.notBefore, k.quiet = 0, time.Time{}, time.Time{}
	return tell
}

// failed sets the time of the next attempt, and returns what logs the failure,
// the more seldom the longer it lasts; mu is held.
func (k *Keeper) failed(err error, now time.Time) (tell func()) {
	tell = func() {}
	doubled := patience << min(k.failures, 10)
	delay := min(doubled, longestRetry)
	if !now.Before(k.quiet) {
		k.quiet = now.Add(min(doubled, longestQuiet))
		tell = func() {
			k.log.Errorf("THE STATE IS NOT SAVED: %v. What is exported is served on, but what has changed since the last save is lost when the daemon ends. %s; it is tried again in %v, and at least every %v from then on; `vbladefs save` tries it now",
				err, k.advice(err), delay, longestRetry)
		}
	}
	k.failures++
	k.notBefore = now.Add(shortestRetry)
	k.due = now.Add(delay)
	return tell
}

// advice is what to do about a failed save.
func (k *Keeper) advice(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "Free space where " + k.folder.dir + " is"
	case errors.Is(err, unix.EROFS):
		return "Mount the file system of " + k.folder.dir + " for writing (mount -o remount,rw)"
	case errors.Is(err, unix.EIO):
		return "Look for errors of the disk of " + k.folder.dir + " (dmesg)"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return "Somebody removed the folder " + k.folder.dir + ": `vbladefs save FILE` saves elsewhere, and the folder is made again at the next start"
	}
	return "Look at " + k.folder.dir
}
