package target

import "slices"

// This file brings up many ports at once, as at a start. One after the other, each
// interface would wait for the kernel to open its links, and then for its neighbours to
// say which addresses are theirs.

// Gather calls f. Ports that operations add meanwhile with Wait come up before it
// returns, all interfaces at a time. It is not to be called again before it has returned.
func (t *Target) Gather(f func()) {
	t.ops.Lock()
	t.gathering = true
	t.ops.Unlock()
	f()
	t.ops.Lock()
	defer t.ops.Unlock()
	bindings := t.gathered
	t.gathering, t.gathered = false, nil
	if t.closed {
		return
	}
	fresh := t.linkTogether(bindings)
	for _, b := range bindings {
		if b.inTarget.taken {
			t.reach(b, nil)
		}
	}
	for _, n := range fresh {
		if t.netifs[n.name()] == n { // else reach has dropped it
			t.dropIfUnused(n)
		}
	}
}

// linkTogether links the interfaces where bindings belong, and asks who is there. It
// returns those that were not linked before. One that cannot be is left for reach, which
// says why.
func (t *Target) linkTogether(bindings []*binding) (fresh []*netif) {
	seen := map[string]bool{}
	for _, b := range bindings {
		if seen[b.netif] || !b.inTarget.taken || b.blade.drive.device.Load() == nil {
			continue
		}
		seen[b.netif] = true
		infos, _ := t.interfacesOf(b)
		for _, info := range infos {
			if !info.Ethernet && !info.Loopback || !b.belongs(info) {
				continue
			}
			if n, err := t.netifOf(info); err == nil && !n.linked.Load() && !slices.Contains(fresh, n) {
				fresh = append(fresh, n)
			}
		}
	}
	together(fresh, func(n *netif) error {
		err := t.relink(n)
		if n.hears() {
			n.neighbours.askAll()
		}
		return err
	})
	return fresh
}
