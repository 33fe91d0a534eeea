package plan

import (
	"cmp"
	"slices"

	"vbladefs/target"
)

// State is what an engine holds that has carried out Operations of p, as far as
// the plan says it: what native.Saved needs, and neither sizes nor counters. A
// write policy that is not named is target.CacheDirect, as when it is restored.
// Whether a store of target.AccessAuto can be written is not known: its drive is
// not ReadOnly.
func State(p Plan) target.State {
	var s target.State
	for i := range p.Exports {
		e := &p.Exports[i]
		s.Drives = append(s.Drives, e.drive())
		s.Blades = append(s.Blades, target.BladeInfo{Addr: e.Addr, Drive: e.Drive,
			Accept: e.Accept, Deny: e.Deny, Masks: e.Masks, Access: e.Lists, Loud: e.Loud})
		for _, netif := range e.ports() {
			s.Ports = append(s.Ports, target.PortInfo{Addr: e.Addr, Interface: netif, Drive: e.Drive,
				Buffers: e.buffers(), Quiet: e.Quiet})
		}
	}
	slices.SortFunc(s.Blades, func(a, b target.BladeInfo) int {
		return cmp.Or(cmp.Compare(a.Addr.Shelf, b.Addr.Shelf), cmp.Compare(a.Addr.Slot, b.Addr.Slot))
	})
	s.Limits = slices.SortedFunc(slices.Values(p.Limits), func(a, b target.MTULimit) int {
		return cmp.Compare(a.Interface, b.Interface)
	})
	s.Served = len(s.Ports) > 0
	return s
}

func (e *Export) drive() target.DriveInfo {
	id := e.identity()
	return target.DriveInfo{Name: e.Drive, Path: e.Path, Offset: e.Offset, Length: e.Length,
		ReadOnly: e.Access == target.AccessReadOnly, Auto: e.Access == target.AccessAuto, Cache: cmp.Or(e.Cache, target.CacheDirect),
		Model: id.Model, Serial: id.Serial, Firmware: id.Firmware, Ports: len(e.ports())}
}
