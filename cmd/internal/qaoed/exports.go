package qaoed

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/compat/qaoed"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// exports is what is served: a configuration, and how to get another one. It is
// what the API acts on (qaoed.Actions), and all its methods may be called
// concurrently.
type exports struct {
	log  *logrus.Logger
	logs *logs

	mu     sync.Mutex // held while what is served changes
	served daemon.Served
	now    atomic.Pointer[serving] // changes with mu held; who only looks never waits
}

// serving is what is served at one moment.
type serving struct {
	qaoed.Config
	failed map[string]bool // addresses that cannot be served
}

func newExports(d *daemon.Daemon, log *logrus.Logger, l *logs, force bool) *exports {
	x := &exports{log: log, logs: l, served: daemon.Served{Daemon: d, Log: log, Force: force}}
	x.now.Store(&serving{})
	return x
}

// replace serves c from now on; mu is held. What cannot be served is logged.
func (x *exports) replace(c qaoed.Config) *serving {
	next := &serving{Config: c, failed: map[string]bool{}}
	for _, name := range x.served.Change(c.Plan()) {
		next.failed[name] = true
	}
	x.now.Store(next)
	return next
}

// targets are what is served.
func (s *serving) targets() (list []qaoed.Target) {
	for _, d := range s.Devices {
		if !s.failed[d.Addr.String()] {
			list = append(list, targetOf(d))
		}
	}
	return list
}

// load serves what a file says, whose logs are open, and returns how many targets
// that are. What the API had changed is dropped, as it was by the original.
func (x *exports) load(c qaoed.Config, logs *logSet) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.logs.use(logs); err != nil {
		x.log.Warnf("closing the logs of before: %v", err)
	}
	return len(x.replace(c).targets())
}

// change serves what edit makes of the configuration, unless that fails. When an
// address that edit returns cannot be served, all is as it was.
func (x *exports) change(edit func(qaoed.Config) (qaoed.Config, *aoe.Addr, error)) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.now.Load().Config
	next, addr, err := edit(old)
	if err != nil {
		return err
	}
	x.logs.follow(next)
	now := x.replace(next)
	if addr == nil {
		return nil
	}
	if why := x.trouble(now, *addr); why != nil {
		x.logs.follow(old)
		x.replace(old)
		return why
	}
	return nil
}

// trouble is why an address is not served well.
func (x *exports) trouble(now *serving, addr aoe.Addr) error {
	if now.failed[addr.String()] {
		return fmt.Errorf("%s cannot be served", addr)
	}
	blade, _ := x.served.Daemon.Exports.Blade(addr)
	if drive, _ := x.served.Daemon.Exports.Drive(blade.Drive); drive.Down != "" {
		return errors.New(drive.Down)
	}
	return nil
}

// AddTarget serves a device more.
func (x *exports) AddTarget(t qaoed.Target) (qaoed.Target, error) {
	added := t
	err := x.change(func(c qaoed.Config) (qaoed.Config, *aoe.Addr, error) {
		next, d, err := c.AddTarget(t, machine())
		if err == nil {
			added = targetOf(d)
		}
		return next, &d.Addr, err
	})
	if err == nil {
		x.log.Infof("%s: %s was added through the API", addrOf(added), added.Path)
	}
	return added, err
}

// RemoveTarget ends one. Without shelf and slot, it is the one of that path.
func (x *exports) RemoveTarget(t qaoed.Target) error {
	var gone qaoed.Device
	err := x.change(func(c qaoed.Config) (qaoed.Config, *aoe.Addr, error) {
		d, err := find(c, t)
		if err != nil {
			return c, nil, err
		}
		var next qaoed.Config
		next, gone, err = c.RemoveTarget(d.Addr, d.Interface)
		return next, nil, err
	})
	switch {
	case err != nil:
		return err
	case x.stuck(gone.Addr):
		return fmt.Errorf("%w: %s is served until its drive has finished them and another change ends it", target.ErrNotDrained, gone.Addr)
	}
	x.log.Infof("%s: %s was removed through the API", gone.Addr, gone.Path)
	return nil
}

// stuck reports whether an address is served that should not be.
func (x *exports) stuck(addr aoe.Addr) bool {
	_, there := x.served.Daemon.Exports.Blade(addr)
	return there && !slices.ContainsFunc(x.now.Load().Devices, func(d qaoed.Device) bool { return d.Addr == addr })
}

// SetMTU sets the MTU of an interface, -1 for its own.
func (x *exports) SetMTU(netif string, mtu int32) (int32, error) {
	if mtu == 0 || mtu < -1 {
		return x.mtu(netif), fmt.Errorf("%w: MTU %d: want a number of bytes, or -1 for the interface's own", target.ErrRange, mtu)
	}
	err := x.change(func(c qaoed.Config) (qaoed.Config, *aoe.Addr, error) {
		next, err := c.SetMTU(netif, max(int(mtu), 0), machine())
		return next, nil, err
	})
	return x.mtu(netif), err
}

// SetACLs attaches access lists to a target.
func (x *exports) SetACLs(d qaoed.Detail) error {
	return x.change(func(c qaoed.Config) (qaoed.Config, *aoe.Addr, error) {
		next, err := c.SetACLs(addrOf(d.Target), d.Interface, d.Lists)
		return next, nil, err
	})
}

// find is the one device that a request means: by address, or by path where that
// is left open.
func find(c qaoed.Config, t qaoed.Target) (qaoed.Device, error) {
	open := t.Shelf == aoe.AnyShelf || t.Slot == aoe.AnySlot
	fits := func(d qaoed.Device) bool {
		return (t.Shelf == aoe.AnyShelf || t.Shelf == d.Addr.Shelf) && (t.Slot == aoe.AnySlot || t.Slot == d.Addr.Slot) &&
			(t.Interface == "" || t.Interface == d.Interface) && (!open || t.Path == d.Path)
	}
	at := " at " + addrOf(t).String()
	if open {
		at = ""
	}
	i := slices.IndexFunc(c.Devices, fits)
	switch {
	case i < 0:
		return qaoed.Device{}, fmt.Errorf("%w: no target %q%s", target.ErrNoPort, t.Path, at)
	case slices.ContainsFunc(c.Devices[i+1:], fits):
		return qaoed.Device{}, fmt.Errorf("%w: several targets %q%s: name the interface, or shelf and slot", target.ErrMalformed, t.Path, at)
	}
	return c.Devices[i], nil
}

func addrOf(t qaoed.Target) aoe.Addr { return aoe.Addr{Shelf: t.Shelf, Slot: t.Slot} }
