package engine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/target"
)

// Inheritance is what another process leaves to an engine: the claims of its
// stores, which the engine joins as it opens them, and in the end its links. Until
// it has those the engine's own links bring nothing. Its methods may be called
// concurrently; a nil Inheritance is none.
type Inheritance struct {
	mu     sync.Mutex // guards what follows
	claims map[string]*os.File
	joined map[string]bool
	links  map[string][]netio.Inherited // by interface
	waits  bool
}

// NewInheritance is one with claims by the keys of their stores, which it owns.
func NewInheritance(claims map[string]*os.File) *Inheritance {
	return &Inheritance{claims: claims, joined: map[string]bool{}, waits: true}
}

// Unjoined are the keys of the claims whose stores were not opened.
func (i *Inheritance) Unjoined() (keys []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for key := range i.claims {
		if !i.joined[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// SetLinks gives the links, by interface, that the next ones are to go on with,
// and has links receive from now on; it owns their descriptors.
func (i *Inheritance) SetLinks(links map[string][]netio.Inherited) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.links, i.waits = links, false
}

// End closes what nobody wanted.
func (i *Inheritance) End() {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, f := range i.claims {
		_ = f.Close()
	}
	for _, links := range i.links {
		for _, l := range links {
			_ = unix.Close(l.FD)
		}
	}
	i.claims, i.links = nil, nil
}

// claim is the one of the store that path leads to; nil: there is none.
func (i *Inheritance) claim(path string) *os.File {
	if i == nil {
		return nil
	}
	key, err := identify(path)
	if err != nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.joined[key] = true
	return i.claims[key]
}

// waiting reports whether the other process still has the links.
func (i *Inheritance) waiting() bool {
	if i == nil {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.waits
}

// take takes the links of an interface; none if there are none.
func (i *Inheritance) take(netif string) []netio.Inherited {
	if i == nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	links := i.links[netif]
	delete(i.links, netif)
	return links
}

// Claim is the descriptor of the claim of a store of this engine, which stays the
// store's.
func Claim(s target.Store) int { return s.(interface{ Claim() int }).Claim() }

// idleLink is the link of an interface whose frames another process still has. It
// brings none, and what is sent on it is gone.
type idleLink struct{ event int }

func openIdle(netif string) (target.LinkGroup, error) {
	if _, err := lookupInterface(netif); err != nil {
		return nil, err
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return idleGroup{&idleLink{event}}, nil
}

func (l *idleLink) Receive([][]byte) (int, error) {
	if l.event < 0 {
		return 0, os.ErrClosed
	}
	return 0, nil
}

func (l *idleLink) Release()                              {}
func (l *idleLink) Send(headers, _ [][]byte) (int, error) { return len(headers), nil }
func (l *idleLink) FD() int                               { return l.event }
func (l *idleLink) ReceiveDrops() uint64                  { return 0 }
func (l *idleLink) SendDrops() uint64                     { return 0 }
func (l *idleLink) Kind() string                          { return "none yet" }
func (l *idleLink) Close() error {
	if l.event < 0 {
		return nil
	}
	event := l.event
	l.event = -1
	return unix.Close(event)
}

// idleGroup is an idleLink by itself.
type idleGroup struct{ link *idleLink }

func (idleGroup) Mute() bool                     { return true }
func (g idleGroup) Links() []target.Link         { return []target.Link{g.link} }
func (idleGroup) Steer(uint16, uint8, int) error { return nil }
func (idleGroup) Settle() error                  { return nil }
func (idleGroup) Start() error                   { return nil }
func (idleGroup) Close() error                   { return nil }

// carrier is a ring link that stands in for one of another kind, as it can be shared.
type carrier struct{ group }

func (carrier) StandIn() bool { return true }

func openCarrier(netif string, ringBytes int) (target.LinkGroup, error) {
	g, err := netio.OpenGroup(netif, 1, netio.Options{Kind: "ring", RingBytes: ringBytes})
	if err != nil {
		return nil, err
	}
	return carrier{group{g, netif}}, nil
}

// Shareable tells whether Share can describe links.
func Shareable(links []target.Link) bool {
	for _, link := range links {
		if l, ok := link.(netio.Link); !ok || l.Kind() != "ring" {
			return false
		}
	}
	return true
}

// Share describes the links of one interface to the process that inherits them.
func Share(links []target.Link) (shared []netio.Shared, fds []int, err error) {
	for _, link := range links {
		l, ok := link.(netio.Link)
		if !ok {
			return nil, nil, errors.New("there is none yet")
		}
		s, fd, ok := netio.Share(l)
		if !ok {
			return nil, nil, fmt.Errorf("a link of kind %s cannot be handed over", l.Kind())
		}
		shared, fds = append(shared, s...), append(fds, fd...)
	}
	return shared, fds, nil
}
