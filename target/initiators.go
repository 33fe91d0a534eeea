package target

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"vbladefs/target/aoe"
)

// maxHosts is how many initiators a port remembers.
const maxHosts = 16

// hosts are the initiators that a port has heard, but for what is counted of the
// latest in the port itself. The home of the port writes them, anyone reads them.
type hosts struct {
	keys   [maxHosts]atomic.Uint64 // of hostKey; 0: free
	counts [maxHosts]atomic.Uint64
	seen   [maxHosts]atomic.Uint32 // when last, in Unix seconds
}

// hostKey is mac as a number; that of a host is not 0.
func hostKey(mac aoe.MAC) uint64 {
	return uint64(binary.BigEndian.Uint16(mac[:2]))<<32 | uint64(binary.BigEndian.Uint32(mac[2:]))
}

func keyHost(key uint64) (mac aoe.MAC) {
	binary.BigEndian.PutUint16(mac[:2], uint16(key>>32))
	binary.BigEndian.PutUint32(mac[2:], uint32(key))
	return mac
}

// run is requests of one host to one port that come one after the other.
type run struct {
	port  *port  // nil: there is none
	key   uint64 // of the host
	n     uint32
	depth uint64 // see counters
}

// heard counts a request; those of a run are counted at its end, together.
func (w *worker) heard(p *port, key uint64) {
	if r := &w.said; r.port == p && r.key == key {
		r.n++
		return
	}
	w.endRun()
	w.said = run{p, key, 1, 0}
}

// endRun ends the run that there is, if any: with the batch, and before replies
// to it are sent.
func (w *worker) endRun() {
	if r := &w.said; r.port != nil {
		r.port.heard(r.key, r.n, w.second)
		if r.depth > 0 {
			r.port.counts.depth.Add(r.depth)
		}
		r.port = nil
	}
}

// heard counts n requests to the address of p, at a second of Unix time. Only the
// home of p calls it: requests to wildcards, which others serve, do not count.
// Mostly a request comes from the same host as the one before, and takes nothing
// but memory of p that serving it takes anyway.
func (p *port) heard(key uint64, n, second uint32) {
	if p.latest.Load() == key && p.seen.Load() == second {
		p.repeats.Add(n)
		return
	}
	p.hosts.credit(p.latest.Load(), uint64(p.repeats.Swap(0)), p.seen.Load(), second)
	p.latest.Store(key)
	p.seen.Store(second)
	p.repeats.Store(n)
}

// credit adds n requests of a host at a second.
func (l *hosts) credit(key, n uint64, second, now uint32) {
	if key == 0 {
		return
	}
	i := l.slot(key, now)
	l.counts[i].Add(n)
	l.seen[i].Store(second)
}

// hostSilence is for how many seconds a host may be silent and still counts as one
// that works.
const hostSilence = 60

// slot returns the place of a host. A new one takes a free place, or that of who
// has been silent longest, or if nobody has for long, of who was heard least often:
// a flood of forged sources does not drive out who works.
func (l *hosts) slot(key uint64, now uint32) int {
	least := 0
	lately := func(i int) uint32 { return min(l.seen[i].Load(), now-min(now, hostSilence)) }
	for i := range l.keys {
		switch l.keys[i].Load() {
		case key:
			return i
		case 0:
			l.keys[i].Store(key)
			return i
		}
		if order := cmp.Compare(lately(i), lately(least)); order < 0 ||
			order == 0 && l.counts[i].Load() < l.counts[least].Load() {
			least = i
		}
	}
	l.counts[least].Store(0)
	l.keys[least].Store(key)
	return least
}

// Initiators lists the hosts that sent requests to an address, latest first. It
// remembers 16 for each interface, and does not count requests to wildcards, nor
// those of hosts that lists shut out.
func (t *Target) Initiators(addr aoe.Addr) []Initiator {
	t.mu.RLock()
	defer t.mu.RUnlock()
	blade := t.blades[addr]
	if blade == nil {
		return nil
	}
	var list []Initiator
	for _, b := range blade.bindings {
		for _, p := range b.ports {
			list = append(list, p.initiators()...)
		}
	}
	slices.SortStableFunc(list, func(a, b Initiator) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Requests, a.Requests))
	})
	return list
}

func (p *port) initiators() []Initiator {
	var list []Initiator
	add := func(key, n uint64, second uint32) {
		if key == 0 {
			return
		}
		host, last := keyHost(key), time.Unix(int64(second), 0)
		i := slices.IndexFunc(list, func(e Initiator) bool { return e.Host == host })
		if i < 0 {
			i = len(list)
			list = append(list, Initiator{Interface: p.netif.name(), Host: host})
		}
		list[i].Requests += n
		list[i].Last = last
	}
	for i := range p.hosts.keys {
		add(p.hosts.keys[i].Load(), p.hosts.counts[i].Load(), p.hosts.seen[i].Load())
	}
	add(p.latest.Load(), uint64(p.repeats.Load()), p.seen.Load())
	return list
}
