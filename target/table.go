package target

import "vbladefs/target/aoe"

// table finds the port of an address on one interface. It is immutable: with
// and without return a changed copy that shares all but the path to the
// change, so a worker reads a table without a lock while the control plane
// publishes the next one, and a change costs the same for one export and for
// ten thousand.
//
// The bits of the shelf, from the highest, and the slot index one level each: small
// ones, since a change copies one node of each. Of the slots there is only what lies
// between the first and the last with a port: most shelves of a large site have one.
type table [64]*shelves1024

type shelves1024 [32]*shelves32

type shelves32 [32]slots

// slots are the ports of a shelf from slot number first on. Those at either end
// are not nil.
type slots struct {
	ports []*port
	first uint8
}

// get returns the port of a, or nil.
func (t *table) get(a aoe.Addr) *port {
	if upper := t[a.Shelf>>10]; upper != nil {
		if lower := upper[a.Shelf>>5&31]; lower != nil {
			return lower[a.Shelf&31].get(a.Slot)
		}
	}
	return nil
}

// with returns a copy of t in which a leads to p; a nil p takes a out.
func (t *table) with(a aoe.Addr, p *port) *table {
	next, upper, lower := *t, shelves1024{}, shelves32{}
	if old := t[a.Shelf>>10]; old != nil {
		upper = *old
	}
	if old := upper[a.Shelf>>5&31]; old != nil {
		lower = *old
	}
	slots := &lower[a.Shelf&31]
	*slots = slots.with(a.Slot, p)
	if upper[a.Shelf>>5&31] = &lower; p == nil && lower.empty() {
		upper[a.Shelf>>5&31] = nil
	}
	if next[a.Shelf>>10] = &upper; upper == (shelves1024{}) {
		next[a.Shelf>>10] = nil
	}
	return &next
}

func (g *shelves32) empty() bool {
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

// matching calls f for every port that a, which may hold wildcards, names, in order
// from the address of that number on. It is false if f has ended that.
func (t *table) matching(a aoe.Addr, from uint32, f func(*port) bool) bool {
	shelf, end := from>>8, uint32(aoe.AnyShelf)
	if a.Shelf != aoe.AnyShelf {
		shelf, end = max(shelf, uint32(a.Shelf)), uint32(a.Shelf)+1
	}
	for shelf < end {
		upper := t[shelf>>10]
		if upper == nil {
			shelf = (shelf>>10 + 1) << 10
			continue
		}
		lower := upper[shelf>>5&31]
		if lower == nil {
			shelf = (shelf>>5 + 1) << 5
			continue
		}
		first := 0
		if shelf == from>>8 {
			first = int(from & 0xff)
		}
		if !lower[shelf&31].matching(a.Slot, first, f) {
			return false
		}
		shelf++
	}
	return true
}

// matching is that of a table, from a slot on.
func (s *slots) matching(slot uint8, from int, f func(*port) bool) bool {
	if slot != aoe.AnySlot {
		p := s.get(slot)
		return p == nil || int(slot) < from || f(p)
	}
	for i := max(from-int(s.first), 0); i < len(s.ports); i++ {
		if p := s.ports[i]; p != nil && !f(p) {
			return false
		}
	}
	return true
}

// addrNumber numbers addresses in the order of a table.
func addrNumber(a aoe.Addr) uint32 { return uint32(a.Shelf)<<8 | uint32(a.Slot) }
