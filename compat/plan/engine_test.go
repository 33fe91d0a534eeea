package plan

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// model is an engine without disks and interfaces: it refuses what target.Target
// refuses of the model.
type model struct {
	drives map[string]target.DriveInfo
	blades map[aoe.Addr]target.BladeInfo
	ports  map[aoe.Addr][]target.PortInfo
	limits map[string]int
	after  func(target.Operation) // if not nil, called after each
}

func newModel() *model {
	return &model{drives: map[string]target.DriveInfo{}, blades: map[aoe.Addr]target.BladeInfo{},
		ports: map[aoe.Addr][]target.PortInfo{}, limits: map[string]int{}}
}

// do carries operations out, and ends the test at one that cannot be.
func (m *model) do(t *testing.T, ops []target.Operation) {
	t.Helper()
	for i, op := range ops {
		if err := m.apply(op); err != nil {
			t.Fatalf("operation %d: %v\n%s", i, err, show(ops))
		}
		if m.after != nil {
			m.after(op)
		}
	}
}

func show(ops []target.Operation) string {
	var s string
	for i, op := range ops {
		s += fmt.Sprintf("%d %T%+v\n", i, op, op)
	}
	return s
}

func (m *model) apply(op target.Operation) error {
	switch op := op.(type) {
	case target.AddDrive:
		return m.addDrive(op)
	case target.RemoveDrive:
		for _, b := range m.blades {
			if b.Drive == op.Name {
				return target.ErrInUse
			}
		}
		_, err := m.drive(op.Name, nil)
		delete(m.drives, op.Name)
		return err
	case target.SetReadOnly:
		return m.edit(op.Drive, func(d *target.DriveInfo) { d.ReadOnly = op.ReadOnly })
	case target.SetCache:
		if op.Cache == "" {
			return target.ErrMalformed
		}
		return m.edit(op.Drive, func(d *target.DriveInfo) { d.Cache = op.Cache })
	case target.SetModel:
		return m.edit(op.Drive, func(d *target.DriveInfo) { d.Model = cut(op.Model, target.MaxModel) })
	case target.SetSerial:
		return m.edit(op.Drive, func(d *target.DriveInfo) { d.Serial = cut(op.Serial, target.MaxSerial) })
	case target.SetFirmware:
		return m.edit(op.Drive, func(d *target.DriveInfo) { d.Firmware = op.Firmware })
	case target.Rebind:
		i := m.port(op.Addr, op.Interface)
		if i < 0 {
			return target.ErrNoPort
		}
		return m.edit(m.blades[op.Addr].Drive, func(d *target.DriveInfo) { d.Path = op.Path })
	case target.LimitMTU:
		m.limits[op.Interface] = op.MTU
		if op.MTU == 0 {
			delete(m.limits, op.Interface)
		}
		return nil
	}
	return m.applyBlade(op)
}

func (m *model) addDrive(op target.AddDrive) error {
	if _, taken := m.drives[op.Name]; taken {
		return target.ErrNameTaken
	}
	id := op.Identity
	m.drives[op.Name] = target.DriveInfo{Name: op.Name, Path: op.Path, Offset: op.Offset, Length: op.Length,
		ReadOnly: op.Access == target.AccessReadOnly, Cache: cmp.Or(op.Cache, target.CacheDirect),
		Model: cut(id.Model, target.MaxModel), Serial: cut(cmp.Or(id.Serial, op.Name), target.MaxSerial), Firmware: id.Firmware}
	return nil
}

func (m *model) applyBlade(op target.Operation) error {
	switch op := op.(type) {
	case target.AddBlade:
		if _, err := m.drive(op.Drive, nil); err != nil {
			return err
		}
		if _, taken := m.blades[op.Addr]; taken {
			return target.ErrAddressTaken
		}
		m.blades[op.Addr] = target.BladeInfo{Addr: op.Addr, Drive: op.Drive}
		return nil
	case target.RemoveBlade:
		delete(m.ports, op.Addr)
		_, there := m.blades[op.Addr]
		delete(m.blades, op.Addr)
		return found(there)
	case target.SetHosts:
		return m.keep(op.Addr, func(b *target.BladeInfo) {
			*[]*[]aoe.MAC{&b.Accept, &b.Deny, &b.Masks, &b.Reserve}[op.List] = slices.Clone(op.Hosts)
		})
	case target.SetConfig:
		return m.keep(op.Addr, func(b *target.BladeInfo) { b.Config = op.Config })
	case target.SetAccess:
		return m.keep(op.Addr, func(b *target.BladeInfo) { b.Access[op.Point] = op.List })
	case target.SetLoud:
		return m.keep(op.Addr, func(b *target.BladeInfo) { b.Loud = op.Loud })
	case target.AddPort:
		return m.addPort(op)
	case target.SetPort:
		if i := m.port(op.Addr, op.Interface); i >= 0 {
			p := &m.ports[op.Addr][i]
			p.Buffers, p.Sectors, p.Quiet = cmp.Or(op.Buffers, target.DefaultBuffers), op.Sectors, op.Quiet
			return nil
		}
		return target.ErrNoPort
	case target.RemovePort:
		i := m.port(op.Addr, op.Interface)
		if i < 0 {
			return target.ErrNoPort
		}
		m.ports[op.Addr] = slices.Delete(m.ports[op.Addr], i, i+1)
		if len(m.ports[op.Addr]) == 0 { // the blade goes with its last port
			delete(m.blades, op.Addr)
		}
		return nil
	}
	return fmt.Errorf("unknown operation %T", op)
}

func (m *model) addPort(op target.AddPort) error {
	for _, p := range m.ports[op.Addr] {
		if overlap(p.Interface, op.Interface) {
			return target.ErrAddressTaken
		}
	}
	return m.keep(op.Addr, func(b *target.BladeInfo) {
		m.ports[op.Addr] = append(m.ports[op.Addr], target.PortInfo{Addr: op.Addr, Interface: op.Interface, Drive: b.Drive,
			Buffers: cmp.Or(op.Buffers, target.DefaultBuffers), Sectors: op.Sectors, Quiet: op.Quiet})
	})
}

func (m *model) drive(name string, change func(*target.DriveInfo)) (target.DriveInfo, error) {
	d, there := m.drives[name]
	if !there {
		return d, target.ErrNoDrive
	}
	if change != nil {
		change(&d)
		m.drives[name] = d
	}
	return d, nil
}

func (m *model) edit(name string, change func(*target.DriveInfo)) error {
	_, err := m.drive(name, change)
	return err
}

func (m *model) keep(addr aoe.Addr, change func(*target.BladeInfo)) error {
	b, there := m.blades[addr]
	if there {
		change(&b)
		m.blades[addr] = b
	}
	return found(there)
}

func (m *model) port(addr aoe.Addr, netif string) int {
	return slices.IndexFunc(m.ports[addr], func(p target.PortInfo) bool { return p.Interface == netif })
}

func found(there bool) error {
	if there {
		return nil
	}
	return errors.New("no such address")
}

// state is what m holds, in an order that does not depend on how it came about.
func (m *model) state() target.State {
	s := target.State{Drives: slices.Collect(maps.Values(m.drives)), Blades: slices.Collect(maps.Values(m.blades))}
	for _, ports := range m.ports {
		s.Ports = append(s.Ports, ports...)
	}
	for netif, mtu := range m.limits {
		s.Limits = append(s.Limits, target.MTULimit{Interface: netif, MTU: mtu})
	}
	return sorted(s)
}

// sorted is s without what depends on its making.
func sorted(s target.State) target.State {
	s.Served = false
	for i := range s.Drives {
		s.Drives[i].Ports, s.Drives[i].Auto = 0, false // no reload makes a drive auto, or not
	}
	for i := range s.Blades {
		b := &s.Blades[i]
		for _, list := range []*[]aoe.MAC{&b.Accept, &b.Deny, &b.Masks, &b.Reserve} {
			if len(*list) == 0 {
				*list = nil
			}
		}
	}
	s.Drives, s.Blades, s.Ports, s.Limits = orNil(s.Drives), orNil(s.Blades), orNil(s.Ports), orNil(s.Limits)
	slices.SortFunc(s.Drives, func(a, b target.DriveInfo) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Blades, func(a, b target.BladeInfo) int { return cmp.Compare(fmt.Sprint(a.Addr), fmt.Sprint(b.Addr)) })
	slices.SortFunc(s.Ports, func(a, b target.PortInfo) int {
		return cmp.Compare(fmt.Sprint(a.Addr, a.Interface), fmt.Sprint(b.Addr, b.Interface))
	})
	slices.SortFunc(s.Limits, func(a, b target.MTULimit) int { return cmp.Compare(a.Interface, b.Interface) })
	return s
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

func same(t *testing.T, what string, got, want target.State) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got\n%+v\nwant\n%+v", what, got, want)
	}
}
