package target

import (
	"fmt"
	"path/filepath"
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
	if d.blades.length > 0 {
		return fmt.Errorf("%w: drive %s is exported at %s; delete that first", ErrInUse, op.Name, d.addresses())
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
	dev.users++ // it stays open meanwhile
	defer t.release(dev)
	var err error
	t.outside(func() {
		dev.changing.Lock()
		err = dev.changeCache(op.Cache)
	})
	defer dev.changing.Unlock()
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	dev.setCache(op.Cache)
	dev.note = dev.store.Note()
	return nil
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
	err := d.store.SetCache(c)
	resume()
	if err == nil {
		err = d.store.Flush()
	}
	if err != nil {
		_ = d.store.SetCache(d.cache) // whatever is in flight: what is told of the drive must hold
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
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
	if n := t.drives.length; n >= MaxDrives {
		return nil, fmt.Errorf("%w: there are %d drives", ErrFull, n)
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
	t.drives.add(&d.place, d)
	return d, nil
}

// removeDrive takes away a drive that no address leads to.
func (t *Target) removeDrive(d *drive) {
	t.mu.Lock()
	t.unlinkDrive(d)
	t.mu.Unlock()
	t.release(d.device.Load())
}

// unlinkDrive takes d out of the model; mu is held.
func (t *Target) unlinkDrive(d *drive) {
	delete(t.byName, d.name)
	t.drives.remove(&d.place)
}

// acquire returns the device that op's path leads to, opening it unless
// another drive has.
func (t *Target) acquire(op AddDrive) (*device, error) {
	if !filepath.IsAbs(op.Path) {
		return nil, fmt.Errorf("%w: path %q is not absolute; want one that begins with /", ErrMalformed, op.Path)
	}
	key, err := t.identify(op.Path)
	if err != nil {
		return nil, err
	}
	if d := t.devices[key]; d != nil {
		return d, t.share(d, op)
	}
	if op.Cache == "" {
		op.Cache = t.cache
	}
	store, err := t.openStore(op, key)
	if err != nil {
		return nil, err
	}
	d := &device{key: key, users: 1, store: store, note: store.Note()}
	if d.note != "" {
		t.log.Warnf("%s: %s", op.Path, d.note)
	}
	d.setCache(op.Cache)
	d.told.Store(d.sectors())
	t.devices[key] = d
	t.watchSizes()
	return d, nil
}

// identify names what path leads to.
func (t *Target) identify(path string) (key string, err error) {
	t.outside(func() { key, err = t.parts.Identify(path) })
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrStore, err)
	}
	return key, err
}

// openStore opens op's store and makes sure that it is the one called key.
func (t *Target) openStore(op AddDrive, key string) (s Store, err error) {
	t.outside(func() {
		s, err = t.parts.OpenStore(op.Path, StoreOptions{Access: op.Access, Cache: op.Cache, Force: op.Force})
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	case t.closed:
		err = ErrClosed
	case s.Key() != key:
		err = fmt.Errorf("%w: %s led elsewhere while it was opened; try again: %w", ErrStore, op.Path, syscall.EAGAIN)
	default:
		return s, nil
	}
	_ = s.Close()
	return nil, err
}

// join makes one more drive use d, if that is what op asks for.
func (d *device) join(op AddDrive) error {
	if op.Access == AccessReadWrite && d.store.ReadOnly() {
		return fmt.Errorf("%w: %s is open read-only already: %w", ErrStore, op.Path, syscall.EROFS)
	}
	if op.Cache != "" && op.Cache != d.cache {
		return fmt.Errorf("%w: %s is open with write policy %s already; change that first", ErrInUse, op.Path, d.cache)
	}
	d.users++
	return nil
}

// release closes d when its last drive has gone, as soon as nothing is in
// flight on it.
func (t *Target) release(d *device) {
	if d.users--; d.users > 0 {
		return
	}
	delete(t.devices, d.key)
	closeStore := func() {
		if err := d.close(time.Now().Add(drainGrace)); err != nil {
			t.log.WithError(err).Error("closing a backing store")
		}
	}
	if d.order.idle() {
		t.outside(closeStore)
		return
	}
	go func() { // only after Rebind, from a device that is stuck
		for !d.order.settle(time.Minute) {
		}
		closeStore()
	}()
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
