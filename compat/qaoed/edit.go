package qaoed

import (
	"fmt"
	"slices"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// This file is what qaoed's API changes while the daemon runs (sheet §3). Each
// change gives a new Config, or an error and the Config as it was.

// AddTarget adds a device, which is returned with what it left to defaults. One
// that leaves the slot to them gets the next that is free. On an address that has
// a device on another interface, it takes the settings of that one for what else
// it leaves open.
func (c Config) AddTarget(t Target, env Env) (Config, Device, error) {
	old := c
	addr, err := c.place(t)
	if err != nil {
		return old, Device{}, err
	}
	d := Device{Addr: addr, Settings: c.settingsAt(addr, t)}
	var want string
	if d.Path, want = exportable(t.Path, env); t.Path == "" || want != "" {
		return old, Device{}, refused("target", t.Path, want)
	}
	if want := checkInterface(d.Interface, env); want != "" {
		return old, Device{}, refused("interface", d.Interface, want)
	}
	for _, i := range c.find(addr, "") {
		if want := clash(c.Devices[i], d); want != "" {
			return old, Device{}, fmt.Errorf("%w: %s on %s: want %s", target.ErrAddressTaken, addr, text.Quote(d.Interface), want)
		}
	}
	if !slices.ContainsFunc(c.Interfaces, func(i Interface) bool { return i.Name == d.Interface }) {
		c.Interfaces = append(slices.Clone(c.Interfaces), newInterface(d.Interface, c.LogLevel))
	}
	c.Devices = append(slices.Clone(c.Devices), d)
	return c, d, nil
}

// place is the address of a new device. Default slots that are taken are passed
// over: nobody could move them on while the daemon runs.
func (c *Config) place(t Target) (aoe.Addr, error) {
	for range target.MaxSlot + 1 {
		addr := c.Default.addr(t)
		if t.Slot != aoe.AnySlot || len(c.find(addr, "")) == 0 {
			return addr, nil
		}
	}
	return aoe.Addr{}, fmt.Errorf("%w: every slot is taken: want one less, or another shelf", target.ErrFull)
}

// settingsAt are those of a new device at an address: what it says itself, else
// what the address has already on other interfaces, else the defaults.
func (c *Config) settingsAt(addr aoe.Addr, t Target) Settings {
	s := c.Default.Settings
	if at := c.find(addr, ""); len(at) > 0 {
		s = c.Devices[at[0]].Settings
		s.Interface = c.Default.Interface
	}
	raw := newRaw()
	raw.Target = t
	return raw.over(s)
}

// RemoveTarget takes the device at an address away, which is returned. The
// interface may be empty if there is only one.
func (c Config) RemoveTarget(addr aoe.Addr, netif string) (Config, Device, error) {
	at := c.find(addr, netif)
	switch {
	case len(at) == 0:
		return c, Device{}, fmt.Errorf("%w: no target at %s%s", target.ErrNoPort, addr, on(netif))
	case len(at) > 1:
		return c, Device{}, fmt.Errorf("%w: the target at %s is on %d interfaces: want the name of one", target.ErrMalformed, addr, len(at))
	}
	d := c.Devices[at[0]]
	c.Devices = slices.Delete(slices.Clone(c.Devices), at[0], at[0]+1)
	return c, d, nil
}

// SetMTU sets the MTU of an interface in bytes; 0: its own.
func (c Config) SetMTU(netif string, mtu int, env Env) (Config, error) {
	at := slices.IndexFunc(c.Interfaces, func(i Interface) bool { return i.Name == netif })
	if at < 0 {
		return c, fmt.Errorf("%w: %s: want one that is configured", target.ErrNoInterface, text.Quote(netif))
	}
	if want := checkMTU(netif, mtu, env); want != "" {
		return c, refused("mtu", fmt.Sprint(mtu), want)
	}
	c.Interfaces = slices.Clone(c.Interfaces)
	c.Interfaces[at].MTU = mtu
	return c, nil
}

// SetACLs attaches the access lists of the given names to an address, by access
// point; an empty name has everyone pass. The interface may be empty; the lists
// belong to the address, on all of its interfaces.
func (c Config) SetACLs(addr aoe.Addr, netif string, names [target.AccessPoints]string) (Config, error) {
	if len(c.find(addr, netif)) == 0 {
		return c, fmt.Errorf("%w: no target at %s%s", target.ErrNoPort, addr, on(netif))
	}
	for _, name := range names {
		if name != "" && !slices.ContainsFunc(c.Lists, func(l List) bool { return l.Name == name }) {
			return c, refused("access list", name, "the name of one that is configured")
		}
	}
	c.Devices = slices.Clone(c.Devices)
	for _, i := range c.find(addr, "") {
		c.Devices[i].Lists = names
	}
	return c, nil
}

// find is which devices are at an address, on one interface if it is named.
func (c Config) find(addr aoe.Addr, netif string) []int {
	var at []int
	for i, d := range c.Devices {
		if d.Addr == addr && (netif == "" || d.Interface == netif) {
			at = append(at, i)
		}
	}
	return at
}

func checkInterface(name string, env Env) string {
	var checked string
	if !setInterface(&checked, name) {
		return anInterface
	}
	if env.MTU != nil {
		if _, there := env.MTU(name); !there {
			return "a network interface that is there"
		}
	}
	return ""
}

func on(netif string) string {
	if netif == "" {
		return ""
	}
	return " on " + text.Quote(netif)
}

func refused(what, value, want string) error {
	if want == "" {
		want = anyText
	}
	return fmt.Errorf("%w: %s %s: want %s", target.ErrMalformed, what, text.Quote(value), want)
}
