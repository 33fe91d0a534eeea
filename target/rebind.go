package target

import "fmt"

// This file swaps the device under a drive; Target.ops is held.

func (op Rebind) apply(t *Target) error {
	b := t.findBinding(op.Addr, t.realName(op.Interface))
	if b == nil {
		return fmt.Errorf("%w: %s on %s", ErrNoPort, op.Addr, orAny(op.Interface))
	}
	d := b.blade.drive
	if err := d.checkPaused(); err != nil {
		return err
	}
	cache := d.cache
	if dev := d.device.Load(); dev != nil {
		cache = dev.cache
	}
	next, err := patiently(t, op.Path, func(w *waiter) (*device, error) {
		return t.acquireAsked(AddDrive{Name: d.name, Path: op.Path, Access: d.access, Cache: cache,
			Offset: d.window.first, Length: d.window.length}, w)
	}, t.release)
	if err != nil {
		return err
	}
	if t.byName[d.name] != d || t.blades[op.Addr] != b.blade {
		t.release(next)
		return fmt.Errorf("%w: %s was removed meanwhile", ErrNoPort, op.Addr)
	}
	if d.device.Load() == nil {
		t.mu.Lock()
		d.path, d.force = op.Path, false
		t.mu.Unlock()
		t.comeUp(d, next)
		return nil
	}
	if err := t.swap(d, next, op.Path); err != nil {
		t.release(next)
		return err
	}
	return nil
}

// acquireAsked is acquireFitting of a device that is asked for its size anew, even if
// another drive has it.
func (t *Target) acquireAsked(op AddDrive, w *waiter) (*device, error) {
	dev, err := t.acquire(op, w)
	if err != nil {
		return nil, err
	}
	t.outside(func() { err = dev.ask() })
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrStore, err)
	} else {
		err = window{op.Offset, op.Length}.check(op.Path, dev.sectors())
	}
	if err != nil {
		t.release(dev)
		return nil, err
	}
	return dev, nil
}

// swap puts the device next under d. What an initiator was promised with
// SET FEATURES holds for it, too.
func (t *Target) swap(d *drive, next *device, path string) error {
	old := d.device.Load()
	keepPromise := func() {
		if old.initiatorCache.through() {
			next.initiatorCache.set(true)
		}
	}
	keepPromise()
	if next.users == 1 { // and this drive is the one: nothing that it holds was answered
		next.initiatorCache.flushed(next.initiatorCache.turn())
	}
	if err := t.moveHome(d, old, next); err != nil {
		return err
	}
	t.mu.Lock()
	d.path, d.force = path, false // so was next opened
	t.mu.Unlock()
	for b := range d.bindings.all {
		for _, p := range b.ports {
			p.netif.barrier() // none starts on the old device after this
			t.announce(p)
		}
	}
	keepPromise() // it may have been made just before the swap
	if old.users == 1 && old != next {
		old.order.settle(drainGrace) // swapped back at once, it must be free
	}
	t.release(old)
	return nil
}
