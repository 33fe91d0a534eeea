package qaoed

import (
	"slices"

	"vbladefs/compat/qaoed"
	"vbladefs/netio"
	"vbladefs/target/aoe"
)

// This file is what the API shows of what is served.

// extraThreads are those that the original had beside one for each target and
// interface; the number it shows says no more than that here.
const extraThreads = 2

// Status counts what is served.
func (x *exports) Status() qaoed.Status {
	s := qaoed.Status{Targets: uint32(len(x.Targets())), Interfaces: uint32(len(x.now.Load().Interfaces))}
	s.Threads = s.Targets + s.Interfaces + extraThreads
	return s
}

// Interfaces lists interfaces as they are now; one that is away has no address.
func (x *exports) Interfaces() []qaoed.InterfaceInfo {
	var list []qaoed.InterfaceInfo
	for _, i := range x.now.Load().Interfaces {
		there, _ := netio.Lookup(i.Name)
		list = append(list, qaoed.InterfaceInfo{Name: i.Name, MAC: aoe.MAC(there.MAC), MTU: effective(i.MTU, there.MTU)})
	}
	return list
}

// effective is the MTU of an interface with a limit; 0: none.
func effective(limit, own int) int32 {
	if limit == 0 || own > 0 && own < limit {
		return int32(own)
	}
	return int32(limit)
}

// mtu is that of an interface which is served; 0 of others.
func (x *exports) mtu(netif string) int32 {
	for _, i := range x.Interfaces() {
		if i.Name == netif {
			return i.MTU
		}
	}
	return 0
}

// Targets lists what is served.
func (x *exports) Targets() []qaoed.Target { return x.now.Load().targets() }

func targetOf(d qaoed.Device) qaoed.Target {
	t := qaoed.Target{Path: d.Path, Shelf: d.Addr.Shelf, Slot: d.Addr.Slot, Interface: d.Interface}
	if d.Writecache {
		t.Writecache = qaoed.On
	}
	if d.Broadcast {
		t.Broadcast = qaoed.On
	}
	return t
}

// Target is all about one.
func (x *exports) Target(t qaoed.Target) (qaoed.Detail, error) {
	d, err := find(x.now.Load().Config, t)
	if err != nil {
		return qaoed.Detail{}, err
	}
	blade, _ := x.served.Daemon.Exports.Blade(d.Addr)
	levels := []qaoed.LogLevel{qaoed.LogNone, qaoed.LogError, qaoed.LogInfo, qaoed.LogDebug}
	return qaoed.Detail{Target: targetOf(d), Lists: d.Lists, Log: d.Log,
		Level: uint32(max(0, slices.Index(levels, d.LogLevel))), Config: blade.Config}, nil
}

// Lists lists access lists.
func (x *exports) Lists() []qaoed.ListInfo {
	var list []qaoed.ListInfo
	for i, l := range x.now.Load().Config.Lists {
		list = append(list, qaoed.ListInfo{Name: l.Name, Number: uint32(i), Accept: l.Accept})
	}
	return list
}
