package target

import (
	"sync"
	"sync/atomic"
	"time"

	"vbladefs/target/aoe"
)

// neighbours is what is known of the other targets on the segment of one
// interface: the addresses that they answer for. Config replies tell it, those to
// our queries and those that nobody asked for.
//
//	worker, listener ─hear─▶ replies ─run─▶ table ◀─answered─ add
//	                                   └──▶ conflicts of our own ports
//
// A worker only puts what it overhears into a channel, if there is room, so that
// neither a flood of replies nor whoever reads the table holds requests up. All is
// bounded, whatever is sent: the replies that wait, those that are looked at in a
// second, the entries of the table, and the lines that are logged.
type neighbours struct {
	target *Target
	netif  *netif
	first  *worker // sends the queries

	replies chan reply
	lost    atomic.Uint64 // replies that found no room
	asked   atomic.Int64  // when all were asked first, in UnixNano; 0: not since the interface came up
	wanted  atomic.Int64  // when an address was refused last, in UnixNano
	latest  atomic.Int64  // when a reply was looked at last, in UnixNano

	mu      sync.Mutex
	table   map[aoe.Addr][]neighbour // guarded by mu
	entries int                      // of table; guarded by mu
	full    bool                     // that it was full has been logged; guarded by mu
	lines   logBudget                // guarded by mu

	again struct { // when all were asked last who had answered before; guarded by Target.ops
		at   time.Time // before the query
		sent time.Time // when it was on its way
		lost uint64    // by then
	}

	deaf   func() error  // ends the hearing of what the links do not bring; or nil; guarded by Target.ops
	hurry  chan struct{} // an address was refused
	ending chan struct{}
	ended  chan struct{}
}

// The bounds of a neighbours.
const (
	maxNeighbours       = 1 << 16 // entries of a table, some 3 MiB
	maxNeighboursOfAddr = 4       // several interfaces of one machine may answer for an address
	waitingReplies      = 1 << 13
	repliesASecond      = 1 << 15 // that are looked at
)

// neighbour is a host that answers for an address.
type neighbour struct {
	host  aoe.MAC
	count uint64 // replies
	last  time.Time
}

// reply is what a config reply says: that host answers for addr.
type reply struct {
	host aoe.MAC
	addr aoe.Addr
}

// decodeReply reads a config reply with which a target can tell of itself. The
// announcements of vblade have version 0 (PROTOCOL.md §2).
func decodeReply(h aoe.Header, frame []byte) (reply, bool) {
	if !h.Response || h.Failed || h.Version > aoe.Version || h.Command != aoe.CmdConfig || h.Addr.Wildcard() ||
		h.Src.Group() || h.Src == (aoe.MAC{}) {
		return reply{}, false
	}
	c, ok := aoe.DecodeConfig(frame)
	if !ok || !c.Valid() || c.Command > aoe.ConfigForceSet {
		return reply{}, false
	}
	return reply{h.Src, h.Addr}, true
}

// hear takes a frame that may be a neighbour's reply. It neither waits nor
// allocates; any goroutine may call it.
func (s *neighbours) hear(h aoe.Header, frame []byte) {
	r, ok := decodeReply(h, frame)
	if !ok {
		return
	}
	select {
	case s.replies <- r:
	default:
		s.lost.Add(1)
	}
}

// note puts what was heard at a moment into the table.
func (s *neighbours) note(r reply, now time.Time) {
	if s.target.isOwn(r.host) {
		return
	}
	s.latest.Store(now.UnixNano())
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.netif.table.Load().get(r.addr); p != nil {
		s.conflict(p, r.host, now)
	}
	list := s.table[r.addr]
	for i := range list {
		if list[i].host == r.host {
			list[i].count++
			list[i].last = now
			return
		}
	}
	switch {
	case len(list) >= maxNeighboursOfAddr:
	case s.entries >= maxNeighbours:
		if !s.full {
			s.full = true
			s.target.log.Warnf("interface %s: the table of the addresses that other machines serve is full with %d; more are not noticed",
				s.netif.name(), maxNeighbours)
		}
	default:
		s.table[r.addr] = append(list, neighbour{r.host, 1, now})
		s.entries++
	}
}

// lookup returns who answered for an address last, and when.
func (s *neighbours) lookup(a aoe.Addr) (latest neighbour, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.table[a] {
		if !found || n.last.After(latest.last) {
			latest, found = n, true
		}
	}
	return latest, found
}

// expire forgets who was not heard since a moment.
func (s *neighbours) expire(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, list := range s.table {
		s.keep(a, list, since)
	}
	if s.entries == 0 {
		s.table = map[aoe.Addr][]neighbour{} // a map never shrinks
	}
	s.full = s.full && s.entries >= maxNeighbours
}

// expireAddr is expire of one address.
func (s *neighbours) expireAddr(a aoe.Addr, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(a, s.table[a], since)
}

// keep leaves of an address's list who was heard since a moment; mu is held.
func (s *neighbours) keep(a aoe.Addr, list []neighbour, since time.Time) {
	kept := list[:0]
	for _, n := range list {
		if !n.last.Before(since) {
			kept = append(kept, n)
		}
	}
	s.entries -= len(list) - len(kept)
	if len(kept) == 0 {
		delete(s.table, a)
		return
	}
	s.table[a] = kept
}

// isOwn reports whether mac is of an interface of this machine.
func (t *Target) isOwn(mac aoe.MAC) bool { return (*t.own.Load())[mac] }

// knowOwn takes down the addresses of this machine's interfaces; ops is held.
func (t *Target) knowOwn() {
	own := make(map[aoe.MAC]bool, len(t.known)+len(t.netifs))
	for _, info := range t.known {
		own[info.MAC] = true
	}
	for _, n := range t.netifs {
		own[n.info.Load().MAC] = true
	}
	t.own.Store(&own)
}
