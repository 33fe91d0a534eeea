package target

import (
	"fmt"
	"syscall"
	"time"
)

// This file opens, shares and closes backing stores; Target.ops is held.

// acquire returns the device that op's path leads to, opening it unless
// another drive has, if w is there still when its turn comes.
func (t *Target) acquire(op AddDrive, w *waiter) (*device, error) {
	if !IsBacking(op.Path) {
		return nil, notAbsolute(op.Path)
	}
	key, err := t.identify(op.Path)
	if err != nil {
		return nil, err
	}
	defer t.awaitClaim(key)()
	if err := w.gone(); err != nil {
		return nil, err
	}
	if d := t.devices[key]; d != nil {
		return d, t.share(d, op)
	}
	if t.leaving[key] > 0 {
		return nil, fmt.Errorf("%w: requests to %s are under way that came before it was replaced; try again when they have ended", ErrInUse, op.Path)
	}
	if op.Cache == "" {
		op.Cache = t.cache
	}
	var store Store
	t.outside(func() {
		store, err = t.parts.OpenStore(op.Path, StoreOptions{Access: op.Access, Cache: op.Cache, Force: op.Force})
	})
	return t.opened(op, key, store, err)
}

// acquireFitting is acquire of a device that holds the part of it that op is of.
func (t *Target) acquireFitting(op AddDrive, w *waiter) (*device, error) {
	dev, err := t.acquire(op, w)
	if err != nil {
		return nil, err
	}
	if err := t.fit(window{op.Offset, op.Length}, dev, op.Path); err != nil {
		t.release(dev)
		return nil, err
	}
	return dev, nil
}

// awaitClaim is claim once nobody else has the store.
func (t *Target) awaitClaim(key string) (done func()) {
	for c := t.claims[key]; c != nil; c = t.claims[key] {
		t.outside(func() { <-c })
	}
	return t.claim(key)
}

// claim has acquire leave the store called key to the caller, who asks things of
// it without ops, until it is done.
func (t *Target) claim(key string) (done func()) {
	c := make(chan struct{})
	t.claims[key] = c
	return func() {
		delete(t.claims, key)
		close(c)
	}
}

// opened makes a device of what OpenStore returned, if it is the store called
// key.
func (t *Target) opened(op AddDrive, key string, s Store, err error) (*device, error) {
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	case t.closed:
		err = ErrClosed
	case s.Key() != key:
		err = fmt.Errorf("%w: %s led elsewhere while it was opened; try again: %w", ErrStore, op.Path, syscall.EAGAIN)
	}
	if err != nil {
		t.outside(func() { _ = s.Close() })
		return nil, err
	}
	d := &device{key: key, users: 1, store: s, note: s.Note()}
	d.loser, _ = s.(Loser)
	if d.note != "" {
		t.log.Warnf("%s: %s", op.Path, d.note)
	}
	d.setCache(op.Cache)
	d.told.Store(d.sectors())
	t.devices[key] = d
	t.watchSizes()
	return d, nil
}

func notAbsolute(path string) error {
	return fmt.Errorf("%w: path %q is not absolute; want one that begins with /, or a URI such as nbd://host/export", ErrMalformed, path)
}

// identify names what path leads to.
func (t *Target) identify(path string) (key string, err error) {
	t.outside(func() { key, err = t.parts.Identify(path) })
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrStore, err)
	}
	return key, err
}

// join makes one more drive use d, if that is what op asks for.
func (d *device) join(op AddDrive) error {
	if op.Access == AccessReadWrite && d.store.ReadOnly() {
		return fmt.Errorf("%w: %s is open read-only already: %w", ErrStore, op.Path, syscall.EROFS)
	}
	if err := d.agrees(op); err != nil {
		return err
	}
	d.users++
	return nil
}

// agrees refuses another write policy than that of d.
func (d *device) agrees(op AddDrive) error {
	if op.Cache != "" && op.Cache != d.cache {
		return fmt.Errorf("%w: %s is open with write policy %s already; change that first", ErrInUse, op.Path, d.cache)
	}
	return nil
}

// release closes d when its last drive has gone, as soon as nothing is in
// flight on it.
func (t *Target) release(d *device) {
	if d.users--; d.users > 0 {
		return
	}
	delete(t.devices, d.key)
	closeStore := func() {
		if err := d.close(time.Now().Add(drainGrace)); err != nil {
			t.log.WithError(err).Error("closing a backing store")
		}
	}
	if d.order.idle() {
		if t.claims[d.key] == nil { // else the caller has it
			defer t.claim(d.key)() // whoever opens it now would meet our own claim
		}
		t.outside(closeStore)
		return
	}
	// Only after Rebind, from a device that is stuck. It is not opened a second time meanwhile: what is under way would be
	// written after what came later, and was answered. Local stores are claimed besides; servers know no claims.
	t.leaving[d.key]++
	go func() {
		for !d.order.settle(time.Minute) {
		}
		closeStore()
		t.ops.Lock()
		defer t.ops.Unlock()
		if t.leaving[d.key]--; t.leaving[d.key] == 0 {
			delete(t.leaving, d.key)
		}
	}()
}
