package netio

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Group is several links on one interface, each for an owner of its own, among which the kernel spreads
// the frames by the AoE address that they name: what Steer does not send elsewhere comes to the first.
// Every frame comes to one link only, and those that come to a link come in order.
//
// While the interface goes down or comes up, and while links are closed, the kernel has fewer links to
// choose from, and frames may come to another than Steer said. An owner must drop those.
//
// One goroutine at a time may use a Group; its links belong to their owners.
type Group struct {
	links    []Link
	rings    []*ringLink          // the links, when there are several
	steering *steering            // when there are several
	filter   []bpf.RawInstruction // what the links receive once they have started
	standIn  bool
}

// MaxGroup is the most links of a Group, what the kernel lets a fanout group have.
const MaxGroup = 256

// OpenGroup opens n links on the interface, or one where several cannot be had: they need rings and
// CAP_BPF, and an interface that is up on kernels before 6.14. Options.Log is told why. Several links
// receive nothing before Start, so that addresses can be steered first. What Open says of the namespace,
// the MTU and errors holds here too; RingBytes is the memory of each link.
func OpenGroup(netif string, n int, o Options) (*Group, error) {
	if n < 1 || n > MaxGroup {
		return nil, fmt.Errorf("%d links on interface %s: want 1 to %d", n, netif, MaxGroup)
	}
	ifi, err := prepare(netif, &o)
	if err != nil {
		return nil, err
	}
	if len(o.Inherit) > 0 {
		if g := inherit(ifi, n, o); g != nil {
			return g, nil
		}
	}
	if n > 1 {
		g, err := openRings(ifi, n, o)
		if err == nil || errors.Is(err, ErrNoInterface) {
			return g, err
		}
		if o.Log != nil {
			o.Log(fmt.Sprintf("interface %s: one link and not %d, because frames cannot be spread over several: %v", netif, n, err))
		}
	}
	link, err := openKind(ifi, o)
	if err != nil {
		return nil, err
	}
	return &Group{links: []Link{link}}, nil
}

// openRings opens a group of several links.
func openRings(ifi Interface, n int, o Options) (g *Group, err error) {
	if o.Kind != "ring" && o.Kind != "" && o.Kind != "auto" {
		return nil, fmt.Errorf("links of kind %s have no way to share an interface", o.Kind)
	}
	g = &Group{}
	defer func() {
		if err != nil {
			for _, l := range g.rings {
				err = errors.Join(err, l.Close())
			}
			g, err = nil, errors.Join(err, g.Close())
		}
	}()
	if g.filter, err = filterProgram(ifi.Index, o.Replies); err != nil {
		return g, err
	}
	if g.steering, err = newSteering(); err != nil {
		return g, err
	}
	// In this order: it is the order in which the kernel numbers them, now and when the interface comes up
	// again (since Linux 5.1, "packets: Always register packet sk in the same order").
	for range n {
		if err = g.join(ifi, o.RingBytes); err != nil {
			return g, err
		}
	}
	return g, g.steering.install(g.rings[0].fd)
}

// rejectAll is a filter that passes nothing.
var rejectAll = []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K, K: 0}}

// join opens one more link and makes it a member of the fanout group. A socket can join only when it is
// bound, and receives by itself until it has: it passes nothing yet, or frames would come to two links.
func (g *Group) join(ifi Interface, ringBytes int) error {
	l, err := newRingLink(ifi, ringBytes, rejectAll)
	if err != nil {
		return err
	}
	g.links, g.rings = append(g.links, l), append(g.rings, l)
	// The first asks for an id that nobody uses; the others join it (packet(7) PACKET_FANOUT).
	fanout := unix.PACKET_FANOUT_EBPF<<16 | unix.PACKET_FANOUT_FLAG_UNIQUEID<<16
	if first := g.rings[0]; first != l {
		if fanout, err = unix.GetsockoptInt(first.fd, unix.SOL_PACKET, unix.PACKET_FANOUT); err != nil {
			return fmt.Errorf("reading PACKET_FANOUT: %w", err)
		}
	}
	if err := unix.SetsockoptInt(l.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, fanout); err != nil {
		return fmt.Errorf("PACKET_FANOUT: %w", err)
	}
	return nil
}

// Links returns the links, at least one. The caller closes them.
func (g *Group) Links() []Link { return g.links }

// StandIn tells that the links are inherited, and not what was asked for: they serve until another group takes their place,
// see Skip.
func (g *Group) StandIn() bool { return g.standIn }

// Steer has frames for shelf.slot come to link number i from now on; frames that are on their way may
// still come to the one before, see Settle. Steering an address to link 0 forgets it.
func (g *Group) Steer(shelf uint16, slot uint8, i int) error {
	if i < 0 || i >= len(g.links) {
		return fmt.Errorf("steering %d.%d to link %d: there are %d", shelf, slot, i, len(g.links))
	}
	if g.steering == nil {
		return nil
	}
	return g.steering.set(shelf, slot, i)
}

// Settle returns when every frame that was steered otherwise than Steer said last is in its ring. It
// takes tens of milliseconds.
func (g *Group) Settle() error {
	if g.steering == nil {
		return nil
	}
	for _, l := range g.rings {
		if err := l.withSocket(g.steering.install); !errors.Is(err, os.ErrClosed) {
			return err
		}
	}
	return nil // all are closed: nothing is on its way
}

// Start has the links receive.
func (g *Group) Start() error {
	if g.steering == nil {
		return nil
	}
	// A frame that began its way before a socket joined may still see that socket by itself.
	if err := g.Settle(); err != nil {
		return err
	}
	for _, l := range g.rings {
		if err := l.withSocket(func(fd int) error { return attachFilter(fd, g.filter) }); err != nil {
			return err
		}
	}
	return nil
}

// Close frees what the group has besides its links, before or after they are closed. A nil Group has
// nothing.
func (g *Group) Close() error {
	if g == nil || g.steering == nil {
		return nil
	}
	s := g.steering
	g.steering = nil
	return s.close()
}

// withSocket calls f with the link's socket, which its owner does not close meanwhile. Any goroutine may
// call it; the error wraps os.ErrClosed after Close.
func (l *ringLink) withSocket(f func(fd int) error) error {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	if l.closed {
		return onLink(l.netif, os.ErrClosed)
	}
	return f(l.fd)
}
