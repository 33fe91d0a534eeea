package powercut

import "fmt"

// client is what a client may count on at one moment of a replay.
type client struct {
	log      *Log
	sectors  []promise
	waiting  []int // requests that were answered and may still be lost, as they were answered
	durable  bool  // the export's policy
	cacheOff bool

	cacheMoves, policyMoves int // changes under way
	unclear                 int // the last event at which it was not clear whether there is a cache
	now                     int
	lies                    []string
}

// promise is one sector.
type promise struct {
	writes []int // requests, by generation - 1
	gone   []int // by generation: the answer since which a later one is sure, so that this must not come back; 0: none
}

func newClient(l *Log, durable bool) *client {
	c := &client{log: l, sectors: make([]promise, len(l.next)), durable: durable, unclear: -1}
	for i := range c.sectors {
		c.sectors[i].gone = make([]int, l.next[i]+1)
		c.sectors[i].writes = make([]int, l.next[i])
	}
	for id, r := range l.requests {
		for i, gen := range r.Gens {
			c.sectors[r.First+i].writes[gen-1] = id
		}
	}
	return c
}

// sent takes a request at the time of its event.
func (c *client) sent(r *request, now int) {
	switch r.Kind {
	case CacheOff:
		c.cacheMoves++
	case CacheOn:
		c.cacheMoves++
		c.cacheOff = false
	case Durable:
		c.policyMoves++
	case Volatile:
		c.policyMoves++
		c.durable = false
	default:
		return
	}
	c.unclear = now
}

// answered takes an answer, and calls sure for every sector of which something
// is sure from now on.
func (c *client) answered(id, now int, sure func(sector int)) {
	r := &c.log.requests[id]
	c.now = now
	switch r.Kind {
	case Write, Forced:
		if r.Kind == Forced || c.durable || c.cacheOff {
			c.keep(id, sure)
		} else {
			c.waiting = append(c.waiting, id)
		}
	case Flush:
		c.flushed(r.sent, sure)
	case CacheOff, CacheOn:
		c.cacheMoves--
		c.cacheOff = r.Kind == CacheOff && c.cacheMoves == 0
		c.unclear = now
	case Durable, Volatile:
		c.policyMoves--
		c.durable = r.Kind == Durable && c.policyMoves == 0
		c.unclear = now
	case Identify:
		c.told(r, sure)
	}
	if c.durable || c.cacheOff {
		c.flushed(now, sure)
	}
}

// told takes what IDENTIFY says of the cache: the truth about now, and if there
// is none then nothing that was answered before may be lost.
func (c *client) told(r *request, sure func(sector int)) {
	if !r.volatile {
		c.flushed(r.sent, sure)
	}
	if changing := c.cacheMoves+c.policyMoves > 0 || c.unclear > r.sent; !changing && r.volatile == (c.durable || c.cacheOff) {
		c.lies = append(c.lies, fmt.Sprintf("IDENTIFY says that a volatile cache is %s, at event %d", onOff(r.volatile), r.done))
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// flushed makes all sure that was answered before that event.
func (c *client) flushed(before int, sure func(sector int)) {
	n := 0
	for n < len(c.waiting) && c.log.requests[c.waiting[n]].done < before {
		c.keep(c.waiting[n], sure)
		n++
	}
	c.waiting = c.waiting[n:]
}

// keep makes a write sure: what it replaced must not come back.
func (c *client) keep(id int, sure func(sector int)) {
	h := &c.log.requests[id]
	for i := range h.Gens {
		p := &c.sectors[h.First+i]
		if p.gone[0] == 0 {
			p.gone[0] = c.now
		}
		for gen := len(p.writes); gen > 0; gen-- {
			if p.gone[gen] > 0 {
				continue
			}
			if g := &c.log.requests[p.writes[gen-1]]; g.before(h) {
				p.gone[gen] = c.now
			}
		}
		sure(h.First + i)
	}
}

// before reports whether g took effect before h for certain.
func (g *request) before(h *request) bool {
	return g.done < h.sent || g.Path == h.Path && g.sent < h.sent
}

// allows reports whether a sector may be of that generation, and if not why.
func (c *client) allows(sector int, gen uint32, now int) (ok bool, why string) {
	p := &c.sectors[sector]
	switch {
	case gen == Foreign || int(gen) >= len(p.gone):
		return false, "something that was never written"
	case p.gone[gen] > 0:
		r := &c.log.requests[c.log.events[p.gone[gen]].of]
		return false, fmt.Sprintf("it had been replaced for good with the answer to %s at event %d, sent at %d", kindNames[r.Kind], r.done, r.sent)
	case gen > 0 && c.log.requests[p.writes[gen-1]].sent > now:
		return false, "a write that was not sent yet"
	}
	return true, ""
}
