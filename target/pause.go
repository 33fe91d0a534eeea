package target

import "fmt"

// This file pauses devices; Target.ops is held. The workers ask a paused
// device for nothing (serve.go), so that its backing store can be copied.

// opens: to go on waits for nothing, and for nobody who does.
func (op SetPaused) opens() bool { return op.Paused }

func (op SetPaused) apply(t *Target) error {
	d, dev, err := t.findDevice(op.Drive)
	switch {
	case d != nil && dev == nil && !op.Paused: // it is not, as it is down
		return nil
	case err != nil:
		return err
	case dev.paused.Load() == op.Paused:
		return nil
	case !op.Paused:
		dev.paused.Store(false)
		t.log.Infof("drive %s goes on", d.name)
		return nil
	}
	if err := t.pause(d, dev); err != nil {
		dev.paused.Store(false)
		return err
	}
	t.log.Infof("drive %s is paused: requests are not answered until it goes on", d.name)
	return nil
}

// pause has what comes for dev go unanswered, and what is in flight finish and
// be safe on the medium.
func (t *Target) pause(d *drive, dev *device) error {
	dev.users++ // it stays open meanwhile
	defer t.release(dev)
	dev.paused.Store(true)
	if err := t.settled(dev); err != nil {
		return err
	}
	err := t.withDevice(d, dev, func(*waiter) (err error) {
		t.outside(func() { err = dev.store.Flush() })
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrStore, err)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case t.closed:
		return ErrClosed
	case !dev.paused.Load():
		return fmt.Errorf("%w: it was resumed meanwhile", ErrInUse)
	}
	return nil
}

// checkPaused refuses to take a paused device away from under a drive.
func (d *drive) checkPaused() error {
	if dev := d.device.Load(); dev != nil && dev.paused.Load() {
		return fmt.Errorf("%w: drive %s is paused; resume it first", ErrInUse, d.name)
	}
	return nil
}
