package targettest

import (
	"fmt"
	"maps"
	"slices"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// group is the links that workers share an interface by; its Machine guards it.
type group struct {
	m       *Machine
	netif   *Netif
	links   []*link
	steered map[aoe.Addr]int
	started bool
}

func (m *Machine) openLinks(netif string, workers int) (target.LinkGroup, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.allowLocked("OpenLinks"); err != nil {
		return nil, err
	}
	n := m.netifs[netif]
	if n == nil {
		return nil, fmt.Errorf("%w: %q", target.ErrNoInterface, netif)
	}
	if n.group != nil {
		m.t.Errorf("two groups of links on %s at once: each sees the same frames", netif)
	}
	g := &group{m: m, netif: n, steered: map[aoe.Addr]int{}}
	for range min(workers, m.shares) {
		g.links = append(g.links, m.openLinkLocked(n))
	}
	n.group, n.lost, n.mtu = g, nil, n.info.MTU
	return g, nil
}

// choose returns the link that a frame comes to, or nil when none receives.
func (g *group) choose(frame []byte) *link {
	if !g.started {
		return nil
	}
	i := 0
	if h, ok := aoe.DecodeHeader(frame); ok {
		i = g.steered[h.Addr]
	}
	if i = (i + g.m.misled) % len(g.links); !g.links[i].openLocked() {
		return nil
	}
	return g.links[i]
}

func (g *group) Links() []target.Link {
	var links []target.Link
	for _, l := range g.links {
		links = append(links, l)
	}
	return links
}

func (g *group) Steer(shelf uint16, slot uint8, i int) error {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	if err := g.m.allowLocked("Steer"); err != nil {
		return err
	}
	if i < 0 || i >= len(g.links) {
		g.m.t.Errorf("%d.%d is steered to link %d of %d", shelf, slot, i, len(g.links))
	}
	g.steered[aoe.Addr{Shelf: shelf, Slot: slot}] = i
	if i == 0 {
		delete(g.steered, aoe.Addr{Shelf: shelf, Slot: slot})
	}
	return nil
}

// Settle has nothing to wait for: frames come to their link at once.
func (g *group) Settle() error { return nil }

func (g *group) Start() error {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	if err := g.m.allowLocked("Start"); err != nil {
		return err
	}
	g.started = true
	return nil
}

func (g *group) Close() error {
	g.m.mu.Lock()
	defer g.m.mu.Unlock()
	if g.netif.group != g || slices.ContainsFunc(g.links, (*link).openLocked) {
		g.m.t.Errorf("group of links on %s closed twice, or before them", g.netif.info.Name)
		return nil
	}
	g.netif.group = nil
	return nil
}

func (l *link) openLocked() bool { return l.m.links[l.fd] == l }

// Steered says which addresses are steered away from the first link of an
// interface, and where.
func (m *Machine) Steered(netif string) map[aoe.Addr]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.netifs[netif].group.steered)
}

// ShareLinks says how many links an interface may have from now on; without,
// as many as there are workers.
func (m *Machine) ShareLinks(most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shares = most
}

// Delay has the i-th link of an interface receive nothing, as if its worker had
// no time, or ends that.
func (m *Machine) Delay(netif string, i int, late bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.netifs[netif].group.links[i].late = late
	m.changed.Broadcast()
}

// Mislead has frames come by links past the right one, as while an interface
// comes up.
func (m *Machine) Mislead(by int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.misled = by
}
