package target

import (
	"fmt"
	"slices"
	"strings"

	"vbladefs/target/aoe"
)

// This file carries out the operations on whole addresses; Target.ops is held.

func (op AddBlade) apply(t *Target) error {
	if err := checkAddr(op.Addr); err != nil {
		return err
	}
	d := t.byName[op.Drive]
	if d == nil {
		return fmt.Errorf("%w: %q; add it to the file drives first", ErrNoDrive, op.Drive)
	}
	if blade := t.blades[op.Addr]; blade != nil {
		return fmt.Errorf("%w: %s leads to drive %s already; delete it first or choose another", ErrAddressTaken, op.Addr, blade.drive.name)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.linkBlade(newBlade(op.Addr, d, nil))
	return nil
}

func (op RemoveBlade) apply(t *Target) error {
	blade := t.blades[op.Addr]
	if blade == nil {
		return noBlade(op.Addr)
	}
	return t.remove(slices.Clone(blade.bindings), blade)
}

// remove takes bindings of one blade away, and the blade if it has no others, or
// none at all; a drive that Export made goes with its last blade. Readers see all
// of it or nothing.
func (t *Target) remove(bindings []*binding, blade *blade) error {
	var ports []*port
	for _, b := range bindings {
		ports = append(ports, b.ports...)
	}
	if err := t.detach(ports); err != nil {
		return err
	}
	for _, b := range bindings {
		t.forget(b)
	}
	t.mu.Lock()
	for _, b := range bindings {
		t.unlinkBinding(b)
	}
	unused := false
	if len(blade.bindings) == 0 {
		t.unlinkBlade(blade)
		unused = t.unlinkUnused(blade.drive)
	}
	t.mu.Unlock()
	if unused {
		t.abandon(blade.drive)
	}
	t.fill(blade)
	return nil
}

// linkBlade puts a blade into the model; mu is held.
func (t *Target) linkBlade(b *blade) {
	t.blades[b.addr] = b
	b.drive.blades.add(&b.place, b)
}

// unlinkBlade takes a blade without bindings out of the model; mu is held.
func (t *Target) unlinkBlade(b *blade) {
	delete(t.blades, b.addr)
	b.drive.blades.remove(&b.place)
}

// unlinkUnused takes d out of the model if Export made it and no address leads
// to it any more, and reports whether it did; mu is held.
func (t *Target) unlinkUnused(d *drive) bool {
	unused := d.implicit && d.blades.length == 0
	if unused {
		t.unlinkDrive(d)
	}
	return unused
}

// addresses names what leads to d, the first few.
func (d *drive) addresses() string {
	var names []string
	for b := range d.blades.all {
		if len(names) == 8 {
			return strings.Join(names, ", ") + " and others"
		}
		names = append(names, "e"+b.addr.String())
	}
	return strings.Join(names, ", ")
}

func checkAddr(a aoe.Addr) error {
	if a.Shelf > MaxShelf || a.Slot > MaxSlot {
		return fmt.Errorf("%w: address %s: want shelf 0-%d and slot 0-%d", ErrRange, a, MaxShelf, MaxSlot)
	}
	return nil
}

// BladePorts lists the ports of an address in order of creation.
func (t *Target) BladePorts(addr aoe.Addr) []PortInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b := t.blades[addr]
	if b == nil {
		return nil
	}
	infos := make([]PortInfo, 0, len(b.bindings))
	for _, binding := range b.bindings {
		infos = append(infos, binding.describe())
	}
	return infos
}
