package plan

import "vbladefs/target"

// changeDrives changes drives in place. A drive that is to be read-only takes no
// write from the start; one that is to be written is so on its new store. A store
// opens with the write policy of the one before it, so policies change later.
func changeDrives(pairs []pair) []target.Operation {
	var first, rebind, cache, last []target.Operation
	for _, p := range pairs {
		if !p.sameDrive() {
			continue
		}
		o, n := p.old, p.new
		if readOnly := n.Access == target.AccessReadOnly; readOnly && o.Access != n.Access {
			first = append(first, target.SetReadOnly{Drive: n.Drive, ReadOnly: true})
		} else if o.Access == target.AccessReadOnly && !readOnly {
			last = append(last, target.SetReadOnly{Drive: n.Drive})
		}
		if o.Path != n.Path {
			rebind = append(rebind, target.Rebind{Addr: o.Addr, Interface: o.ports()[0], Path: n.Path})
		}
		if o.Cache != n.Cache {
			cache = append(cache, target.SetCache{Drive: n.Drive, Cache: n.Cache})
		}
		last = append(last, p.changeIdentity()...)
	}
	return append(append(append(first, rebind...), cache...), last...)
}

func (p pair) changeIdentity() []target.Operation {
	var ops []target.Operation
	o, n := p.old.identity(), p.new.identity()
	if o.Model != n.Model {
		ops = append(ops, target.SetModel{Drive: p.new.Drive, Model: n.Model})
	}
	if o.Serial != n.Serial {
		ops = append(ops, target.SetSerial{Drive: p.new.Drive, Serial: n.Serial})
	}
	if o.Firmware != n.Firmware {
		ops = append(ops, target.SetFirmware{Drive: p.new.Drive, Firmware: n.Firmware})
	}
	return ops
}
