package target

import (
	"cmp"
	"fmt"
	"strings"
	"syscall"

	"vbladefs/target/aoe"
)

// This file carries out the operations on drives; Target.ops is held.

func (op AddDrive) apply(t *Target) error {
	if err := checkDriveName(op.Name); err != nil {
		return err
	}
	d, err := t.newDrive(op, false)
	if err != nil {
		return err
	}
	if err := checkCreate(op); err != nil {
		return err
	}
	if op.Wait {
		return t.addWaiting(d, op)
	}
	m, err := patiently(t, op.Path, func(w *waiter) (made, error) { return t.make(op, w) }, t.unmake)
	if err != nil {
		return err
	}
	m.done()
	d.device.Store(m.dev)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.linkDrive(d)
	return nil
}

func (op RemoveDrive) apply(t *Target) error {
	d := t.byName[op.Name]
	if d == nil {
		return fmt.Errorf("%w: %q; the file drives lists those there are", ErrNoDrive, op.Name)
	}
	if d.blades.length > 0 {
		return fmt.Errorf("%w: drive %s is exported at %s; delete that first", ErrInUse, op.Name, d.addresses())
	}
	t.mu.Lock()
	t.unlinkDrive(d)
	t.mu.Unlock()
	t.abandon(d)
	return nil
}

// openImplicit makes a drive for one address, with its store open. It is not in the
// model yet.
func (t *Target) openImplicit(op AddDrive) (*drive, error) {
	d, err := t.newDrive(op, true)
	if err != nil {
		return nil, err
	}
	dev, err := patiently(t, op.Path, func(w *waiter) (*device, error) { return t.acquireFitting(op, w) }, t.release)
	if err != nil {
		return nil, err
	}
	d.device.Store(dev)
	return d, nil
}

// newDrive makes the drive that op describes, without a store.
func (t *Target) newDrive(op AddDrive, implicit bool) (*drive, error) {
	if t.byName[op.Name] != nil {
		return nil, fmt.Errorf("%w: a drive is called %s already", ErrNameTaken, op.Name)
	}
	if n := t.drives.length; n >= MaxDrives {
		return nil, fmt.Errorf("%w: there are %d drives", ErrFull, n)
	}
	if !IsBacking(op.Path) {
		return nil, notAbsolute(op.Path)
	}
	d := &drive{name: op.Name, path: op.Path, access: op.Access, wished: op.Access, cache: cmp.Or(op.Cache, t.cache), force: op.Force, thin: op.Thin, implicit: implicit,
		window: window{op.Offset, op.Length}}
	if err := checkCache(d.cache); err != nil {
		return nil, err
	}
	id := op.Identity
	id.Model, id.Serial = cut(id.Model, MaxModel), cut(id.Serial, MaxSerial)
	if id.Serial == "" {
		id.Serial = cut(op.Name, MaxSerial)
	}
	d.identity.Store(&id)
	return d, nil
}

// linkDrive puts d into the model; mu is held.
func (t *Target) linkDrive(d *drive) {
	t.byName[d.name] = d
	t.drives.add(&d.place, d)
}

// unlinkDrive takes d out of the model; mu is held.
func (t *Target) unlinkDrive(d *drive) {
	delete(t.byName, d.name)
	t.drives.remove(&d.place)
}

// abandon closes the store of d, which is in the model no more, if it is open.
func (t *Target) abandon(d *drive) {
	t.absent.remove(&d.waits)
	if dev := d.device.Load(); dev != nil {
		t.release(dev)
	}
}

func (t *Target) findDrive(name string) (*drive, error) {
	if d := t.byName[name]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrNoDrive, name)
}

// findDevice is the device of the drive of that name, which must be up; the
// drive is returned even if it is not.
func (t *Target) findDevice(name string) (*drive, *device, error) {
	d, err := t.findDrive(name)
	if err != nil {
		return nil, nil, err
	}
	dev := d.device.Load()
	if dev == nil {
		return d, nil, fmt.Errorf("%w: drive %s is down: %s: %w", ErrStore, name, d.down, syscall.ENODEV)
	}
	return d, dev, nil
}

// checkDriveName refuses what cannot be a directory beside the fixed files of
// the control tree.
func checkDriveName(name string) error {
	bad := strings.IndexFunc(name, func(c rune) bool { return !driveNameRune(c) })
	switch {
	case name == "" || len(name) > MaxDriveName || bad >= 0:
		return fmt.Errorf("%w: drive name %q: want 1 to %d of letters, digits, '_', '-', '.'", ErrMalformed, name, MaxDriveName)
	case name == "." || name == ".." || name == "drives" || name == "stats":
		return fmt.Errorf("%w: drive name %q is reserved; choose another", ErrMalformed, name)
	}
	return nil
}

func driveNameRune(c rune) bool {
	return c < 0x80 && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("_-.", c))
}

// implicitName is a free drive name made of the device's own, and of the
// address where that is taken.
func (t *Target) implicitName(path string, addr aoe.Addr) string {
	base := strings.Map(func(c rune) rune {
		if driveNameRune(c) {
			return c
		}
		return '_'
	}, BaseName(path))
	name := cut(base, MaxDriveName)
	for n := 0; checkDriveName(name) != nil || t.byName[name] != nil; n++ {
		suffix := "-" + addr.String()
		if n > 0 {
			suffix = fmt.Sprintf("-%s-%d", addr, n)
		}
		name = cut(base, MaxDriveName-len(suffix)) + suffix
	}
	return name
}

// cut is at most the first n bytes of s.
func cut(s string, n int) string { return s[:min(len(s), n)] }
