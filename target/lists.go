package target

import (
	"bytes"
	"fmt"
	"slices"

	"vbladefs/target/aoe"
)

// This file carries out the operations on what is kept for an address;
// Target.ops is held. What initiators change of it is in serve_config.go and
// serve_lists.go.

// String is what the list is called in messages.
func (l HostList) String() string {
	return [...]string{"accept", "deny", "mask", "reserve"}[l] + " list"
}

// of is the list in r.
func (l HostList) of(r *rules) *[]aoe.MAC {
	return [...]*[]aoe.MAC{&r.accept, &r.deny, &r.masks, &r.reserve}[l]
}

func (op EditHosts) apply(t *Target) error {
	return EditHostList{Addr: op.Addr, List: op.List, Hosts: []aoe.MAC{op.Host}, Remove: op.Remove}.apply(t)
}

func (op EditHostList) apply(t *Target) error {
	blade := t.blades[op.Addr]
	if blade == nil {
		return noBlade(op.Addr)
	}
	var err error
	blade.change(func(r *rules) {
		if err != nil {
			return
		}
		list := op.List.of(r)
		hosts := slices.Clone(*list)
		for _, host := range op.Hosts {
			switch at := slices.Index(hosts, host); {
			case op.Remove && at >= 0:
				hosts = slices.Delete(hosts, at, at+1)
			case !op.Remove && at < 0:
				hosts = slices.Insert(hosts, 0, host)
			}
		}
		if len(hosts) > aoe.MaxListed {
			err = fullList(op.List, op.Addr)
			return
		}
		*list = hosts
	})
	return err
}

func (op SetHosts) apply(t *Target) error {
	blade := t.blades[op.Addr]
	if blade == nil {
		return noBlade(op.Addr)
	}
	var hosts []aoe.MAC
	for _, host := range op.Hosts {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		if len(hosts) > aoe.MaxListed {
			return fullList(op.List, op.Addr)
		}
	}
	blade.change(func(r *rules) { *op.List.of(r) = hosts })
	return nil
}

func (op SetConfig) apply(t *Target) error {
	blade := t.blades[op.Addr]
	switch {
	case blade == nil:
		return noBlade(op.Addr)
	case len(op.Config) > aoe.MaxConfigString:
		return fmt.Errorf("%w: config string of %d bytes: want at most %d", ErrTooLong, len(op.Config), aoe.MaxConfigString)
	}
	blade.change(func(r *rules) { r.config = bytes.Clone(op.Config) })
	return nil
}

func noBlade(a aoe.Addr) error { return fmt.Errorf("%w: nothing is exported at %s", ErrNoPort, a) }

func fullList(l HostList, a aoe.Addr) error {
	return fmt.Errorf("%w: the %s of %s holds at most %d hosts", ErrFull, l, a, aoe.MaxListed)
}
