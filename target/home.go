package target

import (
	"errors"
	"slices"

	"vbladefs/target/aoe"
)

// This file spreads the devices of an interface over its workers; Target.ops
// is held.
//
// A device has one home among the workers of an interface, and so have all the
// addresses that lead to it there: their frames come to the link of the home,
// in order, and what comes to another link is dropped. So requests of one
// device that come over one interface are taken in the order of their arrival
// (PROTOCOL.md §7), as with one worker, and the order of the device keeps it.

// home is the worker of one interface that serves a device.
type home struct {
	worker *worker
	ports  int // of the device on the interface
}

// join counts one more port of d on n and returns its home. The first port
// makes prefer the home, or if that is nil the worker with fewest devices.
func (n *netif) join(d *device, prefer *worker) *worker {
	h := d.homes[n]
	if h == nil {
		if prefer == nil {
			prefer = slices.MinFunc(n.workers[:n.lanes], func(a, b *worker) int { return a.devices - b.devices })
		}
		h = &home{worker: prefer}
		prefer.devices++
		if d.homes == nil {
			d.homes = map[*netif]*home{}
		}
		d.homes[n] = h
	}
	h.ports++
	return h.worker
}

// leave counts one port of d on n less.
func (n *netif) leave(d *device) {
	h := d.homes[n]
	if h.ports--; h.ports == 0 {
		h.worker.devices--
		delete(d.homes, n)
	}
}

// spread finds new homes for all devices of n, which is to have another number of
// links. The ports do not know them yet.
func (n *netif) spread() map[*port]*worker {
	for p := range n.ports.all {
		n.leave(p.blade.drive.device.Load())
	}
	homes := make(map[*port]*worker, n.ports.length)
	for p := range n.ports.all {
		homes[p] = n.join(p.blade.drive.device.Load(), nil)
	}
	return homes
}

// steer has the frames of an address come to w. Without links there is nothing
// to do: relink steers.
func (n *netif) steer(a aoe.Addr, w *worker) error {
	if n.group == nil {
		return nil
	}
	return n.group.Steer(a.Shelf, a.Slot, w.index)
}

// move is a port that changes its home.
type move struct {
	port     *port
	from, to *worker
}

// moveHome puts the device next under d in place of old. Where next has a home
// already, the addresses of d go there.
func (t *Target) moveHome(d *drive, old, next *device) error {
	var moves []move
	for p := range d.eachPort() {
		from := p.home.Load()
		if to := p.netif.join(next, from); to != from {
			moves = append(moves, move{p, from, to})
		}
	}
	leaving := old
	err := t.handOver(moves, func() { d.setDevice(next) })
	if err != nil {
		leaving = next
	}
	for p := range d.eachPort() {
		p.netif.leave(leaving)
	}
	return err
}

// eachPort iterates over the ports of d.
func (d *drive) eachPort() func(yield func(*port) bool) {
	return func(yield func(*port) bool) {
		for b := range d.bindings.all {
			for _, p := range b.ports {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// handOver moves ports to their new homes and calls change in between, without
// losing a frame or its place: what came before is served by the old homes
// before change, and what comes after waits in the links of the new ones, which
// rest meanwhile.
func (t *Target) handOver(moves []move, change func()) error {
	resume := suspend(moves)
	defer resume()
	for i, m := range moves {
		if err := m.port.netif.steer(m.port.blade.addr, m.to); err != nil {
			for _, done := range moves[:i] { // what came meanwhile is dropped
				err = errors.Join(err, done.port.netif.steer(done.port.blade.addr, done.from))
			}
			return err
		}
	}
	settled := map[*netif]bool{}
	served := map[*worker]bool{}
	for _, m := range moves {
		if n := m.port.netif; n.group != nil && !settled[n] {
			settled[n] = true
			if err := n.group.Settle(); err != nil { // frames may be dropped, and never overtake
				t.log.WithError(err).Warnf("interface %s: frames on their way may be lost", n.name())
			}
		}
	}
	for _, m := range moves {
		if !served[m.from] {
			served[m.from] = true
			done := make(chan struct{})
			m.from.post(func() { m.from.serveArrived(); close(done) })
			<-done
		}
	}
	for _, m := range moves {
		m.port.home.Store(m.to)
	}
	change()
	return nil
}

// suspend has the new homes rest between two turns until resume is called.
func suspend(moves []move) (resume func()) {
	gate := make(chan struct{})
	resting := map[*worker]bool{}
	for _, m := range moves {
		if resting[m.to] {
			continue
		}
		resting[m.to] = true
		rests := make(chan struct{})
		m.to.post(func() { close(rests); <-gate })
		<-rests
	}
	return func() { close(gate) }
}
