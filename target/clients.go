package target

import (
	"cmp"
	"slices"
	"time"

	"vbladefs/target/aoe"
)

// A worker remembers so many initiators that it has transferred data for. A new one
// takes the place of who has been silent longest, of the few that may be in the same
// places.
const (
	clientSets  = 1 << clientBits
	clientBits  = 5
	clientWays  = 8
	maxClients  = clientSets * clientWays
	clientShift = 64 - clientBits // of a hash, to the number of a set
)

// clients are the initiators of a worker. They belong to it: the numbers are plain ones,
// and who wants to know them has the worker copy them.
type clients [clientSets][clientWays]clientCount

type clientCount struct {
	key       uint64 // by hostKey; 0: free
	transfers [Transfers]uint64
	time      [Transfers]int64 // nanoseconds
	sectors   [Transfers]uint64
	seen      uint32 // when last, in Unix seconds
}

// count counts transfers of one host, each of which took so many nanoseconds.
func (c *clients) count(t *timedRun, took int64, second uint32) {
	set := &c[t.host*0x9e3779b97f4a7c15>>clientShift]
	at := 0
	for i := range set {
		if set[i].key == t.host || set[i].key == 0 {
			at = i
			break
		}
		if set[i].seen < set[at].seen {
			at = i
		}
	}
	e := &set[at]
	if e.key != t.host {
		*e = clientCount{key: t.host}
	}
	e.transfers[t.kind] += uint64(t.n)
	e.time[t.kind] += took * int64(t.n)
	e.sectors[t.kind] += uint64(t.sectors)
	e.seen = second
}

// Client is an initiator that data was transferred for over an interface.
type Client struct {
	Host      aoe.MAC
	Transfers [Transfers]uint64 // answered, by their kind
	Times     [Transfers]time.Duration
	Sectors   [Transfers]uint64
	Last      time.Time // to the second
}

// Clients lists the initiators of an interface, latest first. Each worker of it
// remembers 256, which it copies between two turns.
func (t *Target) Clients(netif string) []Client {
	copies, turns := t.copyClients(netif)
	if turns == nil {
		return nil
	}
	found := make(map[aoe.MAC]Client)
	for i := range turns {
		if turns[i].over() {
			copies[i].addTo(found)
		}
	}
	list := make([]Client, 0, len(found))
	for _, c := range found {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Client) int {
		return cmp.Or(b.Last.Compare(a.Last), slices.Compare(a.Host[:], b.Host[:]))
	})
	return list
}

// copyClients has each worker of an interface copy its initiators in the next turn.
func (t *Target) copyClients(netif string) (copies []clients, turns []turn) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	n := t.netifs[netif]
	if n == nil {
		return nil, nil
	}
	copies = make([]clients, len(n.workers))
	return copies, n.turns(func(w *worker) { copies[w.index] = w.initiators })
}

// addTo adds the initiators to found.
func (c *clients) addTo(found map[aoe.MAC]Client) {
	for s := range c {
		for i := range c[s] {
			e := &c[s][i]
			if e.key == 0 {
				continue
			}
			f := found[keyHost(e.key)]
			f.Host = keyHost(e.key)
			for k := range Transfers {
				f.Transfers[k] += e.transfers[k]
				f.Times[k] += time.Duration(e.time[k])
				f.Sectors[k] += e.sectors[k]
			}
			if last := time.Unix(int64(e.seen), 0); last.After(f.Last) {
				f.Last = last
			}
			found[f.Host] = f
		}
	}
}
