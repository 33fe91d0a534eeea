package target

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// This file keeps bindings that have no port where they belong, with the reason,
// until they can have one: when their drive comes up, their interface changes, or
// the neighbour that answers for their address goes. Target.ops is held.

// wantedAt is the key of b in wanting.
func (b *binding) wantedAt() string {
	if b.many() {
		return EveryInterface
	}
	return b.netif
}

// want has b considered whenever an interface changes that it belongs on.
func (t *Target) want(b *binding) {
	key := b.wantedAt()
	s := t.wanting[key]
	if s == nil {
		s = &sequence[*binding]{}
		t.wanting[key] = s
	}
	if !b.wants.taken {
		s.add(&b.wants, b)
	}
}

// unwant ends what want began, if it did.
func (t *Target) unwant(b *binding) {
	key := b.wantedAt()
	s := t.wanting[key]
	if s == nil || !b.wants.taken {
		return
	}
	if s.remove(&b.wants); s.length == 0 {
		delete(t.wanting, key)
	}
}

// belongs reports whether b should have a port on the interface and has none, nor
// has its address.
func (b *binding) belongs(info Interface) bool {
	if b.blade.drive.device.Load() == nil || b.many() && !b.matches(info) {
		return false
	}
	for _, o := range b.blade.bindings {
		if slices.ContainsFunc(o.ports, func(p *port) bool { return p.netif.name() == info.Name }) {
			return false
		}
	}
	return true
}

// reach puts b on the interfaces where it belongs, and keeps the reason where it
// cannot. Where that has failed just now it is not tried.
func (t *Target) reach(b *binding, failed map[string]error) {
	infos, err := t.interfacesOf(b)
	if !b.inTarget.taken {
		return // its interface turned out to be renamed; see carry
	}
	if err != nil {
		t.hold(b, b.netif, err)
		if !errors.Is(err, ErrNoInterface) && !errors.Is(err, ErrNotEthernet) { // of these there will be notice
			t.later(b.netif, err)
		}
	}
	for _, info := range infos {
		if !b.belongs(info) {
			continue
		}
		err := failed[info.Name]
		if err == nil {
			err = t.extend(b, info)
		}
		if err != nil {
			t.hold(b, info.Name, err)
			if !contested(err) {
				t.later(info.Name, err)
			}
		}
	}
}

// reachAll puts what waits for the interface on it. What it returns all of them
// have; a port that alone cannot be there is tried again.
func (t *Target) reachAll(info Interface) (common error) {
	for _, name := range []string{EveryInterface, info.Name} {
		s := t.wanting[name]
		if s == nil {
			continue
		}
		for b := range s.all {
			if !b.belongs(info) {
				continue
			}
			var n *netif
			if common == nil {
				n, common = t.serve(info)
			}
			err := common
			if err == nil {
				err = t.place(b, n)
			}
			if err != nil {
				t.hold(b, info.Name, err)
			}
			if err != nil && !contested(err) && common == nil {
				t.retry(info.Name, retryDelay)
			}
		}
	}
	return common
}

// interfacesOf lists the interfaces where b belongs as far as they are there.
func (t *Target) interfacesOf(b *binding) ([]Interface, error) {
	if !b.many() {
		info, err := t.present(b.netif)
		return []Interface{info}[:min(len(info.Name), 1)], err
	}
	all := slices.Collect(maps.Values(t.known))
	slices.SortFunc(all, func(a, b Interface) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// hold keeps err as the reason why b has no port on an interface.
func (t *Target) hold(b *binding, netif string, err error) {
	waits := contested(err)
	if n := t.netifs[netif]; n != nil && waits {
		n.waiting[b] = true
	} else if n != nil {
		delete(n.waiting, b)
		t.dropIfUnused(n)
	}
	if reason := err.Error(); b.held[netif] != reason {
		t.mu.Lock()
		if b.held == nil {
			b.held = map[string]string{}
		}
		b.held[netif] = reason
		t.mu.Unlock()
		if waits {
			t.log.Errorf("a port waits, and is tried again: %s", reason)
		}
	}
}

// unhold forgets a reason, which holds no longer.
func (t *Target) unhold(b *binding, netif string) {
	if _, held := b.held[netif]; !held {
		return
	}
	t.mu.Lock()
	if delete(b.held, netif); len(b.held) == 0 {
		b.held = nil
	}
	t.mu.Unlock()
	if n := t.netifs[netif]; n != nil {
		delete(n.waiting, b)
		t.dropIfUnused(n)
	}
}

// forget has nothing wait for b any more.
func (t *Target) forget(b *binding) {
	t.unwant(b)
	for netif := range b.held {
		t.unhold(b, netif)
	}
}

// missing has what waits for an interface wait for its return.
func (t *Target) missing(netif string) {
	if s := t.wanting[EveryInterface]; s != nil {
		for b := range s.all {
			t.unhold(b, netif)
		}
	}
	if s := t.wanting[netif]; s != nil && !isPattern(netif) {
		for b := range s.all {
			t.hold(b, netif, fmt.Errorf("%w: %q", ErrNoInterface, netif))
		}
	}
}
