package plan

import (
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// move gives exports their new addresses. Each is served at the new one before
// the old one ends; one that waits for the address of another comes after that.
// Of a ring of exports that wait for each other, one ends first.
func move(pairs []pair) []target.Operation {
	m := mover{holders: make(map[aoe.Addr]*moving)}
	var all []*moving
	for _, p := range pairs {
		if p.moved() {
			all = append(all, &moving{pair: p})
			m.holders[p.old.Addr] = all[len(all)-1]
		}
	}
	for _, one := range all {
		m.move(one)
	}
	return m.ops
}

// mover collects the operations of move.
type mover struct {
	holders map[aoe.Addr]*moving // of addresses that are not free yet
	ops     []target.Operation
}

// moving is an export that moves.
type moving struct {
	pair
	begun bool
}

func (m *mover) move(one *moving) {
	if one.begun {
		return
	}
	one.begun = true
	if holder := m.holders[one.new.Addr]; holder != nil {
		if holder.begun { // it waits for one: a ring
			m.free(holder)
		} else {
			m.move(holder)
		}
	}
	m.ops = append(m.ops, one.restart()...)
	m.free(one)
}

// free ends what one has at its old address, once.
func (m *mover) free(one *moving) {
	if m.holders[one.old.Addr] == one {
		delete(m.holders, one.old.Addr)
		m.ops = append(m.ops, target.RemoveBlade{Addr: one.old.Addr})
	}
}
