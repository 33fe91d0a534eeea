package target

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"vbladefs/target/aoe"
)

// This file carries out the operations on drives; Target.ops is held.

func (op AddDrive) apply(t *Target) error {
	if err := checkDriveName(op.Name); err != nil {
		return err
	}
	_, err := t.addDrive(op, false)
	return err
}

func (op RemoveDrive) apply(t *Target) error {
	d := t.byName[op.Name]
	if d == nil {
		return fmt.Errorf("%w: %q; the file drives lists those there are", ErrNoDrive, op.Name)
	}
	if n := len(d.bindings); n > 0 {
		return fmt.Errorf("%w: drive %s has %d ports; delete them first", ErrInUse, op.Name, n)
	}
	t.removeDrive(d)
	return nil
}

func (op SetModel) apply(t *Target) error {
	return t.setIdentity(op.Drive, func(id *Identity) { id.Model = cut(op.Model, MaxModel) })
}

func (op SetSerial) apply(t *Target) error {
	return t.setIdentity(op.Drive, func(id *Identity) { id.Serial = cut(op.Serial, MaxSerial) })
}

func (op SetCache) apply(t *Target) error {
	if err := checkCache(op.Cache); err != nil {
		return err
	}
	d := t.byName[op.Drive]
	if d == nil {
		return fmt.Errorf("%w: %q", ErrNoDrive, op.Drive)
	}
	dev := d.device.Load()
	if err := dev.store.SetCache(op.Cache); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	dev.setCache(op.Cache)
	return nil
}

func (t *Target) setIdentity(name string, edit func(*Identity)) error {
	d := t.byName[name]
	if d == nil {
		return fmt.Errorf("%w: %q", ErrNoDrive, name)
	}
	id := *d.identity.Load()
	edit(&id)
	d.identity.Store(&id)
	return nil
}

// addDrive opens op's store and adds a drive on it.
func (t *Target) addDrive(op AddDrive, implicit bool) (*drive, error) {
	if t.byName[op.Name] != nil {
		return nil, fmt.Errorf("%w: a drive is called %s already", ErrNameTaken, op.Name)
	}
	if len(t.drives) >= MaxDrives {
		return nil, fmt.Errorf("%w: there are %d drives", ErrFull, len(t.drives))
	}
	if op.Cache != "" {
		if err := checkCache(op.Cache); err != nil {
			return nil, err
		}
	}
	dev, err := t.acquire(op)
	if err != nil {
		return nil, err
	}
	d := &drive{name: op.Name, path: op.Path, access: op.Access, implicit: implicit}
	d.device.Store(dev)
	id := op.Identity
	id.Model, id.Serial = cut(id.Model, MaxModel), cut(id.Serial, MaxSerial)
	if id.Serial == "" {
		id.Serial = cut(op.Name, MaxSerial)
	}
	d.identity.Store(&id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byName[op.Name] = d
	t.drives = append(t.drives, d)
	return d, nil
}

// removeDrive takes away a drive that has no ports.
func (t *Target) removeDrive(d *drive) {
	t.mu.Lock()
	delete(t.byName, d.name)
	t.drives = slices.DeleteFunc(t.drives, func(o *drive) bool { return o == d })
	t.mu.Unlock()
	t.release(d.device.Load())
}

// acquire returns the device that op's path leads to, opening it unless
// another drive has.
func (t *Target) acquire(op AddDrive) (*device, error) {
	if !filepath.IsAbs(op.Path) {
		return nil, fmt.Errorf("%w: path %q is not absolute; want one that begins with /", ErrMalformed, op.Path)
	}
	key, err := t.parts.Identify(op.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	if d := t.devices[key]; d != nil {
		if op.Access == AccessReadWrite && d.store.ReadOnly() {
			return nil, fmt.Errorf("%w: %s is open read-only already: %w", ErrStore, op.Path, syscall.EROFS)
		}
		if op.Cache != "" && op.Cache != d.cache {
			return nil, fmt.Errorf("%w: %s is open with write policy %s already; change that first", ErrInUse, op.Path, d.cache)
		}
		d.users++
		return d, nil
	}
	d := &device{key: key, users: 1}
	cache := op.Cache
	if cache == "" {
		cache = t.cache
	}
	d.store, err = t.parts.OpenStore(op.Path, StoreOptions{Access: op.Access, Cache: cache, Force: op.Force})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	if note := d.store.Note(); note != "" {
		t.log.Warnf("%s: %s", op.Path, note)
	}
	d.setCache(cache)
	t.devices[key] = d
	return d, nil
}

// release closes d when its last drive has gone, as soon as nothing is in
// flight on it.
func (t *Target) release(d *device) {
	if d.users--; d.users > 0 {
		return
	}
	delete(t.devices, d.key)
	closeStore := func() {
		if err := d.store.Close(); err != nil {
			t.log.WithError(err).Error("closing a backing store")
		}
	}
	if d.order.idle() {
		closeStore()
		return
	}
	go func() { // only after Rebind, from a device that is stuck
		for !d.settle(time.Minute) {
		}
		closeStore()
	}()
}

// settle waits until nothing is in flight on d, and reports whether that came
// within grace.
func (d *device) settle(grace time.Duration) bool {
	for end := time.Now().Add(grace); !d.order.idle(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
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
	}, filepath.Base(path))
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

func checkCache(c Cache) error {
	switch c {
	case CacheWriteback, CacheDirect, CacheDurable:
		return nil
	}
	return fmt.Errorf("%w: write policy %q: want %s, %s or %s", ErrMalformed, c, CacheWriteback, CacheDirect, CacheDurable)
}

// cut is at most the first n bytes of s.
func cut(s string, n int) string { return s[:min(len(s), n)] }
