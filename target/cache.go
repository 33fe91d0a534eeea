package target

import "fmt"

// This file carries out changes of the write policy; Target.ops is held.

func (op SetCache) apply(t *Target) error {
	if err := checkCache(op.Cache); err != nil {
		return err
	}
	d, err := t.findDrive(op.Drive)
	if err != nil {
		return err
	}
	dev := d.device.Load()
	if dev == nil { // it will be opened so
		t.mu.Lock()
		defer t.mu.Unlock()
		d.cache = op.Cache
		return nil
	}
	return t.withDevice(d, dev, func(w *waiter) (err error) {
		t.outside(func() {
			dev.changing.Lock()
			err = dev.changeCache(op.Cache)
		})
		defer dev.changing.Unlock()
		cache := op.Cache
		if err == nil && w.left {
			cache = dev.cache
			t.outside(func() { err = dev.changeCache(cache) })
		}
		if err != nil {
			return err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		dev.setCache(cache)
		dev.note = dev.store.Note()
		return nil
	})
}

// changeCache has the store follow a write policy; changing is held. When it
// returns, every write that is acknowledged is as safe as that: those that began
// under another policy have ended and been flushed. Nothing is in flight while
// it changes, since the page cache and direct I/O do not see each other's
// changes to parts of a page, and one would undo the other's.
func (d *device) changeCache(c Cache) error {
	resume, drained := d.order.hold(drainGrace)
	if !drained {
		resume()
		return fmt.Errorf("%w: the drive may be stuck, try again later", ErrNotDrained)
	}
	if c != CacheDurable {
		d.durable.Store(false) // told before it is so, as the reverse is told once it is
	}
	err := d.store.SetCache(c)
	resume()
	if err == nil {
		err = d.store.Flush()
	}
	if err != nil {
		resume, _ := d.order.hold(drainGrace)
		defer resume()
		_ = d.store.SetCache(d.cache) // even if something is in flight: what is told of the drive must hold
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

func checkCache(c Cache) error {
	switch c {
	case CacheWriteback, CacheDirect, CacheDurable:
		return nil
	}
	return fmt.Errorf("%w: write policy %q: want %s, %s or %s", ErrMalformed, c, CacheWriteback, CacheDirect, CacheDurable)
}
