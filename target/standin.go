package target

import (
	"errors"
	"fmt"
	"time"
)

// This file puts new links in the place of those that stand in for them, without
// losing a frame or carrying one out twice: old and new ones are open at once, a
// moment is chosen, and what came before it is served from the old ones and what
// came later from the new ones.

// ReplaceStandIns opens links where others stand in for them.
func (t *Target) ReplaceStandIns() {
	t.ops.Lock()
	defer t.ops.Unlock()
	var list []*netif
	for _, n := range t.netifs {
		if g, ok := n.group.(StandInGroup); !t.closed && ok && g.StandIn() {
			list = append(list, n)
		}
	}
	failed := together(list, func(n *netif) error { return t.replace(n, t.open) })
	for n, err := range failed {
		t.log.WithError(err).Warnf("interface %s: frames that come at this moment are lost, and initiators repeat them", n.name())
		t.linkAnew(n)
	}
}

// open opens the links that an interface is to have.
func (t *Target) open(netif string) (LinkGroup, error) { return t.parts.OpenLinks(netif, t.workers) }

// replace puts new links in the place of that of the first worker. It may be called
// for several interfaces at once.
func (t *Target) replace(n *netif, open func(netif string) (LinkGroup, error)) error {
	old := n.workers[0].opened.Load()
	if old == nil {
		return errors.New("it has gone")
	}
	leaving, ok := (*old).(Cutter)
	if !ok {
		return fmt.Errorf("a link of kind %s cannot be replaced while it serves", (*old).Kind())
	}
	group, err := open(n.name())
	if err != nil {
		return err
	}
	links := group.Links()
	coming, err := cutters(links)
	if err == nil {
		err = t.replaceBy(n, group, links, leaving, coming)
	}
	if err != nil {
		for _, l := range links {
			err = errors.Join(err, l.Close())
		}
		n.discard(group)
		return err
	}
	t.log.Infof("interface %s, MTU %d: %s", n.name(), n.info.Load().MTU, n.service(links[0].Kind()))
	return nil
}

func cutters(links []Link) (list []Cutter, err error) {
	for _, l := range links {
		c, ok := l.(Cutter)
		if !ok {
			return nil, fmt.Errorf("a link of kind %s cannot take the place of another that serves", l.Kind())
		}
		list = append(list, c)
	}
	return list, nil
}

func (t *Target) replaceBy(n *netif, group LinkGroup, links []Link, leaving Cutter, coming []Cutter) (err error) {
	defer func() {
		if err != nil {
			_ = leaving.Stamp(false) // it goes on
		}
	}()
	for _, c := range append(coming[:len(coming):len(coming)], leaving) {
		if err := c.Stamp(true); err != nil { // it ends with the link
			return err
		}
	}
	lanes := n.lanes
	homes, err := t.start(n, group, len(links))
	if err != nil {
		t.unspread(n, lanes)
		return err
	}
	for range stampsAfter {
		skip(coming)
		time.Sleep(time.Millisecond)
	}
	n.cut(group, links, leaving, coming, homes)
	for _, c := range coming {
		_ = c.Stamp(false) // its worker may have closed it
	}
	t.listen(n)
	return nil
}

// cut has the new links bring what comes from this moment on, and closes the old one,
// for which requests do not wait.
func (n *netif) cut(group LinkGroup, links []Link, leaving Cutter, coming []Cutter, homes map[*port]*worker) {
	var old Link
	resume := n.gather(func(w *worker) {
		skip(coming)
		old = w.link
		moment := w.finishBefore(leaving)
		for _, c := range coming {
			c.Only(moment, 0)
		}
	})
	moveIn(homes)
	if old != nil { // else it was closed, as the interface had gone
		n.keepDrops(old)
	}
	for i, w := range n.workers[:n.lanes] {
		w.opened.Store(&links[i])
		w.link = links[i] // they rest
	}
	resume()
	if old != nil {
		_ = old.Close()
	}
	n.closeGroup()
	n.group = group
}

// stampsAfter is how many milliseconds the kernel may take to stamp what comes in (a
// few, net/core/dev.c net_enable_timestamp). On a busy machine its worker waits for a
// turn, as this does after each.
const stampsAfter = 30

func skip(links []Cutter) {
	for _, c := range links {
		c.Skip()
	}
}

// gather has all workers of n rest between two turns until resume is called; the
// first one calls f then.
func (n *netif) gather(f func(*worker)) (resume func()) {
	gate := make(chan struct{})
	for _, w := range n.workers[1:] {
		rests := make(chan struct{})
		w.post(func() { close(rests); <-gate })
		<-rests
	}
	done := make(chan struct{})
	first := n.workers[0]
	first.post(func() { f(first); close(done); <-gate })
	<-done
	return func() { close(gate) }
}

// stragglers is how long after a moment frames that came before it may come into a
// link.
//
// On a machine that is too busy the kernel lets a frame that it has stamped wait for a
// processor (net/core/dev.c, netif_rx) for up to 15 ms, and then it is lost: seven of half a million
// in two take-overs of a hundred interfaces. To wait longer, or to keep the old link
// for what is late, was tried: with few interfaces more requests waited to be repeated.
const stragglers = 500 * time.Microsecond

// arriveWithin bounds how long a link may take to bring what it has.
const arriveWithin = 100 * time.Millisecond

// finishBefore serves what came up to this moment, gives the link up, and returns
// the moment in nanoseconds of Unix time; 0 if no other link has what came before.
func (w *worker) finishBefore(leaving Cutter) int64 {
	w.serveArrived()
	now := time.Now()
	leaving.Only(0, now.UnixNano())
	for w.link != nil && w.broken == nil {
		busy := w.receive() || w.reap()
		w.send()
		if late := time.Since(now); !busy && late > stragglers && (leaving.Arrived() || late > arriveWithin) {
			break
		}
	}
	w.link, w.broken = nil, nil
	if leaving.Alone() {
		return 0
	}
	return now.UnixNano()
}
