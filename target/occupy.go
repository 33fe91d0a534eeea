package target

import (
	"errors"
	"fmt"
)

// This file claims the addresses of ports among the processes of this machine, by
// Parts.Claims; Target.ops is held. Every port passes it: an address is claimed from
// before its port is in a table until after it has left, also while the interface is
// down.

// vacant refuses what occupy would.
func (t *Target) vacant(b *binding, n *netif) error {
	index := n.info.Load().Index
	if t.parts.Claims == nil || b.force || index == 0 {
		return nil
	}
	if holder := t.parts.Claims.Holder(index, b.blade.addr); holder != "" {
		return claimedBy(b, n, holder)
	}
	return nil
}

// occupy claims the address of b on n, and returns the index that it is claimed
// under; 0: under none, which is right with force only, or while n is gone.
func (t *Target) occupy(b *binding, n *netif) (index int, err error) {
	index = n.info.Load().Index
	if t.parts.Claims == nil || index == 0 {
		return 0, nil
	}
	holder := t.parts.Claims.Take(index, b.blade.addr)
	switch {
	case holder == "":
		return index, nil
	case b.force:
		t.log.Infof("%s is served on %s, and %s serves it, too, which is as it was asked for, with force", b.blade.addr, n.name(), holder)
		return 0, nil
	}
	n.neighbours.contest()
	return 0, claimedBy(b, n, holder)
}

func claimedBy(b *binding, n *netif, holder string) error {
	return fmt.Errorf("%w: e%s on %s, by %s: end that one first, or choose another address; if both are one disk, force as the last word serves it all the same",
		ErrClaimed, b.blade.addr, n.name(), holder)
}

// vacate ends what occupy began.
func (t *Target) vacate(p *port) {
	if p.claimed != 0 {
		t.parts.Claims.Free(p.claimed, p.addr)
		p.claimed = 0
	}
}

// vacateAll is vacate of all ports of n, whose interface is gone.
func (t *Target) vacateAll(n *netif) {
	for p := range n.ports.all {
		t.vacate(p)
	}
}

// reoccupy claims for the ports of n what they had on another interface, or before
// theirs was gone. What another process has by now leaves n, and waits.
func (t *Target) reoccupy(n *netif) {
	var taken []*port
	for p := range n.ports.all {
		t.vacate(p)
		index, err := t.occupy(p.binding, n)
		if p.claimed = index; err != nil {
			taken = append(taken, p)
			t.hold(p.binding, n.name(), err)
		}
	}
	t.leaveContested(n, taken)
}

// leaveContested takes ports off n that are held there.
func (t *Target) leaveContested(n *netif, taken []*port) {
	err := t.detach(taken)
	if err != nil {
		t.log.WithError(err).Error("ports in conflict are served still")
	}
	for _, p := range taken {
		if err != nil {
			t.unhold(p.binding, n.name())
		} else {
			t.want(p.binding)
		}
	}
}

// contested reports whether err is that somebody else serves an address, who may end.
func contested(err error) bool { return errors.Is(err, ErrAnswered) || errors.Is(err, ErrClaimed) }
