package ggaoed

import (
	"slices"
	"strings"

	"vbladefs/compat/plan"
	"vbladefs/target"
)

// How ggaoed 1.1 presents its disks. It means firmware version 1, and sends its
// bytes the wrong way round; initiators know it so.
const (
	model    = "GGs AoE target"
	firmware = 0x0100
)

// Plan is what c exports. Interfaces are the names of those that the machine has:
// they get the mtu of [defaults], as do those that the file names.
//
// A device that is on no interface that is listened to is left out.
func (c Config) Plan(interfaces []string) plan.Plan {
	names := make([]string, len(c.Devices))
	for i, d := range c.Devices {
		names[i] = d.Name
	}
	drives := plan.DriveNames(names)
	p := plan.Plan{Limits: c.limits(interfaces)}
	for i, d := range c.Devices {
		e := d.export(drives[i])
		e.Interfaces = c.listened(d)
		if len(e.Interfaces) > 0 {
			p.Exports = append(p.Exports, e)
		}
	}
	return p
}

func (d Device) export(drive string) plan.Export {
	e := plan.Export{
		Name: d.Name, Drive: drive, Path: d.Path, Addr: d.Addr, Buffers: uint16(d.QueueLength),
		Access: target.AccessReadWrite, Cache: target.CacheWriteback,
		Identity: target.Identity{Model: model, Serial: serial(d.Name), Firmware: firmware},
		Accept:   d.Accept.Hosts, Deny: d.Deny.Hosts, Loud: d.Broadcast,
	}
	if d.ReadOnly {
		e.Access = target.AccessReadOnly
	}
	if d.DirectIO {
		e.Cache = target.CacheDirect
	}
	return e
}

// serial is a group's name as IDENTIFY can show it: printable ASCII, cut.
func serial(name string) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, name)
	return s[:min(len(s), target.MaxSerial)]
}

// listened are the interfaces that a device is on.
func (c Config) listened(d Device) []string {
	if len(c.Defaults.Interfaces) == 0 && len(d.Interfaces) == 0 {
		return []string{target.EveryInterface}
	}
	list, _ := common(c.Defaults.Interfaces, d.Interfaces)
	return list
}

// limits are the MTUs of interfaces that c names and of those that there are.
func (c Config) limits(interfaces []string) []target.MTULimit {
	names := slices.Concat(interfaces, c.Defaults.Interfaces)
	for _, d := range c.Devices {
		names = append(names, d.Interfaces...)
	}
	for _, i := range c.Interfaces {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	var limits []target.MTULimit
	for _, name := range slices.Compact(names) {
		if mtu := c.MTU(name); mtu > 0 && plainInterface(name) {
			// Two sectors make a frame of 1046 bytes, so that none is longer than minMTU.
			limits = append(limits, target.MTULimit{Interface: name, MTU: max(mtu, target.MinMTULimit)})
		}
	}
	return limits
}

// plainInterface reports that an interface may have this name.
func plainInterface(name string) bool {
	return checkPattern(name) == nil && !strings.ContainsAny(name, "*?")
}
