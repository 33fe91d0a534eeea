package target

import (
	"fmt"
	"slices"
	"syscall"
)

// This file has ports follow an interface that is renamed: its index stays the
// same. Target.ops is held.
//
// Notices of renames come in order, and say the truth of their moment. A question
// by name may know of a rename before its notice comes.

// nameOf is the name by which the interface with this index is known, or "".
func (t *Target) nameOf(index int) string {
	if index == 0 {
		return ""
	}
	for name, info := range t.known {
		if info.Index == index {
			return name
		}
	}
	for name, n := range t.netifs {
		if n.info.Load().Index == index {
			return name
		}
	}
	return ""
}

// holder returns the other interface than that with this index which is known by a
// name, if there is one.
func (t *Target) holder(name string, index int) (other Interface, taken bool) {
	other, known := t.known[name]
	if n := t.netifs[name]; !known && n != nil {
		other = *n.info.Load()
	}
	return other, other.Index != 0 && other.Index != index
}

// catchUp has ports follow an interface that turns out to have another name than
// it is known by. It refuses what was another's name just now, whose notice has to
// come first.
func (t *Target) catchUp(info Interface) error {
	from := t.nameOf(info.Index)
	if from == "" || from == info.Name {
		return nil
	}
	if _, taken := t.holder(info.Name, info.Index); taken {
		return fmt.Errorf("%w: interfaces %s and %s are being renamed; try again: %w", ErrInUse, from, info.Name, syscall.EAGAIN)
	}
	t.renamed(from, info)
	return nil
}

// renamed has what belongs on the interface that was called from belong on it
// under its new name. One that no command could name, and so no saved state, is
// not followed.
func (t *Target) renamed(from string, info Interface) {
	if err := CheckInterfaceName(info.Name); err != nil {
		t.log.WithError(err).Errorf("interface %s has a name now that cannot be used; its ports wait for one of the old name", from)
		t.vanished(from)
		t.known[info.Name] = info
		return
	}
	if other, taken := t.holder(info.Name, info.Index); taken { // it is renamed, too: notices were lost
		parked := other
		parked.Name = fmt.Sprintf("%s:%d", other.Name, other.Index) // which no interface is called
		t.rename(other.Name, parked)
	}
	if n := t.netifs[from]; n != nil && n.ports.length > 0 || len(t.bindingsOf(from)) > 0 {
		t.log.Infof("interface %s is called %s now; its ports go on under that name", from, info.Name)
	}
	if t.rename(from, info) && t.keeper != nil {
		t.keeper.Changed(nil)
	}
}

// rename does what renamed does, when the new name is free, and reports whether
// any port was configured by the old one.
func (t *Target) rename(from string, info Interface) (configured bool) {
	to := info.Name
	bindings := t.bindingsOf(from)
	if n := t.netifs[from]; n != nil {
		if err := t.makeWay(to); err != nil {
			t.log.WithError(err).Errorf("interface %s does not take its ports along; they wait for one of the old name", to)
			t.vanished(from)
			return false
		}
		now := *n.info.Load()
		now.Name = to
		t.mu.Lock()
		delete(t.netifs, from)
		t.netifs[to] = n
		n.info.Store(&now)
		t.mu.Unlock()
	}
	delete(t.known, from)
	t.known[to] = info
	t.holdAs(bindings, from, to)
	if s := t.wanting[EveryInterface]; s != nil {
		t.holdAs(slices.Collect(s.all), from, to)
		for b := range s.all {
			if !b.matches(info) {
				t.unhold(b, to)
			}
		}
	}
	if n := t.netifs[to]; n != nil {
		t.leaveUnmatched(n)
	}
	for _, b := range bindings {
		t.carry(b, from, to)
	}
	if timer := t.retries[from]; timer != nil {
		timer.Stop()
		delete(t.retries, from)
		t.retry(to, retryDelay)
	}
	limited := t.limitAs(from, to)
	return len(bindings) > 0 || limited
}

// bindingsOf lists what belongs on the interface by its name: nothing on one that
// is called like a pattern.
func (t *Target) bindingsOf(netif string) (list []*binding) {
	if isPattern(netif) {
		return nil
	}
	if n := t.netifs[netif]; n != nil {
		for p := range n.ports.all {
			if p.binding.netif == netif {
				list = append(list, p.binding)
			}
		}
	}
	if s := t.wanting[netif]; s != nil {
		list = slices.AppendSeq(list, s.all)
	}
	return list
}

// makeWay has ports that wait on an interface that is gone wait for its name
// only, which another one has taken.
func (t *Target) makeWay(name string) error {
	n := t.netifs[name]
	if n == nil {
		return nil
	}
	ports := slices.Collect(n.ports.all)
	if err := t.detach(ports); err != nil {
		return err
	}
	for _, p := range ports {
		t.want(p.binding)
	}
	if t.netifs[name] == n {
		clear(n.waiting)
		t.dropIfUnused(n)
	}
	return nil
}

// carry has b belong on to, as its interface is called now. If its address has a
// port there already, which waited for the name, only one of the two can be: the
// one that is served.
func (t *Target) carry(b *binding, from, to string) {
	if other := t.findBinding(b.blade.addr, to); other != nil {
		drop := other
		if len(other.ports) > len(b.ports) {
			drop = b
		}
		t.log.Warnf("%s was to be served on %s and on %s, which are one interface now: it stays as it was on %s",
			b.blade.addr, from, to, map[bool]string{true: from, false: to}[drop == other])
		t.drop(drop)
		if drop == b {
			return
		}
	}
	wanted := b.wants.taken
	t.unwant(b)
	t.mu.Lock()
	b.netif = to
	t.mu.Unlock()
	if wanted {
		t.want(b)
	}
}

// drop takes b, which has no port, out of the model.
func (t *Target) drop(b *binding) {
	t.forget(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlinkBinding(b)
}

// holdAs has what is held on an interface be held under its new name.
func (t *Target) holdAs(bindings []*binding, from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range bindings {
		if reason, held := b.held[from]; held {
			delete(b.held, from)
			b.held[to] = reason
		}
	}
}
