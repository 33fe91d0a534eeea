package target

import (
	"errors"
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
	ports  []*port // guarded by Target.ops

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
		t.netifs[info.Name] = n
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
	delete(t.netifs, n.name)
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
	n.worker.post(func() { n.worker.link = link })
	t.log.WithField("netif", n.name).Infof("serving on %s, MTU %d, by %s", n.name, n.info.Load().MTU, link.Kind())
	return nil
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
		if w.link != nil {
			_ = w.link.Close()
			w.link, w.broken = nil, nil
		}
		n.linked.Store(false)
	})
	<-closed
}

// attach makes b reachable on n.
func (t *Target) attach(b *binding, n *netif) *port {
	p := &port{binding: b, blade: b.blade, netif: n, buffers: int32(max(b.buffers, MinBuffers))}
	p.sectors.Store(int32(portSectors(n.info.Load().MTU, b.sectors)))
	t.mu.Lock()
	b.ports = append(b.ports, p)
	t.mu.Unlock()
	n.ports = append(n.ports, p)
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
		p.netif.ports = without(p.netif.ports)
		t.mu.Lock()
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

// InterfaceChanged tells the target of an interface that is there, now looking
// like this. Exports on every interface extend to it, ports of its name come
// up, and initiators learn of a changed sector count.
func (t *Target) InterfaceChanged(info Interface) {
	t.ops.Lock()
	defer t.ops.Unlock()
	if t.closed {
		return
	}
	t.known[info.Name] = info
	for _, b := range t.everywhere() {
		if err := t.extend(b, info); err != nil {
			t.log.WithError(err).Errorf("%s cannot be served on %s", b.blade.addr, info.Name)
		}
	}
	if n := t.netifs[info.Name]; n != nil {
		t.follow(n, info)
	}
}

// follow brings n up to date with its interface.
func (t *Target) follow(n *netif, info Interface) {
	old := *n.info.Load()
	wasUp := n.up()
	n.info.Store(&info)
	if !n.linked.Load() || info.Index != old.Index || info.MTU != old.MTU {
		if err := t.relink(n); err != nil {
			t.log.WithError(err).Errorf("%s stays down; trying again", n.name)
			time.AfterFunc(time.Second, func() { t.recheck(n.name) })
			return
		}
	}
	cameUp := n.up() && !wasUp
	for _, p := range n.ports {
		sectors := int32(portSectors(info.MTU, p.binding.sectors))
		changed := p.sectors.Swap(sectors) != sectors
		if changed || cameUp && !p.binding.quiet {
			t.announce(p)
		}
	}
	if cameUp {
		t.announceAgain(n)
	}
	if wasUp && !n.up() {
		t.log.Warnf("interface %s is down; its ports wait for it", n.name)
	}
}

// InterfaceVanished tells the target that the interface with this name and
// index is gone. Its ports stay, down, until one of that name returns.
func (t *Target) InterfaceVanished(name string, index int) {
	t.ops.Lock()
	defer t.ops.Unlock()
	if t.closed || t.known[name].Index != index && t.known[name].Index != 0 {
		return // a new interface has taken the name already
	}
	delete(t.known, name)
	n := t.netifs[name]
	if n == nil {
		return
	}
	gone := *n.info.Load()
	gone.Up, gone.Index = false, 0
	n.info.Store(&gone)
	t.unlink(n)
	t.log.Warnf("interface %s has vanished; its ports wait for its return", name)
	var transient []*port
	for _, p := range n.ports {
		if p.binding.netif == EveryInterface {
			transient = append(transient, p)
		}
	}
	if err := t.detach(transient); err != nil {
		t.log.WithError(err).Warn("ports of a vanished interface kept")
	}
}

// linkLost follows a worker that gave its link up.
func (t *Target) linkLost(name string, err error) {
	t.log.WithError(err).Warnf("interface %s is lost; looking for it", name)
	time.Sleep(100 * time.Millisecond) // an interface that is being removed takes a moment
	t.recheck(name)
}

// recheck asks the kernel how the interface is now.
func (t *Target) recheck(name string) {
	info, err := t.parts.LookupInterface(name)
	switch {
	case err == nil:
		t.InterfaceChanged(info)
	case errors.Is(err, ErrNoInterface):
		t.InterfaceVanished(name, t.knownIndex(name))
	default:
		t.log.WithError(err).Warnf("cannot look %s up; trying again", name)
		time.AfterFunc(time.Second, func() { t.recheck(name) })
	}
}

func (t *Target) knownIndex(name string) int {
	t.ops.Lock()
	defer t.ops.Unlock()
	return t.known[name].Index
}

// announce has the worker of p announce it.
func (t *Target) announce(p *port) {
	w := p.netif.worker
	w.post(func() { w.announce(p) })
}

// announceAgain repeats the announcements of an interface that came up after
// one and three seconds: switches that run a spanning tree drop the first.
func (t *Target) announceAgain(n *netif) {
	for _, delay := range []time.Duration{time.Second, 3 * time.Second} {
		time.AfterFunc(delay, func() {
			t.ops.Lock()
			defer t.ops.Unlock()
			if t.closed || t.netifs[n.name] != n {
				return
			}
			for _, p := range n.ports {
				if !p.binding.quiet {
					t.announce(p)
				}
			}
		})
	}
}
