package target

import (
	"cmp"
	"slices"

	"vbladefs/target/aoe"
)

// This file makes Info values of the model; Target.mu is held for reading.

func (d *drive) describe() DriveInfo {
	dev, id := d.device.Load(), d.identity.Load()
	info := DriveInfo{Name: d.name, Path: d.path, Sectors: dev.sectors(), ReadOnly: d.readOnly(), Cache: dev.cache,
		Model: id.Model, Serial: id.Serial, Implicit: d.implicit, Note: dev.note, Ports: d.bindings.length,
		Paused: dev.paused.Load()}
	info.Major, info.Minor = dev.store.Device()
	for b := range d.bindings.all {
		b.addStats(&info.Stats)
	}
	return info
}

func (b *binding) describe() PortInfo {
	info := PortInfo{Addr: b.blade.addr, Interface: b.netif, Drive: b.blade.drive.name,
		Buffers: b.buffers, Sectors: b.sectors, Quiet: b.quiet, Forced: b.force}
	for _, p := range b.ports {
		if !p.netif.up() {
			continue
		}
		sectors := int(p.sectors.Load())
		if !info.Up || sectors < info.EffectiveSectors {
			info.EffectiveSectors = sectors
		}
		info.Up = info.Up || sectors > 0
	}
	b.addStats(&info.Stats)
	return info
}

func describeAll(list *sequence[*binding]) []PortInfo {
	infos := make([]PortInfo, 0, list.length)
	for b := range list.all {
		infos = append(infos, b.describe())
	}
	return infos
}

func (t *Target) describeDrives() []DriveInfo {
	list := make([]DriveInfo, 0, t.drives.length)
	for d := range t.drives.all {
		list = append(list, d.describe())
	}
	return list
}

func (t *Target) describeBlades() []BladeInfo {
	list := make([]BladeInfo, 0, len(t.blades))
	for _, b := range t.blades {
		list = append(list, b.describe())
	}
	slices.SortFunc(list, func(a, b BladeInfo) int { return compareAddr(a.Addr, b.Addr) })
	return list
}

func (b *binding) addStats(s *Stats) {
	s.Add(b.past)
	for _, p := range b.ports {
		p.counts.addTo(s)
	}
}

func (b *blade) describe() BladeInfo {
	r := b.rules.Load()
	return BladeInfo{Addr: b.addr, Drive: b.drive.name, Config: r.config, Masks: r.masks, Reserve: r.reserve, Accept: r.accept, Deny: r.deny}
}

func compareAddr(a, b aoe.Addr) int {
	return cmp.Or(cmp.Compare(a.Shelf, b.Shelf), cmp.Compare(a.Slot, b.Slot))
}

func (n *netif) describe() InterfaceInfo {
	info := InterfaceInfo{Name: n.name, MTU: n.info.Load().MTU, Up: n.up(), Ports: n.ports.length,
		Ignored: n.ignored.Load(), Foreign: n.foreign.Load()}
	info.ReceiveDrops, info.SendDrops = n.drops()
	if link := n.workers[0].opened.Load(); link != nil {
		info.Link, info.Workers = (*link).Kind(), n.lanes
	}
	return info
}
