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
	name   string
	info   atomic.Pointer[Interface]
	table  atomic.Pointer[table]
	linked atomic.Bool // the worker has a link, or will have one next turn
	worker *worker
	ports  []*port // changed with Target.ops and Target.mu held

	repeats [2]*time.Timer       // announcements to come; guarded by Target.ops
	link    atomic.Pointer[Link] // the worker's, for its counters
	past    struct{ receiveDrops, sendDrops atomic.Uint64 }

	ignored atomic.Uint64 // frames that no target answers: replies, forged sources, no AoE
	foreign atomic.Uint64 // frames for addresses that are not ours
}

// up reports whether n serves its ports now.
func (n *netif) up() bool { return n.linked.Load() && n.info.Load().Up }

// ensureNetif returns the netif of info's name, started and, if the interface
// lets it, linked. The caller attaches a port or calls dropIfUnused.
func (t *Target) ensureNetif(info Interface) (*netif, error) {
	n := t.netifs[info.Name]
	if n == nil {
		n = &netif{name: info.Name}
		n.info.Store(&info)
		n.table.Store(&table{})
		w, err := newWorker(t, n)
		if err != nil {
			return nil, fmt.Errorf("cannot start a worker for %s: %w", info.Name, err)
		}
		n.worker = w
		t.mu.Lock()
		t.netifs[info.Name] = n
		t.mu.Unlock()
		go w.run()
	} else if *n.info.Load() != info {
		t.follow(n, info) // the notice of the change is still on its way
	}
	if !n.linked.Load() {
		if err := t.relink(n); err != nil {
			t.dropIfUnused(n)
			return nil, err
		}
	}
	return n, nil
}

// dropIfUnused stops the worker of an interface without ports.
func (t *Target) dropIfUnused(n *netif) {
	if len(n.ports) > 0 {
		return
	}
	t.mu.Lock()
	delete(t.netifs, n.name)
	t.mu.Unlock()
	n.worker.post(func() { n.worker.stopped = true })
	<-n.worker.done
}

// relink closes the link of n, if it has one, and opens a new one. The two
// never live at once: each would see the same frames, and a write that is
// carried out twice could undo a later one.
func (t *Target) relink(n *netif) error {
	t.unlink(n)
	link, err := t.parts.OpenLink(n.name)
	if err != nil {
		return fmt.Errorf("cannot receive on %s: %w", n.name, err)
	}
	n.linked.Store(true)
	n.link.Store(&link)
	n.worker.post(func() { n.worker.link = link })
	t.log.Infof("interface %s, MTU %d: %s", n.name, n.info.Load().MTU, n.service(link.Kind()))
	return nil
}

// service says in words whether and how n is served.
func (n *netif) service(kind string) string {
	switch info := n.info.Load(); {
	case portSectors(info.MTU, 0) == 0:
		return "its frames are too small for AoE; its ports wait for an MTU of 548 or more"
	case !info.Up:
		return "it is down; its ports wait for it"
	}
	return "serving by " + kind
}

// unlink has the worker of n serve what has arrived and close its link.
func (t *Target) unlink(n *netif) {
	w := n.worker
	closed := make(chan struct{})
	w.post(func() {
		defer close(closed)
		for range 64 {
			if w.link == nil || w.broken != nil || !w.receive() {
				break
			}
		}
		w.send()
		w.closeLink()
	})
	<-closed
}

// drops counts the frames that the links of n lost.
func (n *netif) drops() (received, sent uint64) {
	received, sent = n.past.receiveDrops.Load(), n.past.sendDrops.Load()
	if link := n.link.Load(); link != nil {
		received += (*link).ReceiveDrops()
		sent += (*link).SendDrops()
	}
	return received, sent
}

// attach makes b reachable on n.
func (t *Target) attach(b *binding, n *netif) *port {
	p := &port{binding: b, blade: b.blade, netif: n, buffers: int32(max(b.buffers, MinBuffers))}
	p.sectors.Store(int32(portSectors(n.info.Load().MTU, b.sectors)))
	t.mu.Lock()
	b.ports = append(b.ports, p)
	n.ports = append(n.ports, p)
	t.mu.Unlock()
	n.table.Store(n.table.Load().with(b.blade.addr, p))
	return p
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
				p.counts.inFlight.Load(), p.blade.addr, p.netif.name)
		}
	}
	for _, p := range ports {
		without := func(list []*port) []*port {
			return slices.DeleteFunc(slices.Clone(list), func(q *port) bool { return q == p })
		}
		t.mu.Lock()
		p.netif.ports = without(p.netif.ports)
		p.binding.ports = without(p.binding.ports)
		p.counts.addTo(&p.binding.past)
		t.mu.Unlock()
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
	w := p.netif.worker
	w.barrier() // no frame is looked up in an older table after this
	for end := time.Now().Add(drainGrace); p.counts.inFlight.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	w.barrier() // the last replies are out
	return true
}
