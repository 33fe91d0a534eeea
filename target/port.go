package target

import (
	"bytes"
	"fmt"
	"slices"

	"vbladefs/target/aoe"
)

// This file carries out the operations on ports and whole exports; Target.ops
// is held.

func (op AddPort) apply(t *Target) error {
	if op.Drive == "" {
		blade := t.blades[op.Addr]
		if blade == nil {
			return noBlade(op.Addr)
		}
		return t.addBinding(blade.drive, op, nil)
	}
	d := t.byName[op.Drive]
	if d == nil {
		return fmt.Errorf("%w: %q; add it to the file drives first", ErrNoDrive, op.Drive)
	}
	return t.addBinding(d, op, nil)
}

func (op RemovePort) apply(t *Target) error {
	var found []*binding
	op.Interface = t.realName(op.Interface)
	if blade := t.blades[op.Addr]; blade != nil && (op.Drive == "" || blade.drive.name == op.Drive) {
		for _, b := range blade.bindings {
			if op.Interface == "" || b.netif == op.Interface {
				found = append(found, b)
			}
		}
	}
	if len(found) == 0 && op.MissingOK {
		t.log.Infof("nothing to remove: %s is not on %s", op.Addr, orAny(op.Interface))
		return nil
	}
	if len(found) == 0 {
		return fmt.Errorf("%w: %s on %s", ErrNoPort, op.Addr, orAny(op.Interface))
	}
	return t.remove(found, found[0].blade)
}

func orAny(netif string) string {
	if netif == "" {
		return "any interface"
	}
	return "interface " + netif
}

func (op Export) apply(t *Target) error {
	if n := len(op.Config); n > aoe.MaxConfigString {
		return fmt.Errorf("%w: config string of %d bytes: want at most %d", ErrTooLong, n, aoe.MaxConfigString)
	}
	port := AddPort{Addr: op.Addr, Interface: op.Interface, Quiet: op.Quiet, Force: op.Force}
	if blade := t.blades[op.Addr]; blade != nil {
		return op.extend(t, blade, port)
	}
	if err := t.checkPort(&port); err != nil {
		return err
	}
	d, err := t.addDrive(AddDrive{Name: t.implicitName(op.Path, op.Addr), Path: op.Path, Access: op.Access,
		Identity: op.Identity}, true)
	if err != nil {
		return err
	}
	if err := t.addBinding(d, port, op.Config); err != nil {
		t.removeDrive(d)
		return err
	}
	return nil
}

// extend adds a port to an address that is served already, if it is the same
// device.
func (op Export) extend(t *Target, blade *blade, port AddPort) error {
	if op.Unique {
		return fmt.Errorf("%w: %s is served already, from drive %s; delete it first or choose another", ErrAddressTaken, op.Addr, blade.drive.name)
	}
	key, err := t.identify(op.Path)
	if err != nil {
		return err
	}
	if err := t.checkPort(&port); err != nil {
		return err
	}
	if t.blades[op.Addr] != blade {
		return fmt.Errorf("%w: %s was removed meanwhile; try again", ErrInUse, op.Addr)
	}
	if key != blade.drive.device.Load().key {
		return fmt.Errorf("%w: %s leads to %s on every interface; choose another address for %s", ErrAddressTaken,
			op.Addr, blade.drive.path, op.Path)
	}
	return t.addBinding(blade.drive, port, nil)
}

// checkPort refuses what no port can be, before anything is opened for it. It
// replaces an alternative name of the interface by its real one.
func (t *Target) checkPort(op *AddPort) error {
	if err := checkAddr(op.Addr); err != nil {
		return err
	}
	if op.Interface != EveryInterface {
		info, err := t.lookup(op.Interface)
		if err != nil {
			return err
		}
		op.Interface = info.Name
	}
	blade := t.blades[op.Addr]
	if blade == nil {
		return nil
	}
	for _, b := range blade.bindings {
		if b.netif == op.Interface || b.netif == EveryInterface || op.Interface == EveryInterface {
			return fmt.Errorf("%w: %s is on interface %s already", ErrAddressTaken, op.Addr, b.netif)
		}
	}
	return nil
}

// lookup asks for an interface that frames of ours can pass.
func (t *Target) lookup(name string) (Interface, error) {
	info, err := t.parts.LookupInterface(name)
	if err != nil {
		return Interface{}, err
	}
	if !info.Ethernet && !info.Loopback {
		return Interface{}, fmt.Errorf("%w: %s; AoE needs an Ethernet interface", ErrNotEthernet, name)
	}
	return info, nil
}

// addBinding makes d reachable as op says, as a whole or not at all.
func (t *Target) addBinding(d *drive, op AddPort, config []byte) error {
	if err := t.checkPort(&op); err != nil {
		return err
	}
	blade := t.blades[op.Addr]
	if blade != nil && blade.drive != d {
		return fmt.Errorf("%w: %s leads to drive %s; choose another address", ErrAddressTaken, op.Addr, blade.drive.name)
	}
	fresh := blade == nil
	if fresh {
		blade = newBlade(op.Addr, d, config)
	}
	b := &binding{blade: blade, netif: op.Interface, buffers: op.Buffers, sectors: op.Sectors, quiet: op.Quiet, force: op.Force}
	if b.buffers == 0 {
		b.buffers = DefaultBuffers
	}
	// The model first and the tables last: what answers is complete.
	t.mu.Lock()
	if fresh {
		t.linkBlade(blade)
	}
	t.link(b)
	t.mu.Unlock()
	err := t.open(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.unlinkBinding(b)
		if fresh {
			t.unlinkBlade(blade)
		}
		return err
	}
	t.served = true
	return nil
}

func newBlade(addr aoe.Addr, d *drive, config []byte) *blade {
	b := &blade{addr: addr, drive: d}
	b.rules.Store(&noRules)
	if len(config) > 0 {
		b.rules.Store(&rules{config: bytes.Clone(config)})
	}
	return b
}

// open puts b on its interface, or on all that there are.
func (t *Target) open(b *binding) error {
	if b.netif != EveryInterface {
		info, err := t.lookup(b.netif)
		if err != nil {
			return err
		}
		return t.extend(b, info)
	}
	for _, info := range t.known {
		if err := t.extend(b, info); err != nil {
			t.log.WithError(err).Errorf("%s cannot be served on %s", b.blade.addr, info.Name)
		}
	}
	return nil
}

// extend puts b on the interface, unless it is there or does not belong there.
func (t *Target) extend(b *binding, info Interface) error {
	if b.netif == EveryInterface && !info.Ethernet {
		return nil
	}
	for _, p := range b.ports {
		if p.netif.name == info.Name {
			return nil
		}
	}
	fresh := t.netifs[info.Name] == nil
	n, err := t.ensureNetif(info)
	if err != nil {
		return err
	}
	if mac, yes := t.answered(b.blade.addr, n.name); yes && !b.force {
		t.dropIfUnused(n)
		return fmt.Errorf("%w: %s on %s, by %s", ErrAnswered, b.blade.addr, n.name, mac)
	}
	p, err := t.attach(b, n)
	if err != nil {
		t.dropIfUnused(n)
		return err
	}
	if b.quiet {
		return nil
	}
	t.announce(p)
	if fresh {
		t.announceAgain(n)
	}
	return nil
}

// link puts b into the model; mu is held.
func (t *Target) link(b *binding) {
	b.blade.bindings = append(b.blade.bindings, b)
	b.blade.drive.bindings.add(&b.inDrive, b)
	t.bindings.add(&b.inTarget, b)
}

// unlinkBinding takes b out of the model; mu is held.
func (t *Target) unlinkBinding(b *binding) {
	b.blade.bindings = slices.DeleteFunc(b.blade.bindings, func(o *binding) bool { return o == b })
	b.blade.drive.bindings.remove(&b.inDrive)
	t.bindings.remove(&b.inTarget)
}

func (op Announce) apply(t *Target) error {
	for _, n := range t.netifs {
		for p := range n.ports.all {
			t.announce(p)
		}
	}
	return nil
}

func (op Rebind) apply(t *Target) error {
	b := t.findBinding(op.Addr, t.realName(op.Interface))
	if b == nil {
		return fmt.Errorf("%w: %s on %s", ErrNoPort, op.Addr, orAny(op.Interface))
	}
	d := b.blade.drive
	if err := d.checkPaused(); err != nil {
		return err
	}
	next, err := t.acquire(AddDrive{Path: op.Path, Access: d.access, Cache: d.device.Load().cache})
	if err != nil {
		return err
	}
	if t.byName[d.name] != d || t.blades[op.Addr] != b.blade {
		t.release(next)
		return fmt.Errorf("%w: %s was removed meanwhile", ErrNoPort, op.Addr)
	}
	if _, err := next.store.Refresh(); err != nil {
		t.release(next)
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if err := t.swap(d, next, op.Path); err != nil {
		t.release(next)
		return err
	}
	return nil
}

// swap puts the device next under d. What an initiator was promised with
// SET FEATURES holds for it, too.
func (t *Target) swap(d *drive, next *device, path string) error {
	old := d.device.Load()
	keepPromise := func() {
		if old.writeThrough.Load() {
			next.writeThrough.Store(true)
		}
	}
	keepPromise()
	if err := t.moveHome(d, old, next); err != nil {
		return err
	}
	t.mu.Lock()
	d.path = path
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

// realName is the real name of an interface that is named by an alternative
// one; any other is returned as it is.
func (t *Target) realName(netif string) string {
	if netif == "" || netif == EveryInterface || t.netifs[netif] != nil {
		return netif
	}
	if info, err := t.parts.LookupInterface(netif); err == nil {
		return info.Name
	}
	return netif
}
