package target

import (
	"cmp"
	"fmt"
	"slices"
)

// This file limits the frames of interfaces; Target.ops is held.

// LimitMTU has the ports of an interface, present or future, make frames of at
// most so many bytes, however large its own MTU is: where what is between it and
// the initiators takes no larger ones. Requests for more, as advertised before,
// are served as far as its own MTU allows.
type LimitMTU struct {
	Interface string
	MTU       int // bytes, like that of an interface; 0: no limit, else MinMTULimit to MaxMTULimit
}

// MinMTULimit leaves room for a request of two sectors.
const (
	MinMTULimit = 1060
	MaxMTULimit = 65535
)

// MTULimit is a limit that LimitMTU has set.
type MTULimit struct {
	Interface string
	MTU       int
}

func (op LimitMTU) apply(t *Target) error {
	if op.MTU != 0 && (op.MTU < MinMTULimit || op.MTU > MaxMTULimit) {
		return fmt.Errorf("%w: MTU %d: want %d to %d, or 0 for the interface's own", ErrRange, op.MTU, MinMTULimit, MaxMTULimit)
	}
	if err := CheckInterfaceName(op.Interface); err != nil {
		return err
	}
	t.limit(t.realName(op.Interface), op.MTU)
	return nil
}

// limit keeps the limit of an interface, and has its ports follow it.
func (t *Target) limit(netif string, mtu int) {
	t.mu.Lock()
	if mtu == 0 {
		delete(t.limits, netif)
	} else {
		t.limits[netif] = mtu
	}
	t.mu.Unlock()
	n := t.netifs[netif]
	if n == nil {
		return
	}
	n.limit.Store(int32(mtu))
	for p := range n.ports.all {
		if p.fit() {
			t.announce(p)
		}
	}
}

// limitAs has the limit of an interface go along when it is called to now, and
// reports whether it has one.
func (t *Target) limitAs(from, to string) bool {
	mtu, limited := t.limits[from]
	if limited {
		t.limit(from, 0)
		t.limit(to, mtu)
	} else if n := t.netifs[to]; n != nil {
		t.limit(to, t.limits[to])
	}
	return limited
}

// mtu is what n may fill of a frame.
func (n *netif) mtu() int {
	mtu := n.info.Load().MTU
	if limit := int(n.limit.Load()); limit != 0 {
		return min(mtu, limit)
	}
	return mtu
}

// describeLimits lists the limits by name; Target.mu is held.
func (t *Target) describeLimits() []MTULimit {
	list := make([]MTULimit, 0, len(t.limits))
	for netif, mtu := range t.limits {
		list = append(list, MTULimit{netif, mtu})
	}
	slices.SortFunc(list, func(a, b MTULimit) int { return cmp.Compare(a.Interface, b.Interface) })
	return list
}

// Limits lists what LimitMTU has set, by interface name.
func (t *Target) Limits() []MTULimit {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.describeLimits()
}
