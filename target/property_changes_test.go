package target_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// drawHosts changes one of an address's lists.
func drawHosts(rnd *rand.Rand) (target.Operation, func(*model) error) {
	addr, list := drawAddr(rnd), target.HostList(rnd.IntN(4))
	if rnd.IntN(2) == 0 {
		op := target.EditHosts{Addr: addr, List: list, Host: host(rnd.IntN(3)), Remove: rnd.IntN(3) > 0}
		return op, func(m *model) error {
			return m.edit(addr, func(b *modelBlade) {
				at := slices.Index(b.lists[list], op.Host)
				if op.Remove && at >= 0 {
					b.lists[list] = slices.Delete(slices.Clone(b.lists[list]), at, at+1)
				} else if !op.Remove && at < 0 {
					b.lists[list] = append([]aoe.MAC{op.Host}, b.lists[list]...)
				}
			})
		}
	}
	op := target.SetHosts{Addr: addr, List: list}
	for range max(rnd.IntN(8)-5, 0) { // mostly none: all hosts would soon be locked out
		op.Hosts = append(op.Hosts, host(rnd.IntN(3)))
	}
	return op, func(m *model) error {
		return m.edit(addr, func(b *modelBlade) { b.lists[list] = unique(op.Hosts) })
	}
}

func unique(hosts []aoe.MAC) (list []aoe.MAC) {
	for _, h := range hosts {
		if !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	return list
}

func (m *model) edit(a aoe.Addr, change func(*modelBlade)) error {
	b := m.blades[a]
	if b == nil {
		return target.ErrNoPort
	}
	change(b)
	return nil
}

func drawConfig(rnd *rand.Rand) (target.Operation, func(*model) error) {
	op := target.SetConfig{Addr: drawAddr(rnd), Config: []byte(pick(rnd, []string{"", "text", "other", string(make([]byte, aoe.MaxConfigString+1))}))}
	return op, func(m *model) error {
		if b := m.blades[op.Addr]; b != nil && len(op.Config) > aoe.MaxConfigString {
			return target.ErrTooLong
		}
		return m.edit(op.Addr, func(b *modelBlade) { b.config = op.Config })
	}
}

func drawAccess(rnd *rand.Rand) (target.Operation, func(*model) error) {
	op := target.SetAccess{Addr: drawAddr(rnd), Point: target.AccessPoint(rnd.IntN(target.AccessPoints))}
	if rnd.IntN(4) == 0 {
		op.List = &target.AccessList{Accept: rnd.IntN(2) == 0, Rows: []target.AccessRow{{Host: host(rnd.IntN(3)), Accept: rnd.IntN(2) == 0}}}
	}
	return op, func(m *model) error { return m.edit(op.Addr, func(b *modelBlade) { b.access[op.Point] = op.List }) }
}

// drawDriveChange changes a drive while it is exported.
func drawDriveChange(rnd *rand.Rand) (target.Operation, func(*model) error) {
	name := pick(rnd, driveNames)
	with := func(change func(m *model, d *modelDrive) error) func(*model) error {
		return func(m *model) error {
			if m.drives[name] == nil {
				return target.ErrNoDrive
			}
			return change(m, m.drives[name])
		}
	}
	switch rnd.IntN(6) {
	case 0:
		return target.SetReadOnly{Drive: name, ReadOnly: true}, with(func(m *model, d *modelDrive) error {
			if d.access != target.AccessReadOnly {
				d.wished = d.access
			}
			d.access = target.AccessReadOnly
			return nil
		})
	case 1:
		return target.SetReadOnly{Drive: name}, with((*model).takeWrites)
	case 2:
		op := target.SetCache{Drive: name, Cache: pick(rnd, []target.Cache{target.CacheDirect, target.CacheDurable, target.CacheWriteback})}
		return op, with(func(m *model, d *modelDrive) error { m.devices[d.path].cache = op.Cache; return nil })
	case 3:
		op := target.SetKeep{Drive: name, Keep: rnd.IntN(2) == 0}
		return op, with(func(_ *model, d *modelDrive) error { d.implicit = !op.Keep; return nil })
	}
	op := target.SetPaused{Drive: name, Paused: rnd.IntN(5) == 0}
	return op, with(func(m *model, d *modelDrive) error { m.devices[d.path].paused = op.Paused; return nil })
}

// takeWrites makes a drive writable. It fails if the disk never takes writes, but
// for a drive that was to be writable only if its disk is.
func (m *model) takeWrites(d *modelDrive) error {
	dev := m.devices[d.path]
	if dev.readOnly && m.disks[d.path].readOnly && (d.access != target.AccessReadOnly || d.wished != target.AccessAuto) {
		return target.ErrStore
	}
	dev.readOnly = m.disks[d.path].readOnly
	if d.access == target.AccessReadOnly {
		d.access = d.wished
		if d.wished == target.AccessReadOnly {
			d.access = target.AccessReadWrite
		}
	}
	return nil
}

// drawResize gives a disk another size, and says so if it is in use.
func drawResize(rnd *rand.Rand) step {
	path, sectors := pathOf(pick(rnd, diskNames)), 20+rnd.IntN(50)
	return step{fmt.Sprintf("%s gets %d sectors", path, sectors), func(w *world) string {
		w.media[path].Resize(sectors)
		w.resize(path, sectors)
		for name, d := range w.drives {
			if d.path == path {
				return w.carryOut(target.Resize{Drive: name}, nil)
			}
		}
		return ""
	}}
}

// drawNetif changes an interface.
func drawNetif(rnd *rand.Rand) step {
	name, mtu, up := pick(rnd, netifNames), pick(rnd, []int{1500, 4200, 9000}), rnd.IntN(8) > 0
	return step{fmt.Sprintf("%s has MTU %d, up %v", name, mtu, up), func(w *world) string {
		w.netifs[name] = &modelNetif{mtu, up}
		info, err := w.rig.Machine().Parts().LookupInterface(name)
		if err != nil {
			return err.Error()
		}
		info.MTU, info.Up = mtu, up
		w.rig.Machine().SetInfo(info)
		w.target.InterfaceChanged(info)
		return ""
	}}
}
