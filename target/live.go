package target

import (
	"errors"
	"fmt"
	"syscall"
)

// This file changes whether a drive takes writes while it is exported;
// Target.ops is held. Read-only is the drive's: drives that share a device may
// differ, and the device is open for writing once one of them needs it.

func (SetReadOnly) opens() bool { return true }

func (op SetReadOnly) apply(t *Target) error {
	d, err := t.findDrive(op.Drive)
	switch {
	case err != nil:
		return err
	case op.ReadOnly:
		return t.refuseWrites(d)
	}
	return t.takeWrites(d)
}

// refuseWrites has d take no more writes, and waits for those that are under
// way. If they do not finish in time, d goes on to take them.
func (t *Target) refuseWrites(d *drive) error {
	dev := d.device.Load()
	if dev == nil {
		t.setAccess(d, AccessReadOnly)
		return nil
	}
	dev.users++ // it stays open meanwhile
	defer t.release(dev)
	done, err := patiently(t, d.path, func(*waiter) (func(), error) { return t.awaitClaim(dev.key), nil }, func(done func()) { done() })
	if err != nil {
		return err
	}
	defer done() // who makes it writable may take back what it did to d
	before := d.access
	t.setAccess(d, AccessReadOnly)
	if err := t.settled(dev); err != nil {
		t.setAccess(d, before)
		return err
	}
	return nil
}

// takeWrites has d take writes, if its medium does. One that was made read-only
// goes back to the access that it had: with AccessAuto it waits for a medium that
// does, and otherwise it fails.
func (t *Target) takeWrites(d *drive) error {
	if dev := d.device.Load(); dev != nil {
		err := t.withDevice(d, dev, func(w *waiter) error { return t.makeWritableFor(w, dev, d) })
		if d.access == AccessReadOnly && d.wished == AccessAuto && unwritable(err) {
			t.log.Warnf("drive %s, %s, is read-only still, and only as long as its medium takes no writes: %v", d.name, d.path, err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	switch {
	case d.access != AccessReadOnly:
	case d.wished == AccessReadOnly:
		t.setAccess(d, AccessReadWrite)
	default:
		t.setAccess(d, d.wished)
	}
	return nil
}

// makeWritableFor is makeWritable, after which d takes writes only if w is there still.
func (t *Target) makeWritableFor(w *waiter, dev *device, d *drive) error {
	defer t.awaitClaim(dev.key)()
	if err := w.gone(); err != nil {
		return err
	}
	err := t.makeWritable(dev, d)
	if err == nil && w.left && d.access != AccessReadOnly {
		t.setAccess(d, AccessReadOnly)
		if t.keeper != nil {
			t.keeper.Changed(nil)
		}
	}
	return err
}

// unwritable tells whether err is one for which AccessAuto opens a store for
// reading.
func unwritable(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)
}

// setAccess changes what d is open for, as far as its ports go.
func (t *Target) setAccess(d *drive, a Access) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a == AccessReadOnly && d.access != AccessReadOnly {
		d.wished = d.access
	}
	d.access = a
	for p := range d.eachPort() {
		p.locked.Store(a == AccessReadOnly)
	}
}

// settled waits until all that has come for dev up to now has left. Requests
// that come later do not delay it. The caller is an opener, and a user of dev.
func (t *Target) settled(dev *device) error {
	for n := range dev.homes {
		n.barrier() // what a worker has looked at is in the order after this
	}
	var drained bool
	t.outside(func() { drained = dev.order.settle(drainGrace) })
	switch {
	case t.closed:
		return ErrClosed
	case !drained:
		return fmt.Errorf("%w: the drive may be stuck, try again later", ErrNotDrained)
	}
	return nil
}

// makeWritable has dev open for writing for the sake of d, which may be nil.
// Other drives on it, which took no writes so far, go on to take none. The
// caller has claimed dev.
func (t *Target) makeWritable(dev *device, d *drive) error {
	if !dev.store.ReadOnly() {
		return nil
	}
	var others []*drive
	for o := range t.drives.all {
		if o != d && o.device.Load() == dev && o.access != AccessReadOnly {
			others = append(others, o)
		}
	}
	before := make([]Access, len(others))
	if len(others) > 0 && t.keeper != nil {
		defer t.keeper.Changed(nil) // the caller may be no operation; and what was undone may have been kept
	}
	for i, o := range others {
		before[i] = o.access
		t.setAccess(o, AccessReadOnly)
	}
	dev.users++
	defer t.release(dev)
	var err error
	t.outside(func() { err = dev.openForWriting() })
	if err != nil {
		for i, o := range others {
			t.setAccess(o, before[i])
		}
		return err
	}
	if t.closed {
		return ErrClosed
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	dev.note = dev.store.Note()
	return nil
}

// openForWriting opens the store of d for writing while nothing is in flight.
func (d *device) openForWriting() error {
	resume, drained := d.order.hold(drainGrace)
	defer resume()
	if !drained {
		return fmt.Errorf("%w: the drive may be stuck, try again later", ErrNotDrained)
	}
	if err := d.store.SetWritable(); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

// share makes one more drive use d, which is open already, if that is what op
// asks for.
func (t *Target) share(d *device, op AddDrive) error {
	if op.Access == AccessReadOnly {
		return d.join(op)
	}
	if err := d.agrees(op); err != nil {
		return err
	}
	if err := t.fit(window{op.Offset, op.Length}, d, op.Path); err != nil {
		return err
	}
	err := t.makeWritable(d, t.byName[op.Name]) // who swaps back to d is on it already
	switch {
	case t.closed:
		return ErrClosed
	case err != nil && op.Access == AccessReadWrite:
		return fmt.Errorf("%s is open read-only: %w", op.Path, err)
	case t.devices[d.key] != d:
		return fmt.Errorf("%w: %s was closed meanwhile; try again: %w", ErrStore, op.Path, syscall.EAGAIN)
	}
	return d.join(op)
}
