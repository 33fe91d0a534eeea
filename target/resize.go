package target

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// This file follows the sizes of the backing stores. All are asked now and
// then, and one when an operation says so; a store may hang there, which holds
// up nobody else: who asks holds the device's asking lock, and nothing besides.

func (op Resize) apply(t *Target) error {
	_, dev, err := t.findDevice(op.Drive)
	if err != nil {
		return err
	}
	t.outside(func() { err = dev.ask() })
	switch {
	case t.closed:
		return ErrClosed
	case err != nil:
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	t.noticed([]*device{dev})
	t.noted([]*device{dev})
	return nil
}

// ask asks the store for its size. One that hangs is left to it.
func (d *device) ask() error {
	slow := fmt.Errorf("it does not tell its size: %w", syscall.ETIMEDOUT)
	end := time.Now().Add(drainGrace)
	if !d.lockAsking(end) {
		return slow
	}
	result := make(chan error, 1)
	go func() {
		defer d.asking.Unlock()
		result <- d.measure()
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(time.Until(end)):
		return slow
	}
}

// lockAsking takes the asking lock if that can be had before end.
func (d *device) lockAsking(end time.Time) bool {
	for !d.asking.TryLock() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

// measure asks the store for its size; asking is held.
func (d *device) measure() error {
	if d.gone {
		return ErrClosed
	}
	_, err := d.store.Refresh()
	return err
}

// close closes the store: when it is asked for its size at the moment, as soon
// as that has ended. It waits for either until end only.
func (d *device) close(end time.Time) error {
	closed := make(chan error, 1)
	go func() {
		d.asking.Lock()
		defer d.asking.Unlock()
		closed <- d.closeLocked()
	}()
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case err := <-closed:
		return err
	case <-timer.C:
		return nil // it may take for ever
	}
}

// closeLocked closes the store, once; asking is held.
func (d *device) closeLocked() error {
	if d.gone {
		return nil
	}
	d.gone = true
	return d.store.Close()
}

// closeAll closes devices, and waits a moment for those that hang.
func closeAll(devices map[string]*device) error {
	var asked []*device
	var err error
	for _, d := range devices {
		if d.asking.TryLock() {
			err = errors.Join(err, d.closeLocked())
			d.asking.Unlock()
		} else {
			asked = append(asked, d)
		}
	}
	end := time.Now().Add(drainGrace)
	for _, d := range asked {
		err = errors.Join(err, d.close(end))
	}
	return err
}

// noticed has a new size of devices known: initiators are told, the quiet
// ports' too, since they know of the export. The Linux initiator takes a new size
// from an announcement only while nobody has the disk open, else when its
// administrator asks for it (INITIATORS.md §2.10). ops is held.
func (t *Target) noticed(asked []*device) {
	resized := map[*device]uint64{} // their former sizes
	for _, dev := range asked {
		if sectors := dev.sectors(); sectors != dev.told.Load() {
			resized[dev] = dev.told.Swap(sectors)
		}
	}
	if len(resized) == 0 {
		return
	}
	for d := range t.drives.all {
		dev := d.device.Load()
		if former, ok := resized[dev]; ok {
			was, is := d.window.capacity(former), d.window.capacity(dev.told.Load())
			if was == is {
				continue // not the part of it that is this drive
			}
			verb := "grew"
			if is < was {
				verb = "shrank"
			}
			t.log.Infof("drive %s, %s, %s from %d to %d sectors; Linux hosts that have it open see that after aoe-revalidate", d.name, d.path, verb, was, is)
			for p := range d.eachPort() {
				t.announce(p)
			}
		}
	}
}

// round asks each device for its size once.
type round struct {
	devices []*device
	asked   atomic.Int64 // of them; all: the round is over
	seen    int64        // asked, when it was last looked at; guarded by Target.ops
}

// sizes is what asking for the sizes has under way.
type sizes struct {
	every  time.Duration
	timer  *time.Timer  // of the next round; guarded by Target.ops
	last   *round       // guarded by Target.ops
	rounds atomic.Int32 // under way
}

// mostRounds is how many rounds there may be, all but one of them waiting for a
// store that hangs: each holds a thread.
const mostRounds = 16

// watchSizes begins to ask for sizes, unless that goes on already; ops is held.
func (t *Target) watchSizes() {
	if t.sizes.every > 0 && t.sizes.timer == nil {
		t.sizes.timer = time.AfterFunc(t.sizes.every, t.askSizes)
	}
}

// askSizes begins a round, if the last is over, or waits for a store that hangs,
// and comes again as long as there are devices.
func (t *Target) askSizes() {
	t.ops.Lock()
	t.sizes.timer = nil
	if t.closed || len(t.devices) == 0 {
		t.ops.Unlock()
		return
	}
	t.watchSizes()
	r := t.nextRound()
	t.ops.Unlock()
	if r != nil {
		defer t.sizes.rounds.Add(-1)
		t.carryOut(r)
	}
}

// nextRound returns a new round, or nil while the last goes on.
func (t *Target) nextRound() *round {
	if last := t.sizes.last; last != nil {
		asked := last.asked.Load()
		if asked < int64(len(last.devices)) && asked != last.seen {
			last.seen = asked
			return nil
		}
	}
	if t.sizes.rounds.Load() >= mostRounds {
		return nil
	}
	t.sizes.rounds.Add(1)
	r := &round{devices: make([]*device, 0, len(t.devices)), seen: -1}
	for _, dev := range t.devices {
		r.devices = append(r.devices, dev)
	}
	t.sizes.last = r
	return r
}

// carryOut asks the devices of r, but for those that are asked already.
func (t *Target) carryOut(r *round) {
	var resized, noted []*device
	for _, dev := range r.devices {
		if dev.asking.TryLock() {
			err := dev.measure()
			dev.asking.Unlock()
			if err == nil && dev.sectors() != dev.told.Load() {
				resized = append(resized, dev)
			}
			if err == nil && t.noteOf(dev) != dev.store.Note() {
				noted = append(noted, dev)
			}
		}
		r.asked.Add(1)
	}
	if len(resized)+len(noted) > 0 {
		t.ops.Lock()
		defer t.ops.Unlock()
		gone := func(d *device) bool { return t.devices[d.key] != d }
		t.noticed(slices.DeleteFunc(resized, gone))
		t.noted(slices.DeleteFunc(noted, gone))
	}
}

func (t *Target) noteOf(dev *device) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return dev.note
}

// noted shows, and logs, what is new to know of devices, for each drive that leads
// to one; ops is held.
func (t *Target) noted(devices []*device) {
	fresh := map[*device]bool{}
	for _, dev := range devices {
		note := dev.store.Note()
		if note == dev.note {
			continue
		}
		t.mu.Lock()
		dev.note = note
		t.mu.Unlock()
		fresh[dev] = note != ""
	}
	if len(fresh) == 0 {
		return
	}
	for d := range t.drives.all {
		if dev := d.device.Load(); fresh[dev] {
			t.log.Warnf("drive %s, %s: %s", d.name, d.path, dev.note)
		}
	}
}
