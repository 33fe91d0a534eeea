package qaoed

import (
	"fmt"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Switch is on, off, or left to the default section; the API has the same
// values (sheet §3).
type Switch int32

// The positions of a switch.
const (
	Unset Switch = -1
	Off   Switch = 0
	On    Switch = 1
)

// Target is what is asked of a new device.
type Target struct {
	Path                  string
	Shelf                 uint16 // aoe.AnyShelf: the default's
	Slot                  uint8  // aoe.AnySlot: the default's, which then goes up by one
	Interface             string // empty: the default's
	Writecache, Broadcast Switch
}

// newRaw is a device, or a default section, that says nothing.
func newRaw() rawDevice {
	return rawDevice{Target: Target{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot, Writecache: Unset, Broadcast: Unset}}
}

// builtIn is what holds where even the default section says nothing.
func builtIn(level LogLevel) Default {
	return Default{Settings: Settings{Writecache: true, Broadcast: true, Log: DefaultLog, LogLevel: level}}
}

// over is s with what a device says itself.
func (r rawDevice) over(s Settings) Settings {
	if r.Interface != "" {
		s.Interface = r.Interface
	}
	if r.Writecache != Unset {
		s.Writecache = r.Writecache == On
	}
	if r.Broadcast != Unset {
		s.Broadcast = r.Broadcast == On
	}
	if r.log != "" {
		s.Log = r.log
	}
	if r.level != "" {
		s.LogLevel = r.level
	}
	for point, name := range r.lists {
		if name != nil {
			s.Lists[point] = *name
		}
	}
	return s
}

// addr is the address that a new device gets; one without a slot has the next
// device without one get the next. 254 is followed by 0.
func (d *Default) addr(t Target) aoe.Addr {
	addr := aoe.Addr{Shelf: t.Shelf, Slot: t.Slot}
	if t.Shelf == aoe.AnyShelf {
		addr.Shelf = d.Shelf
	}
	if t.Slot == aoe.AnySlot {
		addr.Slot = d.Slot
		d.Slot = uint8((int(d.Slot) + 1) % (target.MaxSlot + 1))
	}
	return addr
}

// settings reads a device or default section, and checks all but its target.
func (b *builder) settings(s section) (rawDevice, places) {
	raw := newRaw()
	at := read(&b.findings, s, &raw, deviceKeys, aclKeys)
	b.refer(at, "log", "logging")
	for _, k := range aclKeys {
		if k.as == "" {
			b.refer(at, "acl "+k.name, "access-list")
		}
	}
	if raw.Interface != "" && !b.present(at["interface"]) {
		raw.Interface = ""
	}
	for _, key := range []string{"shelf", "slot"} {
		if v := strings.TrimLeft(at[key].value.text, "0"); key == "shelf" && v == "65535" || key == "slot" && v == "255" {
			b.warn(at[key].value, "%s: %s stands for every %s, and so says nothing here", at[key], v, key)
		}
	}
	return raw, at
}

// defaults reads a default section; as in the original, the first one counts.
func (b *builder) defaults(s section) {
	raw, at := b.settings(s)
	if b.def != nil {
		b.warn(s.word, "a second default section, which says nothing: the first is on line %d of %s",
			b.def.word.line, text.Printable(b.def.word.file))
		return
	}
	b.def = &s
	if st, given := at["target"]; given {
		b.warn(st.key, "%s exports nothing: want it in a device section", st)
	}
	d := &b.config.Default
	d.Settings = raw.over(d.Settings)
	if raw.Shelf != aoe.AnyShelf {
		d.Shelf = raw.Shelf
	}
	if raw.Slot != aoe.AnySlot {
		d.Slot = raw.Slot
	}
	b.use(d.Interface)
}

func (b *builder) device(s section) {
	raw, at := b.settings(s)
	d := Device{Addr: b.config.Default.addr(raw.Target), Settings: raw.over(b.config.Default.Settings)}
	place, given := at["target"]
	switch {
	case !given && !s.torn:
		b.mistake(s.word, "[device] without target: want target = PATH ;")
	case raw.Path != "":
		var want string
		if d.Path, want = exportable(raw.Path, b.env); want != "" {
			b.refuse(place, want)
		}
	}
	if _, named := at["interface"]; d.Interface == "" && !named && !s.torn {
		b.mistake(s.word, "[device] without interface: want interface = NAME ; here or in the default section")
	}
	b.use(d.Interface)
	if st, given := at["slot"]; given {
		place = st
	}
	if len(b.mistakes) == b.clashes { // else addresses may not be what was meant
		b.compare(d, place)
	}
	for _, netif := range []string{"", d.Interface} {
		if _, again := b.byPort[port{d.Addr, netif}]; !again {
			b.byPort[port{d.Addr, netif}] = len(b.at)
		}
	}
	b.config.Devices = append(b.config.Devices, d)
	b.at = append(b.at, s.word)
}

// compare checks a device against those before it.
func (b *builder) compare(d Device, st statement) {
	for _, netif := range []string{"", d.Interface} {
		i, again := b.byPort[port{d.Addr, netif}]
		if !again {
			continue
		}
		if want := clash(b.config.Devices[i], d); want != "" {
			b.mistake(st.key, "%s: %s on %s is that of the device on line %d of %s: want %s",
				st, d.Addr, text.Quote(d.Interface), b.at[i].line, text.Printable(b.at[i].file), want)
			b.clashes = len(b.mistakes)
			return
		}
	}
	first, again := b.byPath[d.Path]
	if again && b.config.Devices[first].Writecache != d.Writecache {
		b.warn(st.key, "[device] target: %s has its write cache on here and off there, line %d of %s: it is off",
			text.Quote(d.Path), b.at[first].line, text.Printable(b.at[first].file))
	}
	if !again {
		b.byPath[d.Path] = len(b.at)
	}
}

// clash is what would be right when two devices cannot both be served, else
// empty. As in the original, they may have one address on several interfaces if
// the target is the same. An address has its settings once.
func clash(old, d Device) string {
	switch {
	case old.Addr != d.Addr:
	case old.Path != d.Path:
		return "another slot or shelf, or the same target"
	case old.Interface == d.Interface:
		return "another slot or shelf, or another interface"
	case old.Writecache != d.Writecache, old.Broadcast != d.Broadcast, old.Lists != d.Lists:
		return "the same writecache, broadcast and acl for both"
	}
	return ""
}

// checkMTU is what would be right for the MTU of an interface, or empty.
func checkMTU(netif string, mtu int, env Env) string {
	if mtu == 0 {
		return ""
	}
	most, known := 65535, false
	if env.MTU != nil {
		if own, there := env.MTU(netif); there {
			most, known = own, true
		}
	}
	switch {
	case mtu >= target.MinMTULimit && mtu <= most:
		return ""
	case known:
		return fmt.Sprintf("auto, or %d to %d, the MTU of %s", target.MinMTULimit, most, netif)
	}
	return fmt.Sprintf("auto, or %d to %d", target.MinMTULimit, most)
}
