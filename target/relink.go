package target

import (
	"errors"
	"fmt"
	"sync"
)

// This file opens and closes the links of an interface; Target.ops is held. What takes
// time can be done for several interfaces at once, see together.

// atOnce is how many interfaces get other links at a time. Each waits for the kernel,
// some tens of milliseconds (synchronize_net), and all for the same.
const atOnce = 32

// together calls do for all of these interfaces, and returns why it failed for some.
func together(list []*netif, do func(*netif) error) map[*netif]error {
	var wait sync.WaitGroup
	errs, room := make([]error, len(list)), make(chan struct{}, atOnce)
	for i, n := range list {
		room <- struct{}{}
		wait.Go(func() {
			errs[i] = do(n)
			<-room
		})
	}
	wait.Wait()
	failed := map[*netif]error{}
	for i, err := range errs {
		if err != nil {
			failed[list[i]] = err
		}
	}
	return failed
}

// relink closes the links of n, if it has any, and opens new ones. Old and new
// never live at once: each would see the same frames, and a write that is
// carried out twice could undo a later one.
func (t *Target) relink(n *netif) error {
	t.unlink(n)
	n.early = !n.info.Load().Up
	group, err := t.parts.OpenLinks(n.name(), t.workers)
	if err != nil {
		return fmt.Errorf("cannot receive on %s: %w", n.name(), err)
	}
	links := group.Links()
	n.group = group
	homes, err := t.start(n, group, len(links))
	moveIn(homes)
	if err != nil {
		for _, l := range links {
			err = errors.Join(err, l.Close())
		}
		n.closeGroup()
		return fmt.Errorf("cannot receive on %s: %w", n.name(), err)
	}
	t.listen(n)
	n.linked.Store(true)
	for i, w := range n.workers[:n.lanes] {
		w.opened.Store(&links[i])
		w.post(func() { w.link = links[i] })
	}
	t.log.Infof("interface %s, MTU %d: %s", n.name(), n.info.Load().MTU, n.service(links[0].Kind()))
	return nil
}

// start spreads the ports of n over as many workers as a new group has links,
// steers their frames there, and has the links receive. The ports are to move to
// those homes when nothing else receives.
func (t *Target) start(n *netif, group LinkGroup, lanes int) (homes map[*port]*worker, err error) {
	if homes, err = t.spread(n, lanes); err != nil {
		return nil, err
	}
	for p := range n.ports.all {
		w := homes[p]
		if w == nil {
			w = p.home.Load()
		}
		if w.index == 0 {
			continue // all begin there
		}
		if err := group.Steer(p.blade.addr.Shelf, p.blade.addr.Slot, w.index); err != nil {
			return homes, err
		}
	}
	return homes, group.Start()
}

// spread has n use that many workers, and finds new homes for its ports if it used
// another number. Devices may be exported on several interfaces.
func (t *Target) spread(n *netif, lanes int) (homes map[*port]*worker, err error) {
	t.spreading.Lock()
	defer t.spreading.Unlock()
	for len(n.workers) < lanes {
		if err := t.addWorker(n); err != nil {
			return nil, err
		}
	}
	if n.lanes == lanes {
		return nil, nil
	}
	t.setLanes(n, lanes)
	return n.spread(), nil
}

// unspread undoes spread: the ports are still where they were.
func (t *Target) unspread(n *netif, lanes int) {
	t.spreading.Lock()
	defer t.spreading.Unlock()
	t.setLanes(n, lanes)
	n.spread()
}

func (t *Target) setLanes(n *netif, lanes int) {
	t.mu.Lock()
	n.lanes = lanes
	t.mu.Unlock()
}

// moveIn tells ports their new homes.
func moveIn(homes map[*port]*worker) {
	for p, w := range homes {
		p.home.Store(w)
	}
}

// unlink has the workers of n serve what has arrived and close their links. What
// waits in the links of a deaf worker another process may have served.
func (t *Target) unlink(n *netif) {
	leave := func(w *worker) {
		if !w.deaf {
			w.serveArrived()
		}
		w.closeLink()
	}
	for _, closed := range n.postAll(leave) {
		<-closed
	}
	n.closeGroup()
}

// arrivedBatches is how many batches are served of what waits in a link: more
// than a ring of the default size holds (of a larger one the rest is lost), and
// not so many that a flood makes it endless.
const arrivedBatches = 64

// serveArrived serves the frames that have arrived by now, and sends the
// replies that need no waiting.
func (w *worker) serveArrived() {
	for range arrivedBatches {
		if w.link == nil || w.broken != nil || !w.receive() {
			break
		}
	}
	for w.goOn() {
		w.wildcards.made = 0
	}
	w.send()
}

// closeGroup closes what steers frames to the links of n.
func (n *netif) closeGroup() {
	if n.group == nil {
		return
	}
	n.neighbours.deafen()
	n.discard(n.group)
	n.group = nil
}

// discard closes a group whose links are closed.
func (n *netif) discard(group LinkGroup) {
	if err := group.Close(); err != nil {
		n.workers[0].target.log.WithError(err).Warnf("interface %s: closing what spreads its frames", n.name())
	}
}
