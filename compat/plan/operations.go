package plan

import (
	"iter"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Operations starts what p says, from nothing: drives, then addresses with what
// is kept for them, and ports at last, since a port answers and is announced.
func Operations(p Plan) []target.Operation {
	var ops []target.Operation
	for _, l := range p.Limits {
		ops = append(ops, target.LimitMTU(l))
	}
	whole := make([]fresh, len(p.Exports))
	for i := range p.Exports {
		whole[i] = anew(&p.Exports[i])
	}
	return append(ops, start(whole)...)
}

// Operations starts e alone.
func (e Export) Operations() []target.Operation { return start([]fresh{anew(&e)}) }

// Removal ends e, with its drive. After a failure of Operations only what had
// been made is there to remove, and the errors say so.
func (e Export) Removal() []target.Operation {
	return []target.Operation{target.RemoveBlade{Addr: e.Addr}, target.RemoveDrive{Name: e.Drive}}
}

// fresh is an export that is made, and what its address keeps from before.
type fresh struct {
	*Export
	kept target.BladeInfo // its config string, masks and reservations count
}

// anew is e with nothing before it.
func anew(e *Export) fresh { return fresh{e, target.BladeInfo{Masks: e.Masks}} }

// start makes exports.
func start(exports []fresh) []target.Operation {
	var ops []target.Operation
	for _, f := range exports {
		ops = append(ops, f.addDrive())
	}
	for _, f := range exports {
		ops = append(ops, f.addBlade()...)
	}
	for _, f := range exports {
		ops = append(ops, f.addPorts(f.ports())...)
	}
	return ops
}

func (e *Export) addDrive() target.Operation {
	return target.AddDrive{Name: e.Drive, Path: e.Path, Offset: e.Offset, Length: e.Length,
		Access: e.Access, Cache: e.Cache, Identity: e.Identity}
}

// addBlade gives f its address with all that is kept for it.
func (f fresh) addBlade() []target.Operation {
	ops := []target.Operation{target.AddBlade{Addr: f.Addr, Drive: f.Drive}}
	for list, hosts := range f.hosts() {
		if list == target.MaskList {
			hosts = f.kept.Masks
		}
		if len(hosts) > 0 {
			ops = append(ops, target.SetHosts{Addr: f.Addr, List: list, Hosts: hosts})
		}
	}
	if len(f.kept.Reserve) > 0 {
		ops = append(ops, target.SetHosts{Addr: f.Addr, List: target.ReserveList, Hosts: f.kept.Reserve})
	}
	if len(f.kept.Config) > 0 {
		ops = append(ops, target.SetConfig{Addr: f.Addr, Config: f.kept.Config})
	}
	for point, list := range f.Lists {
		if list != nil {
			ops = append(ops, target.SetAccess{Addr: f.Addr, Point: target.AccessPoint(point), List: list})
		}
	}
	if f.Loud {
		ops = append(ops, target.SetLoud{Addr: f.Addr, Loud: true})
	}
	return ops
}

// hosts are the lists that a plan has, in the order in which they are set.
func (e *Export) hosts() iter.Seq2[target.HostList, []aoe.MAC] {
	return func(yield func(target.HostList, []aoe.MAC) bool) {
		_ = yield(target.AcceptList, e.Accept) && yield(target.DenyList, e.Deny) && yield(target.MaskList, e.Masks)
	}
}

func (e *Export) addPorts(netifs []string) []target.Operation {
	var ops []target.Operation
	for _, netif := range netifs {
		ops = append(ops, target.AddPort{Addr: e.Addr, Interface: netif, Buffers: e.Buffers, Quiet: e.Quiet})
	}
	return ops
}
