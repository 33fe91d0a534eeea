package netio

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// A ring link can go from one process to another without losing a frame, or bringing one twice: the socket and its ring stay
// the kernel's, which goes on to put frames there, and the other process maps the same memory and takes them out from where
// the first one stopped. Where that wants other links, those that it has inherited stand in until it has them: see cut.go.

// Shared describes a ring link to the process that inherits it. It is plain data.
type Shared struct {
	Index, MTU, RingBytes             int    // of the interface, and as asked for
	BlockBytes, Blocks, Slot, SlotsIn uint32 // of the ring: the kernel's tpacket_req
	Next                              uint32 // the slot that comes next, counted from the first one of the ring
}

// Inherited is a link that another process has given up. The descriptor is this process's own.
type Inherited struct {
	Shared
	FD int
}

// Share describes l, one of the links of an interface, and returns the descriptors of its sockets, which stay
// l's: several of a link that stands in for several. Not ok: l is of a kind that cannot be inherited. Its owner has released
// all frames, and takes none until the other process has either given up or closed its own; if that has taken some, l is of
// use for nothing but Close.
func Share(l Link) (shared []Shared, fds []int, ok bool) {
	var rings []*ringLink
	switch l := l.(type) {
	case *ringLink:
		rings = []*ringLink{l}
	case *bundle:
		rings = l.rings
	}
	for _, r := range rings {
		if r.closed || r.rx.held > 0 {
			return nil, nil, false
		}
		shared, fds = append(shared, r.share()), append(fds, r.fd)
	}
	return shared, fds, len(rings) > 0
}

func (l *ringLink) share() Shared {
	s := l.shape
	block := l.rx.next.offset / int(s.BlockBytes)
	s.Next = uint32(block*l.rx.perBlock + l.rx.perBlock - l.rx.next.left)
	return s
}

// fits tells whether a link that was shared is what o asks for on ifi.
func (s Shared) fits(ifi Interface, o Options) bool {
	return (o.Kind == "ring" || o.Kind == "" || o.Kind == "auto") && s.RingBytes == o.RingBytes && s.MTU == ifi.MTU
}

// inheritRing makes a link of one that another process has shared. It owns the descriptor, also when it fails.
func inheritRing(ifi Interface, from Inherited) (*ringLink, error) {
	l := &ringLink{fd: from.FD, tx: sender{fd: -1}, netif: ifi.Name, shape: from.Shared}
	err := l.takeOver(ifi, from.Shared)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("link on %s that another process has shared: %w", ifi.Name, err), l.Close())
	}
	return l, nil
}

func (l *ringLink) takeOver(ifi Interface, s Shared) error {
	request := unix.TpacketReq{Block_size: s.BlockBytes, Block_nr: s.Blocks, Frame_size: s.Slot, Frame_nr: s.SlotsIn}
	if err := checkShape(request, s.Next); err != nil {
		return err
	}
	// The kernel refuses a length that is not that of the ring.
	length := int(request.Block_size) * int(request.Block_nr)
	memory, err := unix.Mmap(l.fd, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping its ring of %d bytes: %w", length, err)
	}
	l.rx.init(memory, request)
	for range s.Next {
		l.rx.advance(&l.rx.next)
	}
	l.rx.first = l.rx.next
	filter, err := filterProgram(ifi.Index, false)
	if err == nil {
		err = attachFilter(l.fd, filter) // perhaps of another version
	}
	if err != nil {
		return err
	}
	sendFD, err := newSendSocket(ifi)
	if err != nil {
		return err
	}
	l.tx.init(sendFD)
	return nil
}

// checkShape refuses what is no shape of a ring.
func checkShape(r unix.TpacketReq, next uint32) error {
	switch {
	case r.Frame_size < ringHeaderBytes || r.Block_size < r.Frame_size || r.Block_nr == 0 || next >= r.Frame_nr,
		uint64(r.Block_size)*uint64(r.Block_nr) > maxRingBytes,
		uint64(r.Block_size/r.Frame_size)*uint64(r.Block_nr) != uint64(r.Frame_nr):
		return fmt.Errorf("slot %d of a ring of %d blocks of %d bytes, with %d slots of %d: that is none", next, r.Block_nr, r.Block_size, r.Frame_nr, r.Frame_size)
	}
	return nil
}

// inherit is OpenGroup of links that another process has shared; nil: they cannot be used, which is logged.
func inherit(ifi Interface, n int, o Options) *Group {
	links, err := inheritRings(ifi, o.Inherit)
	if err != nil {
		if o.Log != nil {
			o.Log(fmt.Sprintf("interface %s: frames that come at this moment are lost, and initiators repeat them: %v", ifi.Name, err))
		}
		return nil
	}
	g := &Group{links: []Link{links[0]}}
	if len(links) > 1 {
		b, err := newBundle(links)
		if err != nil && o.Log != nil {
			o.Log(fmt.Sprintf("interface %s: frames that come at this moment are lost, and initiators repeat them: %v", ifi.Name, err))
		}
		if err != nil {
			return nil
		}
		g.links[0] = b
	}
	g.standIn = n != 1 || len(links) != 1 || !links[0].shape.fits(ifi, o)
	return g
}

// inheritRings makes links of all that another process has shared, or of none. It owns the descriptors.
func inheritRings(ifi Interface, shared []Inherited) (links []*ringLink, err error) {
	for _, from := range shared {
		var l *ringLink
		switch {
		case err != nil:
		case from.Index != ifi.Index:
			err = fmt.Errorf("the link that another process has shared is of another interface, number %d and not %d", from.Index, ifi.Index)
		default:
			if l, err = inheritRing(ifi, from); err == nil {
				links = append(links, l)
			}
			continue // inheritRing has closed it
		}
		_ = unix.Close(from.FD)
	}
	if err == nil {
		return links, nil
	}
	for _, l := range links {
		err = errors.Join(err, l.Close())
	}
	return nil, err
}
