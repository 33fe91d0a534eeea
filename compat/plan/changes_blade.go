package plan

import (
	"slices"

	"vbladefs/target"
)

// changeBlade changes what is kept for an address that stays, and its ports.
func (p pair) changeBlade() []target.Operation {
	switch {
	case !p.sameDrive():
		return append(p.old.Removal(), start([]fresh{{p.new, p.kept}})...)
	case p.moved():
		return nil
	}
	ports := p.changePorts()
	if !ports.stays {
		return append([]target.Operation{target.RemoveBlade{Addr: p.old.Addr}}, p.restart()...)
	}
	return append(p.changeLists(), ports.ops...)
}

// restart gives the drive of p its new address, with ports.
func (p pair) restart() []target.Operation {
	f := fresh{p.new, p.kept}
	return append(f.addBlade(), f.addPorts(f.ports())...)
}

func (p pair) changeLists() []target.Operation {
	var ops []target.Operation
	addr := p.new.Addr
	for list, hosts := range p.new.hosts() {
		for before, had := range p.old.hosts() {
			if list == before && !slices.Equal(hosts, had) {
				ops = append(ops, target.SetHosts{Addr: addr, List: list, Hosts: hosts})
			}
		}
	}
	for i, list := range p.new.Lists {
		if !equalLists(p.old.Lists[i], list) {
			ops = append(ops, target.SetAccess{Addr: addr, Point: target.AccessPoint(i), List: list})
		}
	}
	if p.old.Loud != p.new.Loud {
		ops = append(ops, target.SetLoud{Addr: addr, Loud: p.new.Loud})
	}
	return ops
}

func equalLists(a, b *target.AccessList) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name && a.Accept == b.Accept && a.Log == b.Log && slices.Equal(a.Rows, b.Rows)
}

// portChanges are the operations on the ports of an address.
type portChanges struct {
	ops   []target.Operation
	stays bool // there is a port at every moment, so the blade stays
}

// changePorts adds ports before it removes others, except where both would be on
// the same interface.
func (p pair) changePorts() portChanges {
	o, n := p.old, p.new
	var c portChanges
	var gone, later []string
	for _, netif := range o.ports() {
		if !slices.Contains(n.ports(), netif) {
			gone = append(gone, netif)
		}
	}
	for _, netif := range n.ports() {
		switch {
		case slices.Contains(o.ports(), netif):
			c.stays = true
			if o.buffers() != n.buffers() || o.Quiet != n.Quiet {
				c.ops = append(c.ops, target.SetPort{Addr: n.Addr, Interface: netif, Buffers: n.Buffers, Quiet: n.Quiet})
			}
		case slices.ContainsFunc(gone, func(other string) bool { return overlap(netif, other) }):
			later = append(later, netif)
		default:
			c.stays = true
			c.ops = append(c.ops, n.addPorts([]string{netif})...)
		}
	}
	for _, netif := range gone {
		c.ops = append(c.ops, target.RemovePort{Addr: n.Addr, Interface: netif})
	}
	c.ops = append(c.ops, n.addPorts(later)...)
	return c
}
