package qaoed

import (
	"path"

	"vbladefs/compat/plan"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// How an export presents itself to initiators: the original's values (sheet
// §5). Its serial number is the start of the path.
const (
	Model     = "123456789"
	Firmware  = 0x400a
	Buffers   = 20
	serialLen = 19
)

// Plan is what a configuration wants exported. The devices of one address are
// one export.
func (c Config) Plan() plan.Plan {
	var p plan.Plan
	for _, i := range c.Interfaces {
		if i.MTU != 0 {
			p.Limits = append(p.Limits, target.MTULimit{Interface: i.Name, MTU: i.MTU})
		}
	}
	lists, caches := c.accessLists(), c.caches()
	at := map[aoe.Addr]int{}
	var names []string
	for _, d := range c.Devices {
		if i, again := at[d.Addr]; again {
			p.Exports[i].Interfaces = append(p.Exports[i].Interfaces, d.Interface)
			continue
		}
		at[d.Addr] = len(p.Exports)
		e := d.export()
		e.Cache = caches[path.Clean(d.Path)]
		for point, name := range d.Lists {
			e.Lists[point] = lists[name]
		}
		p.Exports = append(p.Exports, e)
		names = append(names, target.BaseName(d.Path)+"-"+d.Addr.String())
	}
	for i, name := range plan.DriveNames(names) {
		p.Exports[i].Drive = name
	}
	return p
}

// export is what the device says by itself.
func (d *Device) export() plan.Export {
	return plan.Export{
		Name: d.Addr.String(), Path: d.Path, Addr: d.Addr, Interfaces: []string{d.Interface},
		Buffers: Buffers, Access: target.AccessAuto, Quiet: !d.Broadcast,
		Identity: target.Identity{Model: Model, Serial: text.Label(d.Path, serialLen), Firmware: Firmware},
	}
}

// caches are the write policies by path. A target has one, however many devices
// it is; one without a write cache decides, since nothing may be lost there.
func (c Config) caches() map[string]target.Cache {
	caches := map[string]target.Cache{}
	for _, d := range c.Devices {
		switch file := path.Clean(d.Path); {
		case !d.Writecache:
			caches[file] = target.CacheDurable
		case caches[file] == "":
			caches[file] = target.CacheWriteback
		}
	}
	return caches
}

// accessLists are the lists by name; none for the empty one.
func (c Config) accessLists() map[string]*target.AccessList {
	lists := map[string]*target.AccessList{}
	for _, l := range c.Lists {
		lists[l.Name] = &target.AccessList{Name: l.Name, Rows: l.Rows, Accept: l.Accept, Log: l.Log != ""}
	}
	return lists
}
