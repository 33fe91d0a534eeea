package target

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"vbladefs/target/aoe"
)

// maxConflicts is how many hosts are remembered that answer for one port's
// address.
const maxConflicts = 16

// complainAgain is how often a conflict that goes on is logged.
const complainAgain = 10 * time.Minute

// conflicts are the hosts that answered for the address of a port.
type conflicts struct {
	mu   sync.Mutex
	list []conflict // at most maxConflicts; guarded by mu
}

type conflict struct {
	host   aoe.MAC
	count  uint64
	last   time.Time
	logged time.Time
}

// add counts a reply of host, and returns its entry. It is nil when the list is
// full of hosts that were heard lately: those came first.
func (c *conflicts) add(host aoe.MAC, now time.Time) *conflict {
	i := slices.IndexFunc(c.list, func(e conflict) bool { return e.host == host })
	if i < 0 && len(c.list) < maxConflicts {
		i = len(c.list)
		c.list = append(c.list, conflict{host: host})
	}
	if i < 0 {
		for j := range c.list {
			if i < 0 || c.list[j].last.Before(c.list[i].last) {
				i = j
			}
		}
		if now.Sub(c.list[i].last) < complainAgain {
			return nil
		}
		c.list[i] = conflict{host: host}
	}
	c.list[i].count++
	c.list[i].last = now
	return &c.list[i]
}

// conflict takes down that host answers for the address of p, which is served
// here; s.mu is held.
func (s *neighbours) conflict(p *port, host aoe.MAC, now time.Time) {
	p.conflicts.mu.Lock()
	defer p.conflicts.mu.Unlock()
	c := p.conflicts.add(host, now)
	if c == nil || !c.logged.IsZero() && (p.binding.force || now.Sub(c.logged) < complainAgain) {
		return
	}
	hidden, ok := s.lines.spend(now)
	if !ok {
		return
	}
	c.logged = now
	log := s.target.log.Errorf
	advice := "initiators take the two for one disk and will corrupt its data: remove one, or add it with force if they are one disk"
	if p.binding.force {
		log, advice = s.target.log.Infof, "which is as it was asked for, with force"
	}
	log("conflict: %s is served here on %s, and %s answers for it, too; %s", p.addr, s.netif.name(), host, advice)
	if hidden > 0 {
		s.target.log.Errorf("interface %s: %d more conflicts were not logged; see the file conflicts of each address", s.netif.name(), hidden)
	}
}

// logBudget bounds how many lines are logged, whoever makes them up.
type logBudget struct {
	began  time.Time
	spent  int
	hidden int
}

// spend reports whether one more line may be logged, and how many were not since
// the last.
func (b *logBudget) spend(now time.Time) (hidden int, ok bool) {
	const period, most = 10 * time.Second, 20
	if now.Sub(b.began) > period {
		b.began, b.spent = now, 0
	}
	if b.spent++; b.spent > most {
		b.hidden++
		return 0, false
	}
	hidden, b.hidden = b.hidden, 0
	return hidden, true
}

// Conflicts lists the other machines that answer, or have answered, for an
// address on interfaces where it is served here, or would be if they did not;
// latest first. It remembers at most 16 for each interface.
func (t *Target) Conflicts(addr aoe.Addr) []Conflict {
	t.mu.RLock()
	defer t.mu.RUnlock()
	blade := t.blades[addr]
	if blade == nil {
		return nil
	}
	var list []Conflict
	for _, b := range blade.bindings {
		for _, p := range b.ports {
			list = append(list, p.rivals()...)
		}
		for _, n := range t.netifs {
			if (b.netif == n.name() || b.many() && b.matches(*n.info.Load())) && n.table.Load().get(addr) == nil {
				list = append(list, n.neighbours.describe(addr)...)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Interface, b.Interface))
	})
	return list
}

// rivals lists who has answered for the address of p, also before p was there: it
// was added with force.
func (p *port) rivals() []Conflict {
	list := p.conflicts.describe(p.netif.name())
	for _, earlier := range p.netif.neighbours.describe(p.addr) {
		if len(list) < maxConflicts && !slices.ContainsFunc(list, func(c Conflict) bool { return c.Host == earlier.Host }) {
			list = append(list, earlier)
		}
	}
	return list
}

func (c *conflicts) describe(netif string) []Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Conflict, 0, len(c.list))
	for _, e := range c.list {
		list = append(list, Conflict{Interface: netif, Host: e.host, Count: e.count, Last: e.last})
	}
	return list
}

// describe lists who answers for an address.
func (s *neighbours) describe(a aoe.Addr) []Conflict {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Conflict
	for _, e := range s.table[a] {
		list = append(list, Conflict{Interface: s.netif.name(), Host: e.host, Count: e.count, Last: e.last})
	}
	return list
}
