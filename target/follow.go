package target

import (
	"errors"
	"time"
)

// This file follows the interfaces: they come, go, and change under the ports.

// retryDelay is how long an interface that could not be served is left alone.
const retryDelay = time.Second

// InterfaceChanged tells the target of an interface that is there, now looking
// like this. Exports on every interface extend to it, ports that waited for it come
// up, and initiators learn of a changed sector count.
func (t *Target) InterfaceChanged(info Interface) {
	t.ops.Lock()
	defer t.ops.Unlock()
	if !t.closed {
		t.changed(info)
	}
}

func (t *Target) changed(info Interface) {
	if from := t.nameOf(info.Index); from != "" && from != info.Name {
		t.renamed(from, info)
	}
	t.known[info.Name] = info
	t.knowOwn()
	if err := t.reachAll(info); err != nil {
		t.later(info.Name, err)
		return
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
	t.knowOwn()
	if info.Index != old.Index {
		t.reoccupy(n)
	}
	// Older kernels cannot share an interface among several links while it is down. What cannot be shared
	// though it is up is left alone: some drivers go down and up for every XDP program, so for every link.
	share := n.early && n.up() && n.lanes < t.workers
	if !n.linked.Load() || info.Index != old.Index || info.MTU != old.MTU || share {
		if err := t.relink(n); err != nil {
			t.later(n.name(), err)
			return
		}
	}
	cameUp := n.up() && (!wasUp || info.MAC != old.MAC)
	if cameUp && !wasUp {
		t.meet(n)
	}
	for p := range n.ports.all {
		if p.fit() || cameUp && !p.binding.quiet {
			t.announce(p)
		}
	}
	if cameUp {
		t.announceAgain(n)
	}
	if cameUp && old.Index == info.Index && old.MTU == info.MTU {
		t.log.Infof("interface %s is up", n.name())
	}
	if wasUp && !n.up() {
		t.log.Warnf("interface %s is down; its ports wait for it", n.name())
	}
}

// InterfaceVanished tells the target that the interface with this name and
// index is gone. Its ports stay, down, until one of that name returns.
func (t *Target) InterfaceVanished(name string, index int) {
	t.ops.Lock()
	defer t.ops.Unlock()
	if t.closed {
		return
	}
	if now := t.nameOf(index); now != "" {
		t.vanished(now)
	} else if _, ok := t.known[name]; !ok { // else a new interface has taken the name already
		t.vanished(name)
	}
}

func (t *Target) vanished(name string) {
	delete(t.known, name)
	t.knowOwn()
	t.lost(name)
}

// lost has ports wait for the return of an interface. It may be there by another
// name, if it was only looked for by this one.
func (t *Target) lost(name string) {
	t.missing(name)
	n := t.netifs[name]
	if n == nil {
		return
	}
	gone := *n.info.Load()
	if gone.Index == 0 {
		return // known already
	}
	gone.Up, gone.Index = false, 0
	n.info.Store(&gone)
	t.unlink(n)
	t.vacateAll(n)
	t.log.Warnf("interface %s has vanished; its ports wait for its return", name)
	var transient []*port
	for p := range n.ports.all {
		if p.binding.many() {
			transient = append(transient, p)
		}
	}
	if err := t.detach(transient); err != nil {
		t.log.WithError(err).Warn("ports of a vanished interface kept")
	}
}

// linkLost follows a worker that gave its link up.
func (t *Target) linkLost(n *netif, err error) {
	t.log.WithError(err).Warnf("interface %s is lost; looking for it", n.name())
	t.ops.Lock()
	defer t.ops.Unlock()
	t.retry(n.name(), 100*time.Millisecond) // an interface that is being removed takes a moment
}

// later says that an interface cannot be served now, and tries again.
func (t *Target) later(name string, err error) {
	if n := t.netifs[name]; n != nil {
		t.mu.Lock()
		n.failure = err.Error()
		t.mu.Unlock()
	}
	t.log.WithError(err).Errorf("interface %s stays down; trying again", name)
	t.retry(name, retryDelay)
}

// retry looks at an interface again after a delay; ops is held. There is at
// most one such look ahead for each name.
func (t *Target) retry(name string, after time.Duration) {
	if t.closed || t.retries[name] != nil {
		return
	}
	t.retries[name] = time.AfterFunc(after, func() {
		t.ops.Lock()
		defer t.ops.Unlock()
		delete(t.retries, name)
		if !t.closed {
			t.recheck(name)
		}
	})
}

// recheck asks the kernel how the interface is now. It holds ops meanwhile, so
// that no newer notice is overtaken by what it learns.
func (t *Target) recheck(name string) {
	info, err := t.parts.LookupInterface(name)
	switch {
	case err == nil:
		if t.catchUp(info) == nil { // else there will be notice
			t.changed(info)
		}
	case errors.Is(err, ErrNoInterface):
		t.lost(name)
	default:
		t.later(name, err)
	}
}

// announce announces p. The first worker of an interface does it for all
// ports, so that announcements come in order.
func (t *Target) announce(p *port) {
	w := p.netif.workers[0]
	w.post(func() { w.announce(p) })
}

// announceAgain repeats the announcements of an interface that came up after
// one and three seconds: switches that run a spanning tree drop the first. An
// interface that comes up again meanwhile begins anew.
func (t *Target) announceAgain(n *netif) {
	for i, delay := range [len(n.repeats)]time.Duration{time.Second, 3 * time.Second} {
		if n.repeats[i] != nil {
			n.repeats[i].Stop()
		}
		n.repeats[i] = time.AfterFunc(delay, func() {
			t.ops.Lock()
			defer t.ops.Unlock()
			if t.closed || t.netifs[n.name()] != n {
				return
			}
			for p := range n.ports.all {
				if !p.binding.quiet {
					t.announce(p)
				}
			}
		})
	}
}
