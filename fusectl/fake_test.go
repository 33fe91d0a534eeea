package fusectl

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// fake is an engine in memory: operations have the effects that can be seen in
// the tree and the refusals that target promises, and no frame is ever sent.
type fake struct {
	gate string // a fifo: operations on /dev/slow wait until someone writes to it

	mu     sync.RWMutex
	drives []target.DriveInfo
	ports  []target.PortInfo
	blades map[aoe.Addr]*target.BladeInfo
	served bool
}

// netifs are the interfaces of the fake's machine, with the sectors of a frame.
var netifs = map[string]int{"eth0": 2, "eth1": 17, target.EveryInterface: 2}

// store is a device of the fake's machine; err is why it cannot be opened.
type store struct {
	sectors      uint64
	major, minor uint32
	readOnly     bool
	err          syscall.Errno
}

var stores = map[string]store{
	"/dev/loop0": {sectors: 819200, major: 7}, "/dev/loop1": {sectors: 2048, major: 7, minor: 1},
	"/dev/loop2": {sectors: 4096, major: 7, minor: 2}, "/dev/slow": {sectors: 8}, "/dev/stuck": {sectors: 8},
	"/dev/ro": {sectors: 16, major: 7, minor: 9, readOnly: true}, "/dev/busy": {err: unix.EBUSY},
	"/dev/null": {err: unix.ENOTBLK}, "/dev/empty": {err: unix.ENXIO}, "/dev/secret": {err: unix.EACCES},
	"/dev/broken": {err: unix.ENOSYS}, "/dev": {err: unix.EISDIR},
}

func open(path string, access target.Access) (store, error) {
	s, ok := stores[path]
	if info, err := os.Stat(path); !ok && err == nil {
		s, ok = store{sectors: uint64(info.Size()) / 512}, true
	}
	if !ok {
		s.err = unix.ENOENT
	}
	if s.readOnly && access == target.AccessReadWrite {
		s.err = unix.EROFS
	}
	if s.err != 0 {
		return s, fmt.Errorf("%w %s: %w", target.ErrStore, path, s.err)
	}
	s.readOnly = s.readOnly || access == target.AccessReadOnly
	return s, nil
}

func (f *fake) Do(op target.Operation) error {
	if e, ok := op.(target.Export); ok && e.Path == "/dev/slow" {
		if _, err := os.ReadFile(f.gate); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch op := op.(type) {
	case target.AddDrive:
		return f.addDrive(op)
	case target.RemoveDrive:
		return f.removeDrive(op.Name)
	case target.AddPort:
		return f.addPort(op, false)
	case target.RemovePort:
		return f.removePort(op)
	case target.Export:
		return f.export(op)
	case target.Rebind:
		return f.rebind(op)
	case target.Accept:
		return f.accept(op)
	case target.Announce:
		for i := range f.ports {
			f.ports[i].Stats.Announces++
		}
		return nil
	case target.SetModel:
		return f.change(op.Drive, func(d *target.DriveInfo) { d.Model = op.Model })
	case target.SetSerial:
		return f.change(op.Drive, func(d *target.DriveInfo) { d.Serial = op.Serial })
	case target.SetCache:
		return f.change(op.Drive, func(d *target.DriveInfo) { d.Cache = op.Cache })
	}
	return fmt.Errorf("the fake knows no %T", op)
}

func (f *fake) change(name string, set func(*target.DriveInfo)) error {
	i := f.driveIndex(name)
	if i < 0 {
		return fmt.Errorf("%w: %s", target.ErrNoDrive, name)
	}
	set(&f.drives[i])
	return nil
}

func (f *fake) driveIndex(name string) int {
	return slices.IndexFunc(f.drives, func(d target.DriveInfo) bool { return d.Name == name })
}

func (f *fake) portIndex(addr aoe.Addr, netif string) int {
	return slices.IndexFunc(f.ports, func(p target.PortInfo) bool { return p.Addr == addr && p.Interface == netif })
}

func (f *fake) addDrive(op target.AddDrive) error {
	if f.driveIndex(op.Name) >= 0 {
		return fmt.Errorf("%w: %s", target.ErrNameTaken, op.Name)
	}
	s, err := open(op.Path, op.Access)
	if err != nil && !(op.Force && s.err == unix.EBUSY) {
		return err
	}
	f.drives = append(f.drives, target.DriveInfo{
		Name: op.Name, Path: op.Path, Sectors: s.sectors, ReadOnly: s.readOnly, Cache: target.CacheDirect,
		Model: op.Model, Serial: op.Serial, Major: s.major, Minor: s.minor,
	})
	return nil
}

func (f *fake) removeDrive(name string) error {
	i := f.driveIndex(name)
	if i < 0 {
		return fmt.Errorf("%w: %s", target.ErrNoDrive, name)
	}
	if slices.ContainsFunc(f.ports, func(p target.PortInfo) bool { return p.Drive == name }) {
		return fmt.Errorf("%w: %s has ports", target.ErrInUse, name)
	}
	f.drives = slices.Delete(f.drives, i, i+1)
	return nil
}

func (f *fake) addPort(op target.AddPort, quiet bool) error {
	if f.driveIndex(op.Drive) < 0 {
		return fmt.Errorf("%w: %s", target.ErrNoDrive, op.Drive)
	}
	if op.Interface == "tun0" {
		return fmt.Errorf("%w: %s", target.ErrNotEthernet, op.Interface)
	}
	limit, ok := netifs[op.Interface]
	if !ok {
		return fmt.Errorf("%w: %q", target.ErrNoInterface, op.Interface)
	}
	blade := f.blades[op.Addr]
	if f.portIndex(op.Addr, op.Interface) >= 0 || blade != nil && blade.Drive != op.Drive {
		return fmt.Errorf("%w: %v on %s", target.ErrAddressTaken, op.Addr, op.Interface)
	}
	if blade == nil {
		f.blades[op.Addr] = &target.BladeInfo{Addr: op.Addr, Drive: op.Drive}
	}
	if op.Buffers == 0 {
		op.Buffers = target.DefaultBuffers
	}
	p := target.PortInfo{Addr: op.Addr, Interface: op.Interface, Drive: op.Drive, Buffers: op.Buffers, Sectors: op.Sectors,
		EffectiveSectors: limit, Up: true}
	if op.Sectors > 0 {
		p.EffectiveSectors = min(limit, int(op.Sectors))
	}
	if !quiet {
		p.Stats.Announces++
	}
	f.ports, f.served = append(f.ports, p), true
	return nil
}

func (f *fake) removePort(op target.RemovePort) error {
	matches := func(p target.PortInfo) bool {
		return p.Addr == op.Addr && (op.Interface == "" || p.Interface == op.Interface) && (op.Drive == "" || p.Drive == op.Drive)
	}
	i := slices.IndexFunc(f.ports, matches)
	if i < 0 && !op.MissingOK {
		return fmt.Errorf("%w: %v on %s", target.ErrNoPort, op.Addr, op.Interface)
	}
	if i < 0 {
		return nil
	}
	drive := f.driveIndex(f.ports[i].Drive)
	if f.drives[drive].Path == "/dev/stuck" {
		return fmt.Errorf("%w: %v", target.ErrNotDrained, op.Addr)
	}
	f.ports = slices.DeleteFunc(f.ports, matches)
	left := func(p target.PortInfo) bool { return p.Addr == op.Addr }
	if !slices.ContainsFunc(f.ports, left) {
		delete(f.blades, op.Addr)
	}
	if d := f.drives[drive]; d.Implicit && !slices.ContainsFunc(f.ports, func(p target.PortInfo) bool { return p.Drive == d.Name }) {
		f.drives = slices.Delete(f.drives, drive, drive+1)
	}
	return nil
}

func (f *fake) export(op target.Export) error {
	if op.Unique && f.blades[op.Addr] != nil {
		return fmt.Errorf("%w: %v", target.ErrAddressTaken, op.Addr)
	}
	i := slices.IndexFunc(f.drives, func(d target.DriveInfo) bool { return d.Path == op.Path })
	made := i < 0
	if made {
		i = len(f.drives)
		err := f.addDrive(target.AddDrive{Name: filepath.Base(op.Path), Path: op.Path, Access: op.Access, Identity: op.Identity})
		if err != nil {
			return err
		}
		f.drives[i].Implicit = true
	}
	err := f.addPort(target.AddPort{Drive: f.drives[i].Name, Addr: op.Addr, Interface: op.Interface}, op.Quiet)
	if err != nil && made {
		f.drives = f.drives[:i]
	}
	return err
}

func (f *fake) rebind(op target.Rebind) error {
	i := f.portIndex(op.Addr, op.Interface)
	if i < 0 {
		return fmt.Errorf("%w: %v on %s", target.ErrNoPort, op.Addr, op.Interface)
	}
	s, err := open(op.Path, target.AccessReadWrite)
	if err != nil {
		return err
	}
	f.ports[i].Stats.Announces++
	return f.change(f.ports[i].Drive, func(d *target.DriveInfo) {
		d.Path, d.Sectors, d.Major, d.Minor = op.Path, s.sectors, s.major, s.minor
	})
}

func (f *fake) accept(op target.Accept) error {
	blade := f.blades[op.Addr]
	if blade == nil {
		return fmt.Errorf("%w: %v", target.ErrNoPort, op.Addr)
	}
	listed := slices.Contains(blade.Accept, op.Host)
	switch {
	case op.Remove:
		blade.Accept = slices.DeleteFunc(slices.Clone(blade.Accept), func(m aoe.MAC) bool { return m == op.Host })
	case !listed:
		blade.Accept = append([]aoe.MAC{op.Host}, blade.Accept...)
	}
	return nil
}
