package target

import (
	"math/rand/v2"
	"time"

	"vbladefs/target/aoe"
)

// This file keeps the table of neighbours: it asks now and then who there is, and
// forgets who does not answer.

// How often neighbours are asked, more or less: all interfaces of all machines
// shall not ask at once. While an address waits for its neighbour to go it is
// asked more often.
const (
	roundInterval   = time.Minute
	contestInterval = 5 * time.Second
)

// answerTime is after a query when who does not answer will not.
const answerTime = 500 * time.Millisecond

// everyone is the address of a query to all.
var everyone = aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}

// newNeighbours starts to listen for the neighbours of n, which has its first
// worker.
func (t *Target) newNeighbours(n *netif) *neighbours {
	s := &neighbours{target: t, netif: n, first: n.workers[0], replies: make(chan reply, waitingReplies),
		table: map[aoe.Addr][]neighbour{}, hurry: make(chan struct{}, 1), ending: make(chan struct{}), ended: make(chan struct{})}
	go s.run()
	return s
}

// stop ends the listening; the first worker must still run.
func (s *neighbours) stop() {
	close(s.ending)
	<-s.ended
}

// run is the goroutine of s, from start to stop.
func (s *neighbours) run() {
	defer close(s.ended)
	timer := time.NewTimer(interval(false))
	defer timer.Stop()
	var rounds [2]time.Time // when the last was, and the one before
	var budget replyBudget
	contested := false // a neighbour has an address that is wanted here
	for {
		select {
		case <-s.ending:
			return
		case r := <-s.replies:
			now := time.Now()
			s.note(r, now)
			if rest := budget.spend(now); rest > 0 && !s.sleep(rest) {
				return
			}
		case <-timer.C:
			s.expire(rounds[1])
			rounds[0], rounds[1] = time.Now(), rounds[0]
			contested = s.round(contested)
			timer.Reset(interval(contested))
		case <-s.hurry:
			if !contested {
				contested = true
				timer.Reset(interval(contested))
			}
		}
	}
}

// listen hears what the links of n do not bring; Target.ops is held.
func (t *Target) listen(n *netif) {
	l, ok := n.group.(ReplyListener)
	if !ok {
		return
	}
	var err error
	n.neighbours.deaf, err = l.Listen(func(frame []byte) {
		if h, ok := aoe.DecodeHeader(frame); ok {
			n.neighbours.hear(h, frame)
		}
	})
	if err != nil {
		t.log.WithError(err).Warnf("interface %s: other machines that serve an address of ours will not be noticed", n.name())
	}
}

// deafen ends what listen began.
func (s *neighbours) deafen() {
	if s.deaf == nil {
		return
	}
	if err := s.deaf(); err != nil {
		s.target.log.WithError(err).Warnf("interface %s: closing what listens for other targets", s.netif.name())
	}
	s.deaf = nil
}

// sleep waits, and reports false if s ends meanwhile.
func (s *neighbours) sleep(d time.Duration) bool {
	select {
	case <-s.ending:
		return false
	case <-time.After(d):
		return true
	}
}

// round asks all. If an address is contested it has the ports that wait for one
// try again when the answers are there, and reports whether one still was lately.
func (s *neighbours) round(contested bool) bool {
	s.first.post(func() { s.first.query(everyone) })
	if !contested || time.Since(time.Unix(0, s.wanted.Load())) > 2*contestInterval {
		return false
	}
	time.AfterFunc(answerTime, func() { s.target.look(s.netif) })
	return true
}

// interval is how long until the next round.
func interval(contested bool) time.Duration {
	if contested {
		return jitter(contestInterval)
	}
	return jitter(roundInterval)
}

// look has the ports try again that wait for a neighbour to go.
func (t *Target) look(n *netif) {
	t.ops.Lock()
	defer t.ops.Unlock()
	t.retry(n.name(), 0)
}

// jitter is d, more or less a quarter of it.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2)
}

// replyBudget bounds how many replies are looked at in a second.
type replyBudget struct {
	began time.Time
	spent int
}

// spend counts one, and returns how long to rest now.
func (b *replyBudget) spend(now time.Time) time.Duration {
	if b.spent++; b.spent < repliesASecond {
		return 0
	}
	rest := max(time.Second-now.Sub(b.began), 0)
	b.began, b.spent = now.Add(rest), 0
	return rest
}

// query asks who answers for an address. The tag's highest bit keeps a Linux
// initiator of this machine, which gets the replies too, from looking at them
// (PROTOCOL.md §4.1).
func (w *worker) query(a aoe.Addr) {
	if w.link == nil {
		return
	}
	b := w.reply()
	aoe.Header{Dst: aoe.Broadcast, Src: w.mac, Version: aoe.Version, Addr: a, Command: aoe.CmdConfig, Tag: w.target.tag}.Put(b)
	aoe.Config{Command: aoe.ConfigRead}.Put(b)
	w.queueReply(b[:aoe.MinFrame], nil, nil)
}

// newTag is a tag for queries, which says to this target's other interfaces that
// they need not answer.
func newTag() uint32 { return 1<<31 | rand.Uint32() }
