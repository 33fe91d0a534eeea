package plan

import (
	"slices"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Changes makes of an engine that has old one that has new. What does not differ
// is not touched; what can change under the initiators' hands does; the rest is
// served until the moment it is replaced. Where an address has to be made anew,
// its config string, masks and reservations stay as kept gives them, which is
// called before Changes returns; where Drive is empty, or kept nil, nothing is kept. An export of old that could not be started must not be in old.
func Changes(old, new Plan, kept func(aoe.Addr) target.BladeInfo) []target.Operation {
	if kept == nil {
		kept = func(aoe.Addr) target.BladeInfo { return target.BladeInfo{} }
	}
	c := compare(old, new, kept)
	ops := changeLimits(old.Limits, new.Limits)
	for _, e := range c.gone {
		ops = append(ops, e.Removal()...)
	}
	ops = append(ops, changeDrives(c.pairs)...)
	for _, p := range c.pairs {
		ops = append(ops, p.changeBlade()...)
	}
	ops = append(ops, move(c.pairs)...)
	return append(ops, start(c.fresh)...)
}

// comparison is what becomes of the exports of two plans.
type comparison struct {
	gone  []*Export // that end, or make room before they begin anew
	fresh []fresh   // that begin, or do so anew
	pairs []pair    // that go on
}

// pair is an export before and after.
type pair struct {
	old, new *Export
	kept     target.BladeInfo // of the old address, with the masks that the new one is to have
	refused  bool             // the new store has another write policy than the old one, so far
}

func compare(old, new Plan, kept func(aoe.Addr) target.BladeInfo) comparison {
	var c comparison
	before := make(map[string]*Export)
	stores := make(map[string]target.Cache)
	for i := range old.Exports {
		before[old.Exports[i].Name] = &old.Exports[i]
		stores[old.Exports[i].Path] = old.Exports[i].Cache
	}
	for i := range new.Exports {
		p := pair{old: before[new.Exports[i].Name], new: &new.Exports[i]}
		delete(before, p.new.Name)
		if p.old == nil {
			c.fresh = append(c.fresh, anew(p.new))
			continue
		}
		cache, there := stores[p.new.Path]
		p.refused = there && cache != p.old.Cache
		if p.remade() {
			p.kept = kept(p.old.Addr)
			if p.kept.Drive == "" || !slices.Equal(p.old.Masks, p.new.Masks) {
				p.kept.Masks = p.new.Masks
			}
		}
		if p.sameDrive() || p.sameNames() {
			c.pairs = append(c.pairs, p)
			continue
		}
		c.gone = append(c.gone, p.old)
		c.fresh = append(c.fresh, fresh{p.new, p.kept})
	}
	for i := range old.Exports { // in order
		if e := &old.Exports[i]; before[e.Name] != nil {
			c.gone = append(c.gone, e)
		}
	}
	return c
}

// sameDrive reports whether the drive can become what it is to be in place. A
// store changes under an address that stays, as the plan says; under one that is
// about to end it would take writes that were meant for the old one.
func (p pair) sameDrive() bool {
	o, n := p.old, p.new
	if o.Drive != n.Drive || o.Offset != n.Offset || o.Length != n.Length {
		return false
	}
	if o.Path == n.Path {
		return o.Cache == n.Cache || n.Cache != ""
	}
	return o.Cache == n.Cache && !p.refused && !p.moved()
}

// sameNames reports whether nobody else can want what the old export frees.
func (p pair) sameNames() bool { return p.old.Drive == p.new.Drive && p.old.Addr == p.new.Addr }

func (p pair) moved() bool { return p.old.Addr != p.new.Addr }

// remade reports whether the blade has to be made anew.
func (p pair) remade() bool {
	return !p.sameDrive() || p.moved() || !p.changePorts().stays
}

func changeLimits(old, new []target.MTULimit) []target.Operation {
	var ops []target.Operation
	for _, l := range new {
		if !slices.Contains(old, l) {
			ops = append(ops, target.LimitMTU(l))
		}
	}
	for _, l := range old {
		if !slices.ContainsFunc(new, func(n target.MTULimit) bool { return n.Interface == l.Interface }) {
			ops = append(ops, target.LimitMTU{Interface: l.Interface})
		}
	}
	return ops
}
