package target_test

import (
	"fmt"
	"math/rand/v2"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// drawStep draws one step, whatever was done before: a sequence can lose any of
// its steps.
func drawStep(rnd *rand.Rand, did map[string]int) step {
	if rnd.IntN(4) > 0 {
		return drawFrame(rnd, did)
	}
	kinds := []struct {
		name string
		draw func(*rand.Rand) (target.Operation, func(*model) error)
	}{
		{"add", drawAddDrive}, {"del", drawRemoveDrive}, {"port", drawAddPort}, {"port", drawAddPort}, {"unport", drawRemovePort},
		{"export", drawExport}, {"export", drawExport}, {"bind", drawRebind}, {"blade", drawBlade}, {"hosts", drawHosts}, {"hosts", drawHosts},
		{"config", drawConfig}, {"drive", drawDriveChange}, {"drive", drawDriveChange}, {"access", drawAccess},
	}
	if n := rnd.IntN(len(kinds) + 2); n < len(kinds) {
		op, change := kinds[n].draw(rnd)
		return step{fmt.Sprintf("%T%+v", op, op), func(w *world) string {
			want := change(w.model)
			did[kinds[n].name]++
			if want != nil {
				did["refused"]++
			}
			return w.carryOut(op, want)
		}}
	} else if n == len(kinds) {
		return drawResize(rnd)
	}
	return drawNetif(rnd)
}

func pick[T any](rnd *rand.Rand, list []T) T { return list[rnd.IntN(len(list))] }

func drawAddr(rnd *rand.Rand) aoe.Addr {
	if rnd.IntN(40) == 0 {
		return aoe.Addr{Shelf: 1, Slot: aoe.AnySlot}
	}
	return aoe.Addr{Shelf: 1 + uint16(rnd.IntN(2)), Slot: uint8(rnd.IntN(2))}
}

func drawNetifName(rnd *rand.Rand) string {
	return pick(rnd, []string{"eth0", "eth0", "eth1", "eth1", target.EveryInterface, "eth9"})
}

func drawPath(rnd *rand.Rand) string {
	if rnd.IntN(10) == 0 {
		return missing
	}
	return pathOf(pick(rnd, diskNames))
}

func drawAddDrive(rnd *rand.Rand) (target.Operation, func(*model) error) {
	op := target.AddDrive{Name: pick(rnd, driveNames), Path: drawPath(rnd), Access: pick(rnd, []target.Access{target.AccessAuto, target.AccessReadWrite, target.AccessReadOnly})}
	if rnd.IntN(3) == 0 {
		op.Offset, op.Length = uint64(rnd.IntN(50)), uint64(rnd.IntN(30))
	}
	if rnd.IntN(4) == 0 {
		op.Cache = pick(rnd, []target.Cache{target.CacheDirect, target.CacheDurable, target.CacheWriteback})
	}
	return op, func(m *model) error {
		if m.drives[op.Name] != nil {
			return target.ErrNameTaken
		}
		if err := m.open(op.Path, op.Access, op.Cache, op.Offset, op.Length); err != nil {
			return err
		}
		m.drives[op.Name] = &modelDrive{path: op.Path, first: op.Offset, length: op.Length, access: op.Access, wished: op.Access}
		return nil
	}
}

func drawRemoveDrive(rnd *rand.Rand) (target.Operation, func(*model) error) {
	name := pick(rnd, driveNames)
	return target.RemoveDrive{Name: name}, func(m *model) error {
		if m.drives[name] == nil {
			return target.ErrNoDrive
		}
		for _, b := range m.blades {
			if b.drive == name {
				return target.ErrInUse
			}
		}
		delete(m.drives, name)
		m.tidy()
		return nil
	}
}

func drawAddPort(rnd *rand.Rand) (target.Operation, func(*model) error) {
	op := target.AddPort{Drive: pick(rnd, append(driveNames, "")), Addr: drawAddr(rnd), Interface: drawNetifName(rnd),
		Buffers: uint16(rnd.IntN(3) * 8), Sectors: uint8(rnd.IntN(3)), Quiet: rnd.IntN(2) == 0}
	return op, func(m *model) error {
		name := op.Drive
		if b := m.blades[op.Addr]; name == "" && b == nil {
			return target.ErrNoPort
		} else if name == "" {
			name = b.drive
		}
		if m.drives[name] == nil {
			return target.ErrNoDrive
		}
		return m.addPort(name, op.Addr, op.Interface, modelPort{op.Buffers, op.Sectors})
	}
}

func drawRemovePort(rnd *rand.Rand) (target.Operation, func(*model) error) {
	op := target.RemovePort{Addr: drawAddr(rnd), Interface: pick(rnd, []string{"", drawNetifName(rnd)}), MissingOK: rnd.IntN(4) == 0}
	return op, func(m *model) error {
		b := m.blades[op.Addr]
		found := b != nil && len(b.ports) > 0
		if found && op.Interface != "" {
			_, found = b.ports[op.Interface]
		}
		switch {
		case !found && op.MissingOK:
			return nil
		case !found:
			return target.ErrNoPort
		case op.Interface == "":
			clear(b.ports)
		default:
			delete(b.ports, op.Interface)
		}
		if len(b.ports) == 0 {
			m.removeBlade(op.Addr)
		}
		return nil
	}
}

func drawExport(rnd *rand.Rand) (target.Operation, func(*model) error) {
	op := target.Export{Path: drawPath(rnd), Addr: drawAddr(rnd), Interface: drawNetifName(rnd), Access: pick(rnd, []target.Access{target.AccessAuto, target.AccessReadWrite, target.AccessReadOnly}),
		Config: []byte(pick(rnd, []string{"", "text"})), Unique: rnd.IntN(4) == 0, Quiet: rnd.IntN(2) == 0}
	return op, func(m *model) error {
		if b := m.blades[op.Addr]; b != nil {
			d := m.drives[b.drive]
			switch {
			case op.Unique && len(b.ports) > 0:
				return target.ErrAddressTaken
			case m.disks[op.Path] == nil:
				return target.ErrStore
			case d.first+d.length > 0 || d.path != op.Path:
				return target.ErrAddressTaken
			}
			return m.addPort(b.drive, op.Addr, op.Interface, modelPort{})
		}
		if err := m.checkPort(op.Addr, op.Interface); err != nil {
			return err
		}
		if err := m.open(op.Path, op.Access, "", 0, 0); err != nil {
			return err
		}
		base := op.Path[len("/disks/"):]
		name := base
		for n := 0; m.drives[name] != nil; n++ {
			if name = base + "-" + op.Addr.String(); n > 0 {
				name = fmt.Sprintf("%s-%s-%d", base, op.Addr, n)
			}
		}
		m.drives[name] = &modelDrive{path: op.Path, access: op.Access, wished: op.Access, implicit: true}
		err := m.addPort(name, op.Addr, op.Interface, modelPort{})
		m.blades[op.Addr].config = op.Config
		return err
	}
}

func drawRebind(rnd *rand.Rand) (target.Operation, func(*model) error) {
	op := target.Rebind{Addr: drawAddr(rnd), Interface: drawNetifName(rnd), Path: drawPath(rnd)}
	return op, func(m *model) error {
		b := m.blades[op.Addr]
		if b == nil {
			return target.ErrNoPort
		}
		if _, ok := b.ports[op.Interface]; !ok {
			return target.ErrNoPort
		}
		d := m.drives[b.drive]
		if m.devices[d.path].paused {
			return target.ErrInUse
		}
		if err := m.open(op.Path, d.access, m.devices[d.path].cache, d.first, d.length); err != nil {
			return err
		}
		d.path = op.Path
		m.tidy()
		return nil
	}
}

func drawBlade(rnd *rand.Rand) (target.Operation, func(*model) error) {
	addr := drawAddr(rnd)
	if rnd.IntN(4) == 0 {
		return target.RemoveBlade{Addr: addr}, func(m *model) error {
			if m.blades[addr] == nil {
				return target.ErrNoPort
			}
			m.removeBlade(addr)
			return nil
		}
	}
	op := target.AddBlade{Addr: addr, Drive: pick(rnd, driveNames)}
	return op, func(m *model) error {
		switch {
		case addr.Slot > target.MaxSlot:
			return target.ErrRange
		case m.drives[op.Drive] == nil:
			return target.ErrNoDrive
		case m.blades[addr] != nil:
			return target.ErrAddressTaken
		}
		m.blades[addr] = &modelBlade{drive: op.Drive, ports: map[string]modelPort{}}
		return nil
	}
}
