package target

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// netif is a local interface with ports. It outlives the interface itself: one
// that vanishes leaves its ports down, and they return with it.
type netif struct {
	info    atomic.Pointer[Interface]
	limit   atomic.Int32 // as LimitMTU has set it; 0: none
	table   atomic.Pointer[table]
	linked  atomic.Bool       // the workers have links, or will have them next turn
	failure string            // why it has no link, if it should; changed with Target.ops and Target.mu held
	waiting map[*binding]bool // belong here, and another machine answers for them; guarded by Target.ops
	ports   sequence[*port]   // changed with Target.ops and Target.mu held

	workers []*worker // the first lanes of them have links; changed with Target.ops and Target.mu held
	lanes   int       // changed with Target.ops and Target.mu held
	group   LinkGroup // of the links; nil without; guarded by Target.ops
	early   bool      // the links were opened while the interface was down; guarded by Target.ops

	repeats [2]*time.Timer // announcements to come; guarded by Target.ops
	past    struct{ receiveDrops, sendDrops atomic.Uint64 }

	ignored    atomic.Uint64 // frames that no target answers: replies, forged sources, no AoE
	neighbours *neighbours

	shed      atomic.Uint64 // frames that were dropped in an overload, see overload
	foreign   atomic.Uint64 // frames for addresses that are not ours
	wildcards atomic.Uint64 // requests made of wildcards that named an export

	received, sent traffic
}

// name is what n is called now.
func (n *netif) name() string { return n.info.Load().Name }

// up reports whether n serves its ports now.
func (n *netif) up() bool { return n.linked.Load() && n.info.Load().Up }

// ensureNetif returns the netif of info's name, started and, if the interface
// lets it, linked. The caller attaches a port or calls dropIfUnused.
func (t *Target) ensureNetif(info Interface) (*netif, error) {
	n, err := t.netifOf(info)
	if err != nil {
		return nil, err
	}
	if !n.linked.Load() {
		if err := t.relink(n); err != nil {
			t.dropIfUnused(n)
			return nil, err
		}
	}
	return n, nil
}

// netifOf is ensureNetif, and n may have no links yet.
func (t *Target) netifOf(info Interface) (*netif, error) {
	if n := t.netifs[info.Name]; n != nil {
		if *n.info.Load() != info {
			t.follow(n, info) // the notice of the change is still on its way
		}
		return n, nil
	}
	n := &netif{waiting: map[*binding]bool{}}
	n.info.Store(&info)
	n.limit.Store(int32(t.limits[info.Name]))
	n.table.Store(&table{})
	if err := t.addWorker(n); err != nil {
		return nil, err
	}
	n.neighbours = t.newNeighbours(n)
	t.mu.Lock()
	t.netifs[info.Name] = n
	t.mu.Unlock()
	t.knowOwn()
	return n, nil
}

// addWorker starts one more worker of n, which has no link yet.
func (t *Target) addWorker(n *netif) error {
	w, err := newWorker(t, n)
	if err != nil {
		return fmt.Errorf("cannot start a worker for %s: %w", n.name(), err)
	}
	w.index, w.cpu = len(n.workers), t.pins.take()
	t.mu.Lock()
	n.workers = append(n.workers, w)
	n.lanes = max(n.lanes, 1)
	t.mu.Unlock()
	go w.run()
	return nil
}

// dropIfUnused stops the workers of an interface without ports, unless ports
// wait for what it hears.
func (t *Target) dropIfUnused(n *netif) {
	if n.ports.length > 0 || len(n.waiting) > 0 {
		return
	}
	t.mu.Lock()
	delete(t.netifs, n.name())
	t.mu.Unlock()
	n.stop()
}

// stop ends the workers of n; nothing may be in flight.
func (n *netif) stop() {
	n.neighbours.stop()
	for _, w := range n.workers {
		w.post(func() { w.stopped = true })
	}
	for _, w := range n.workers {
		<-w.done
		w.target.pins.release(w.cpu)
	}
	n.closeGroup()
}

// barrier returns when each worker of n has finished the turn it is in: it has
// then seen every table published before, and sent every reply queued before.
func (n *netif) barrier() {
	for _, wait := range n.postAll(func(*worker) {}) {
		<-wait
	}
}

// postAll has every worker of n call f between two turns; each channel closes
// when one has.
func (n *netif) postAll(f func(*worker)) (called []chan struct{}) {
	for _, w := range n.workers {
		done := make(chan struct{})
		w.post(func() { defer close(done); f(w) })
		called = append(called, done)
	}
	return called
}

// service says in words whether and how n is served.
func (n *netif) service(kind string) string {
	switch info := n.info.Load(); {
	case portSectors(info.MTU, 0) == 0:
		return "its frames are too small for AoE; its ports wait for an MTU of 548 or more"
	case !info.Up:
		return "it is down; its ports wait for it"
	}
	if n.lanes > 1 {
		return fmt.Sprintf("serving by %s, with %d workers", kind, n.lanes)
	}
	return "serving by " + kind
}

// drops counts the frames that the links of n lost; Target.mu is held.
func (n *netif) drops() (received, sent uint64) {
	received, sent = n.past.receiveDrops.Load(), n.past.sendDrops.Load()
	for _, w := range n.workers {
		if link := w.opened.Load(); link != nil {
			received += (*link).ReceiveDrops()
			sent += (*link).SendDrops()
		}
	}
	return received, sent
}

// keepDrops adds what a link lost to what n lost before.
func (n *netif) keepDrops(l Link) {
	n.past.receiveDrops.Add(l.ReceiveDrops())
	n.past.sendDrops.Add(l.SendDrops())
}

// attach makes b reachable on n.
func (t *Target) attach(b *binding, n *netif) (*port, error) {
	claimed, err := t.occupy(b, n)
	if err != nil {
		return nil, err
	}
	device := b.blade.drive.device.Load()
	w := n.join(device, nil)
	p := &port{claimed: claimed, hosts: new(hosts), addr: b.blade.addr, window: b.blade.drive.window, binding: b, blade: b.blade, netif: n}
	if err := n.steer(p.addr, w); err != nil {
		n.leave(device)
		t.vacate(p)
		return nil, err
	}
	p.buffers.Store(portBuffers(b.buffers))
	p.locked.Store(b.blade.drive.access == AccessReadOnly)
	p.thin.Store(b.blade.drive.thin)
	p.home.Store(w)
	p.attend(device)
	b.blade.govern(p)
	p.fit()
	t.mu.Lock()
	b.ports = append(b.ports, p)
	n.ports.add(&p.place, p)
	t.mu.Unlock()
	n.table.Store(n.table.Load().with(b.blade.addr, p))
	if t.unhold(b, n.name()); !b.many() {
		t.unwant(b)
	}
	return p, nil
}

// detach takes ports off their interfaces; nothing is answered for them
// afterwards. If the requests of one do not finish in time, all stay.
func (t *Target) detach(ports []*port) error {
	for _, p := range ports {
		p.netif.table.Store(p.netif.table.Load().with(p.blade.addr, nil))
	}
	for _, p := range ports {
		if !p.drained() {
			for _, p := range ports {
				p.netif.table.Store(p.netif.table.Load().with(p.blade.addr, p))
			}
			return fmt.Errorf("%w: %d requests to %s on %s; the drive may be stuck, try again later", ErrNotDrained,
				p.counts.inFlight.Load(), p.blade.addr, p.netif.name())
		}
	}
	for _, p := range ports {
		t.mu.Lock()
		p.netif.ports.remove(&p.place)
		p.binding.ports = slices.DeleteFunc(slices.Clone(p.binding.ports), func(q *port) bool { return q == p })
		p.counts.addTo(&p.binding.past)
		p.binding.keepTimes(p)
		t.mu.Unlock()
		p.blade.release(p)
		p.netif.leave(p.blade.drive.device.Load())
		if err := p.netif.steer(p.blade.addr, p.netif.workers[0]); err != nil {
			t.log.WithError(err).Warn("frames of an address that is gone go to its worker still")
		}
		t.vacate(p)
		t.dropIfUnused(p.netif)
	}
	return nil
}

// drainGrace is how long a removal waits for requests in flight; a variable for
// tests.
var drainGrace = 3 * time.Second

// drained waits until the requests of p, which is in no table any more, are
// answered.
func (p *port) drained() bool {
	defer p.device.Load().order.hurry()()
	p.netif.barrier() // no frame is looked up in an older table after this
	for end := time.Now().Add(drainGrace); p.counts.inFlight.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	p.netif.barrier() // the last replies are out
	return true
}
