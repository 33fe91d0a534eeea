package target

import (
	"time"

	"vbladefs/target/aoe"
)

// This file asks whether an address is free; Target.ops is held.

// DefaultHearing is how long an add waits for the first answers on an interface.
// What is on the segment answers within a millisecond or two, unless its machine
// is very busy.
const DefaultHearing = 100 * time.Millisecond

// hearingTurns is how often an add that waits looks for answers at least: in half of
// DefaultHearing on a machine with processors to spare.
const hearingTurns = 50

// askPatience is how long a worker may take to send a query: busy machines are
// slow to start one.
const askPatience = time.Second

// recently is how old a reply may be to be believed without asking again.
const recently = time.Second

// answered reports whether another machine answers for an address on the
// segment of an interface, and which. The interface has a netif, linked if it can
// be; Target.ops is held.
//
// It waits only if the interface was not asked before, and then not for the next
// address; or if somebody has answered, to see whether he still does.
func (t *Target) answered(a aoe.Addr, netif string) (aoe.MAC, bool) {
	n := t.netifs[netif]
	if n == nil || !n.hears() {
		return aoe.MAC{}, false
	}
	s := n.neighbours
	s.askAll()
	asked := time.Unix(0, s.asked.Load())
	found, ok := s.await(a, time.Time{}, asked.Add(t.hearing))
	if !ok {
		return aoe.MAC{}, false
	}
	if time.Since(found.last) > recently {
		if found, ok = t.stillThere(s, a, found); !ok {
			return aoe.MAC{}, false
		}
	}
	s.contest()
	return found.host, true
}

// hears reports whether neighbours can be asked. Where another process serves the
// interface still, that one has.
func (n *netif) hears() bool {
	g, ok := n.group.(MuteGroup)
	return n.up() && !(ok && g.Mute())
}

// contest has those who wait for an address that somebody else serves try again
// soon, and now and then.
func (s *neighbours) contest() {
	s.wanted.Store(time.Now().UnixNano())
	select {
	case s.hurry <- struct{}{}:
	default:
	}
}

// stillThere reports whether somebody answers for an address for which nobody has
// lately. All are asked at once, since an address is seldom the only one: who has
// died leaves all that it served.
func (t *Target) stillThere(s *neighbours, a aoe.Addr, before neighbour) (neighbour, bool) {
	if time.Since(s.again.at) > recently {
		s.again.lost = s.lost.Load()
		s.again.at, s.again.sent = s.ask(everyone)
	}
	asked := s.again.at
	if found, ok := s.awaitAll(a, asked, s.again.sent, max(t.hearing, DefaultHearing)); ok {
		return found, true
	}
	if lost := s.lost.Load(); lost != s.again.lost { // its reply may be among them
		if !t.checks.spend(time.Now()) {
			return before, true
		}
		var sent time.Time
		asked, sent = s.ask(a)
		if found, ok := s.await(a, asked, sent.Add(max(t.hearing, DefaultHearing))); ok {
			return found, true
		}
		if s.lost.Load() != lost {
			return before, true
		}
	}
	s.expireAddr(a, asked)
	return neighbour{}, false
}

// meet asks who is on the segment of n, which has come up. A port that is on
// every interface leaves n if somebody answers for its address there.
func (t *Target) meet(n *netif) {
	s := n.neighbours
	s.asked.Store(0)
	s.again.at = time.Time{}
	s.askAll()
	var taken []*port
	deadline := time.Now().Add(t.hearing)
	for p := range n.ports.all {
		if b := p.binding; !b.many() || b.force {
			continue
		}
		if found, ok := s.await(p.addr, time.Time{}, deadline); ok {
			taken = append(taken, p)
			t.hold(p.binding, n.name(), answeredBy(p.addr, n.name(), found.host))
		}
	}
	t.leaveContested(n, taken)
}

// askAll asks all neighbours, if that was not done since the interface came up.
func (s *neighbours) askAll() {
	if s.asked.Load() == 0 {
		_, sent := s.ask(everyone)
		s.asked.Store(sent.UnixNano())
	}
}

// ask sends a query. Answers come after the first time that it returns, and what
// does not come in time after the second, will not.
func (s *neighbours) ask(a aoe.Addr) (before, sent time.Time) {
	before = time.Now()
	done := make(chan struct{})
	s.first.post(func() {
		s.first.query(a)
		close(done)
	})
	select {
	case <-done:
	case <-time.After(askPatience):
	}
	return before, time.Now()
}

// await returns who has answered for an address since a moment, or as soon as
// somebody does; until the deadline, or what has come by then is looked at.
//
// A machine that is too busy to give us our turns is as slow to bring the answers,
// so it waits for some turns, too.
func (s *neighbours) await(a aoe.Addr, since, deadline time.Time) (neighbour, bool) {
	for turns := 0; ; turns++ {
		found, ok := s.lookup(a)
		if ok && !found.last.Before(since) {
			return found, true
		}
		now := time.Now()
		starved := turns > 0 && turns < hearingTurns && now.Before(deadline.Add(askPatience))
		if now.After(deadline) && !starved && (len(s.replies) == 0 || now.After(deadline.Add(DefaultHearing))) {
			return neighbour{}, false
		}
		time.Sleep(time.Millisecond)
	}
}

// awaitAll returns who has answered for an address since all were asked, as soon
// as somebody does. Many answers take a while: it waits for them as long as hearing
// after the query was sent, and then while any come, until who has not answered
// will not.
func (s *neighbours) awaitAll(a aoe.Addr, asked, sent time.Time, hearing time.Duration) (neighbour, bool) {
	for {
		found, ok := s.await(a, asked, sent.Add(hearing))
		quiet := time.Since(time.Unix(0, s.latest.Load())) > hearing
		if ok || quiet || time.Since(sent) > answerTime {
			return found, ok
		}
		time.Sleep(time.Millisecond)
	}
}

// checkBudget bounds how often it is asked whether a neighbour is still there, when
// it does not go without saying: while it is spent, who has answered in the last
// minutes is believed to.
type checkBudget struct {
	began time.Time
	spent int
}

// spend reports whether there is one check left, and takes it.
func (b *checkBudget) spend(now time.Time) bool {
	const period, most = 10 * time.Second, 25
	if now.Sub(b.began) > period {
		*b = checkBudget{began: now}
	}
	b.spent++
	return b.spent <= most
}
