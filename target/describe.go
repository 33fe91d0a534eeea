package target

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vbladefs/target/aoe"
)

// This file makes Info values of the model; Target.mu is held for reading.

func (d *drive) describe() DriveInfo {
	id := d.identity.Load()
	info := DriveInfo{Name: d.name, Path: d.path, ReadOnly: d.readOnly(), Unwritable: d.readOnly() && d.access != AccessReadOnly,
		Auto: d.access == AccessAuto || d.access == AccessReadOnly && d.wished == AccessAuto, Cache: d.cache, Model: id.Model, Serial: id.Serial,
		Firmware: id.Firmware, Implicit: d.implicit, Forced: d.force, Thin: d.thin, Down: d.down, Ports: d.bindings.length,
		Offset: d.window.first, Length: d.window.length}
	if dev := d.device.Load(); dev != nil {
		info.Sectors, info.Cache, info.Note = d.window.capacity(dev.sectors()), dev.cache, dev.note
		info.Paused = dev.paused.Load()
		info.Major, info.Minor = dev.store.Device()
		info.Down = cmp.Or(info.Down, dev.outage())
	}
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
	if d := b.blade.drive; d.device.Load() != nil {
		if why := d.device.Load().outage(); why != "" {
			info.Up, info.Down = false, fmt.Sprintf("drive %s is down: %s", d.name, why)
		}
	}
	if !info.Up && info.Down == "" {
		info.Down = b.why()
	}
	b.addStats(&info.Stats)
	return info
}

// outage says why the server of d is away; empty if it is not, or d is local.
func (d *device) outage() string {
	if r, ok := d.store.(Remote); ok {
		return r.Outage()
	}
	return ""
}

// why says why b is up nowhere.
func (b *binding) why() string {
	if d := b.blade.drive; d.device.Load() == nil {
		return fmt.Sprintf("drive %s is down: %s", d.name, d.down)
	}
	var reasons []string
	for _, p := range b.ports {
		reasons = append(reasons, p.netif.why())
	}
	for _, netif := range slices.Sorted(maps.Keys(b.held)) {
		reasons = append(reasons, b.held[netif])
	}
	for _, o := range b.blade.bindings {
		if len(reasons) == 0 && len(o.ports) > 0 && overlap(o.netif, b.netif) {
			reasons = append(reasons, fmt.Sprintf("%s is there by its port on %s", b.blade.addr, o.netif))
		}
	}
	if len(reasons) == 0 {
		if b.netif != EveryInterface {
			return "there is no interface that matches " + b.netif
		}
		return "there is no Ethernet interface"
	}
	return strings.Join(reasons, "; ")
}

// why says why n serves nothing.
func (n *netif) why() string {
	switch info := n.info.Load(); {
	case info.Index == 0:
		return fmt.Sprintf("%v: %q", ErrNoInterface, n.name())
	case !info.Up:
		return fmt.Sprintf("interface %s is down", n.name())
	case portSectors(info.MTU, 0) == 0:
		return fmt.Sprintf("interface %s has MTU %d: AoE wants 548 or more", n.name(), info.MTU)
	case n.failure != "":
		return n.failure
	}
	return fmt.Sprintf("interface %s is not served yet", n.name())
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

// describeBlades lists the blades by address, each with the rules that are asked for.
func (t *Target) describeBlades(rulesOf func(*blade) *rules) []BladeInfo {
	sorted := make([]*blade, 0, len(t.blades))
	for _, b := range t.blades {
		sorted = append(sorted, b)
	}
	slices.SortFunc(sorted, func(a, b *blade) int { return compareAddr(a.addr, b.addr) })
	list := make([]BladeInfo, len(sorted))
	for i, b := range sorted {
		list[i] = b.describeWith(rulesOf(b))
	}
	return list
}

func (b *binding) addStats(s *Stats) {
	s.Add(b.past)
	for _, p := range b.ports {
		p.counts.addTo(s)
	}
}

func (b *blade) describe() BladeInfo { return b.describeWith(b.inForce()) }

func (b *blade) inForce() *rules { return b.rules.Load() }

func (b *blade) describeWith(r *rules) BladeInfo {
	return BladeInfo{Addr: b.addr, Drive: b.drive.name, Config: r.config, Masks: r.masks, Reserve: r.reserve, Accept: r.accept, Deny: r.deny,
		Access: r.access.lists(), Loud: r.loud}
}

func compareAddr(a, b aoe.Addr) int {
	return cmp.Or(cmp.Compare(a.Shelf, b.Shelf), cmp.Compare(a.Slot, b.Slot))
}

func (n *netif) describe() InterfaceInfo {
	info := InterfaceInfo{Name: n.name(), MTU: n.info.Load().MTU, Up: n.up(), Ports: n.ports.length,
		Ignored: n.ignored.Load(), Foreign: n.foreign.Load()}
	info.ReceiveDrops, info.SendDrops = n.drops()
	info.OverloadDrops = n.shed.Load()
	info.Wildcards, info.Received, info.Sent = n.wildcards.Load(), n.received.describe(), n.sent.describe()
	if link := n.workers[0].opened.Load(); link != nil {
		info.Link, info.Workers = (*link).Kind(), n.lanes
	}
	return info
}
