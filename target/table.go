package target

import "vbladefs/target/aoe"

// table finds the port of an address on one interface. It is immutable: with
// and without return a changed copy that shares all but the path to the
// change, so a worker reads a table without a lock while the control plane
// publishes the next one, and a change costs the same for one export and for
// ten thousand.
//
// The shelf's high byte, its low byte and the slot index one level each. Of the
// slots there is only what lies between the first and the last with a port:
// most shelves of a large site have one.
type table struct {
	shelves [256]*shelfGroup
}

type shelfGroup [256]slots

// slots are the ports of a shelf from slot number first on. Those at either end
// are not nil.
type slots struct {
	ports []*port
	first uint8
}

// get returns the port of a, or nil.
func (t *table) get(a aoe.Addr) *port {
	if group := t.shelves[a.Shelf>>8]; group != nil {
		return group[a.Shelf&0xff].get(a.Slot)
	}
	return nil
}

// with returns a copy of t in which a leads to p; a nil p takes a out.
func (t *table) with(a aoe.Addr, p *port) *table {
	next := *t
	group := shelfGroup{}
	if old := t.shelves[a.Shelf>>8]; old != nil {
		group = *old
	}
	group[a.Shelf&0xff] = group[a.Shelf&0xff].with(a.Slot, p)
	next.shelves[a.Shelf>>8] = &group
	if p == nil && group.empty() {
		next.shelves[a.Shelf>>8] = nil
	}
	return &next
}

func (g *shelfGroup) empty() bool {
	for i := range g {
		if g[i].ports != nil {
			return false
		}
	}
	return true
}

func (s *slots) get(slot uint8) *port {
	if i := int(slot) - int(s.first); uint(i) < uint(len(s.ports)) {
		return s.ports[i]
	}
	return nil
}

func (s slots) with(slot uint8, p *port) slots {
	first, end := int(s.first), int(s.first)+len(s.ports)
	switch {
	case len(s.ports) == 0:
		first, end = int(slot), int(slot)+1
	case p != nil:
		first, end = min(first, int(slot)), max(end, int(slot)+1)
	}
	at := func(i int) *port {
		if i == int(slot) {
			return p
		}
		return s.get(uint8(i))
	}
	for first < end && at(first) == nil {
		first++
	}
	for first < end && at(end-1) == nil {
		end--
	}
	if first == end {
		return slots{}
	}
	next := slots{ports: make([]*port, end-first), first: uint8(first)}
	for i := range next.ports {
		next.ports[i] = at(first + i)
	}
	return next
}

// matching calls f for every port that a, which may hold wildcards, names.
func (t *table) matching(a aoe.Addr, f func(*port)) {
	for high, group := range &t.shelves {
		if group == nil || a.Shelf != aoe.AnyShelf && high != int(a.Shelf>>8) {
			continue
		}
		for low := range group {
			if a.Shelf == aoe.AnyShelf || low == int(a.Shelf&0xff) {
				group[low].matching(a.Slot, f)
			}
		}
	}
}

func (s *slots) matching(slot uint8, f func(*port)) {
	if slot != aoe.AnySlot {
		if p := s.get(slot); p != nil {
			f(p)
		}
		return
	}
	for _, p := range s.ports {
		if p != nil {
			f(p)
		}
	}
}
