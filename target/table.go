package target

import "vbladefs/target/aoe"

// table finds the port of an address on one interface. It is immutable: with
// and without return a changed copy that shares all but the path to the
// change, so a worker reads a table without a lock while the control plane
// publishes the next one, and a change costs the same for one export and for
// ten thousand.
//
// The shelf's high byte, its low byte and the slot index one level each.
type table struct {
	shelves [256]*shelfGroup
}

type shelfGroup [256]*slots

type slots [256]*port

// get returns the port of a, or nil.
func (t *table) get(a aoe.Addr) *port {
	if group := t.shelves[a.Shelf>>8]; group != nil {
		if s := group[a.Shelf&0xff]; s != nil {
			return s[a.Slot]
		}
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
	leaf := slots{}
	if old := group[a.Shelf&0xff]; old != nil {
		leaf = *old
	}
	leaf[a.Slot] = p
	group[a.Shelf&0xff] = &leaf
	if p == nil && leaf == (slots{}) {
		group[a.Shelf&0xff] = nil
	}
	next.shelves[a.Shelf>>8] = &group
	if p == nil && group == (shelfGroup{}) {
		next.shelves[a.Shelf>>8] = nil
	}
	return &next
}

// matching calls f for every port that a, which may hold wildcards, names.
func (t *table) matching(a aoe.Addr, f func(*port)) {
	for high, group := range &t.shelves {
		if group == nil || a.Shelf != aoe.AnyShelf && high != int(a.Shelf>>8) {
			continue
		}
		for low, s := range group {
			if s == nil || a.Shelf != aoe.AnyShelf && low != int(a.Shelf&0xff) {
				continue
			}
			s.matching(a.Slot, f)
		}
	}
}

func (s *slots) matching(slot uint8, f func(*port)) {
	if slot != aoe.AnySlot {
		if p := s[slot]; p != nil {
			f(p)
		}
		return
	}
	for _, p := range s {
		if p != nil {
			f(p)
		}
	}
}
