package target

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vbladefs/target/aoe"
)

// This file carries out the operations on ports and whole exports; Target.ops
// is held.

func (op AddPort) apply(t *Target) error {
	if op.Drive == "" {
		blade := t.blades[op.Addr]
		if blade == nil {
			return fmt.Errorf("%w; add it with its drive to the file targets/blades first", noBlade(op.Addr))
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
	if _, err := t.checkPort(&port); err != nil {
		return err
	}
	d, err := t.openImplicit(AddDrive{Name: t.implicitName(op.Path, op.Addr), Path: op.Path, Access: op.Access,
		Identity: op.Identity})
	if err != nil {
		return err
	}
	if err := t.addBinding(d, port, op.Config); err != nil {
		t.abandon(d)
		return err
	}
	return nil
}

// extend adds a port to an address that is served already, if it is the same
// device.
func (op Export) extend(t *Target, blade *blade, port AddPort) error {
	if op.Unique && len(blade.bindings) > 0 {
		return fmt.Errorf("%w: %s is served already, from drive %s; delete it first or choose another", ErrAddressTaken, op.Addr, blade.drive.name)
	}
	key, err := patiently(t, op.Path, func(*waiter) (string, error) { return t.identify(op.Path) }, func(string) {})
	if err != nil {
		return err
	}
	if t.blades[op.Addr] != blade {
		return fmt.Errorf("%w: %s was removed meanwhile; try again", ErrInUse, op.Addr)
	}
	if w := blade.drive.window; w != (window{}) {
		return fmt.Errorf("%w: %s leads to a part of %s, from sector %d on; choose another address for all of it", ErrAddressTaken,
			op.Addr, blade.drive.path, w.first)
	}
	dev := blade.drive.device.Load()
	if dev == nil && op.Path != blade.drive.path || dev != nil && dev.key != key {
		return fmt.Errorf("%w: %s leads to %s on every interface; choose another address for %s", ErrAddressTaken,
			op.Addr, blade.drive.path, op.Path)
	}
	return t.addBinding(blade.drive, port, nil)
}

// checkPort refuses what no port can be, before anything is opened for it. It
// replaces an alternative name of the interface by its real one, and returns how
// a named interface is; one that a port waits for may be missing.
func (t *Target) checkPort(op *AddPort) (info Interface, err error) {
	if err := checkAddr(op.Addr); err != nil {
		return info, err
	}
	if isPattern(op.Interface) {
		if err := CheckInterface(op.Interface); err != nil {
			return info, err
		}
	} else {
		ask := t.lookup
		if op.Wait {
			ask = t.present
		}
		info, err = ask(op.Interface)
		if err != nil && (!op.Wait || op.Interface == "") {
			return info, err
		}
		op.Interface = cmp.Or(info.Name, op.Interface)
		if err := CheckInterfaceName(op.Interface); err != nil { // it may have been given by an alternative name
			return info, err
		}
	}
	blade := t.blades[op.Addr]
	if blade == nil {
		return info, nil
	}
	for _, b := range blade.bindings {
		if b.excludes(op) {
			return info, fmt.Errorf("%w: %s is on interface %s already", ErrAddressTaken, op.Addr, b.netif)
		}
	}
	return info, nil
}

// excludes reports whether b and another port of its address would be on one
// interface, maybe. What is restored may have come to that by a rename: the first
// has the interface then, as before.
func (b *binding) excludes(op *AddPort) bool {
	if op.Wait && b.netif != EveryInterface && op.Interface != EveryInterface {
		return b.netif == op.Interface
	}
	return overlap(b.netif, op.Interface)
}

// lookup asks for an interface that frames of ours can pass.
func (t *Target) lookup(name string) (Interface, error) {
	info, err := t.parts.LookupInterface(name)
	if err != nil {
		return Interface{}, err
	}
	if !info.Ethernet && !info.Loopback {
		return Interface{}, notEthernet(name)
	}
	if err := t.catchUp(info); err != nil {
		return Interface{}, err
	}
	return info, nil
}

// CheckInterfaceName refuses what no interface can be called by the rules of the
// kernel's dev_valid_name, and the names that the kernel takes and no command can
// say: those with control characters, those that begin with #, as comments do, and
// those that would be patterns.
func CheckInterfaceName(name string) error {
	const want = "want the name of an Ethernet interface, as ip link shows it"
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	switch {
	case name == "" || name == "." || name == "..", len(name) > maxInterfaceName, strings.ContainsAny(name, "/: "),
		strings.ContainsFunc(name, control):
		return fmt.Errorf("%w: %.80q: %s", ErrNoInterface, name, want)
	case strings.HasPrefix(name, "#"):
		return fmt.Errorf("%w: %q: a word that begins with # is a comment: %s, or give it another (ip link set NAME name OTHER)",
			ErrNoInterface, name, want)
	case isPattern(name):
		return fmt.Errorf("%w: %q: a word with *, ? or , is a pattern of names: want the name of one interface", ErrNoInterface, name)
	}
	return nil
}

// maxInterfaceName is the longest interface name, IFNAMSIZ without its NUL.
const maxInterfaceName = 15

// present is lookup for what waits for the interface anyway. One that is served
// already is as the last notice said: what has happened since, its ports learn
// from the next, and so does this one.
func (t *Target) present(name string) (Interface, error) {
	if n := t.netifs[name]; n != nil && n.linked.Load() {
		return *n.info.Load(), nil
	}
	return t.lookup(name)
}

func notEthernet(name string) error {
	return fmt.Errorf("%w: %s; AoE needs an Ethernet interface", ErrNotEthernet, name)
}

// addBinding makes d reachable as op says, as a whole or not at all. A drive that
// is not in the model yet comes into it with its binding.
func (t *Target) addBinding(d *drive, op AddPort, config []byte) error {
	info, err := t.checkPort(&op)
	if err != nil {
		return err
	}
	blade := t.blades[op.Addr]
	if blade != nil && blade.drive != d {
		return fmt.Errorf("%w: %s leads to drive %s; choose another address", ErrAddressTaken, op.Addr, blade.drive.name)
	}
	if blade == nil {
		blade = newBlade(op.Addr, d, config)
	}
	b := &binding{blade: blade, netif: op.Interface, buffers: op.Buffers, sectors: op.Sectors, quiet: op.Quiet, force: op.Force}
	if b.buffers == 0 {
		b.buffers = DefaultBuffers
	}
	var failed map[string]error
	if !op.Wait {
		if failed, err = t.admit(b, info); err != nil {
			return err
		}
	}
	// The model first and the tables last: what answers is complete.
	undo := t.link(b)
	if op.Wait && t.gathering {
		t.gathered = append(t.gathered, b)
	} else if op.Wait || b.many() {
		t.reach(b, failed)
	} else if b.belongs(info) {
		if err := t.extend(b, info); err != nil {
			t.dropUnused(info.Name)
			undo()
			return err
		}
	}
	if len(b.ports) == 0 || b.many() {
		t.want(b)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.served = true
	return nil
}

// admit refuses a binding that cannot be served, or that another machine answers
// for, before anyone sees it. info is how a named interface is. A binding on
// every interface is refused by neighbours only; failed are the interfaces where
// it cannot be served for other reasons.
func (t *Target) admit(b *binding, info Interface) (failed map[string]error, err error) {
	infos := []Interface{info}
	if b.many() {
		infos, _ = t.interfacesOf(b)
	}
	failed = map[string]error{}
	for i, info := range infos {
		if !b.belongs(info) {
			continue
		}
		n, err := t.ensureNetif(info)
		if err == nil {
			err = t.clear(b, n)
		}
		if err == nil && b.many() { // else place does
			err = t.vacant(b, n)
		}
		switch {
		case err == nil:
		case b.many() && !contested(err):
			failed[info.Name] = err
		default:
			for _, asked := range infos[:i+1] {
				t.dropUnused(asked.Name)
			}
			return nil, err
		}
	}
	return failed, nil
}

// clear refuses to serve b on n if another machine answers for its address
// there. Every port passes it, and occupy.
func (t *Target) clear(b *binding, n *netif) error {
	if b.force {
		if n.up() {
			n.neighbours.askAll() // whose address it is shows in conflicts
		}
		return nil
	}
	if mac, yes := t.answered(b.blade.addr, n.name()); yes {
		return answeredBy(b.blade.addr, n.name(), mac)
	}
	return nil
}

func answeredBy(a aoe.Addr, netif string, host aoe.MAC) error {
	return fmt.Errorf("%w: %s on %s, by %s; if both are one disk, force as the last word serves it all the same", ErrAnswered, a, netif, host)
}

func newBlade(addr aoe.Addr, d *drive, config []byte) *blade {
	b := &blade{addr: addr, drive: d}
	b.rules.Store(&noRules)
	if len(config) > 0 {
		b.rules.Store(&rules{config: bytes.Clone(config)})
	}
	return b
}

// extend puts b on the interface. The caller holds b there or calls dropUnused
// when that fails.
func (t *Target) extend(b *binding, info Interface) error {
	n, err := t.serve(info)
	if err != nil {
		return err
	}
	return t.place(b, n)
}

// serve makes the interface ready for ports.
func (t *Target) serve(info Interface) (*netif, error) {
	if !info.Ethernet && !info.Loopback {
		return nil, notEthernet(info.Name)
	}
	return t.ensureNetif(info)
}

// place puts b on n.
func (t *Target) place(b *binding, n *netif) error {
	if err := t.clear(b, n); err != nil {
		return err
	}
	fresh := n.ports.length == 0
	p, err := t.attach(b, n)
	if err != nil || b.quiet {
		return err
	}
	t.announce(p)
	if fresh {
		t.announceAgain(n)
	}
	return nil
}

// dropUnused stops the workers of the named interface if nothing needs them.
func (t *Target) dropUnused(netif string) {
	if n := t.netifs[netif]; n != nil {
		t.dropIfUnused(n)
	}
}

// link puts b into the model, with its blade and drive where they are not there
// yet, and returns what takes all that out again.
func (t *Target) link(b *binding) (undo func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d, newDrive, newBlade := b.blade.drive, !b.blade.drive.place.taken, !b.blade.place.taken
	if newDrive {
		t.linkDrive(d)
	}
	if newBlade {
		t.linkBlade(b.blade)
	}
	b.blade.bindings = append(b.blade.bindings, b)
	d.bindings.add(&b.inDrive, b)
	t.bindings.add(&b.inTarget, b)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.unlinkBinding(b)
		if newBlade {
			t.unlinkBlade(b.blade)
		}
		if newDrive {
			t.unlinkDrive(d)
		}
	}
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

// realName is the real name of an interface that is named by an alternative
// one; any other is returned as it is.
func (t *Target) realName(netif string) string {
	if netif == "" || isPattern(netif) || t.netifs[netif] != nil {
		return netif
	}
	if info, err := t.parts.LookupInterface(netif); err == nil && t.catchUp(info) == nil {
		return info.Name
	}
	return netif
}
