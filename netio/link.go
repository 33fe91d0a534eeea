package netio

import (
	"errors"
	"fmt"
)

// Link carries whole Ethernet frames of EtherType 0x88A2 over one interface. One goroutine owns it;
// only the methods that say so may be called by others.
type Link interface {
	// Receive stores up to len(frames) waiting frames and returns how many; it never blocks. Each
	// slice is a whole frame from the destination MAC on, without FCS, and has no spare capacity;
	// it is borrowed from the link until Release. The byte after the ATA header of a frame (offset
	// 36) lies at a multiple of 512 in memory, so that write data can go to an O_DIRECT file in place; only a
	// zero-copy xdp link lends frames in one chunk as the device has put them, at other places.
	//
	// Frames that have waited for more than 2 seconds are dropped, because their senders may have gone on
	// by another way since; only the time until Receive counts. A raw link knows no age of what waited in
	// its socket, as all does while the process is stopped, or what its full pool had no room for; an xdp link
	// none where the driver keeps no room for a stamp.
	//
	// An interface that is down is no error: there are simply no frames until it is up again. An
	// error wraps ErrGone when the interface is gone, or os.ErrClosed. That the interface is gone is found
	// out some empty Receives later, and an owner asleep in poll is not always woken for it: Watch tells.
	Receive(frames [][]byte) (int, error)

	// Release gives back all frames received since the last Release. Call it before polling FD: a
	// ring that holds a borrowed frame stays readable.
	Release()

	// Send sends len(headers) frames, frame i being headers[i] followed by payloads[i]; payloads may
	// be shorter or hold nil. The buffers are the caller's again when it returns. Frames that the
	// interface refuses (it is down, its queue stays full for some milliseconds, the frame is over
	// the MTU or under 14 bytes) are dropped and counted. A zero-copy xdp link hands frames over without
	// learning their fate. An error means that the link is unusable
	// (it wraps ErrGone or os.ErrClosed), never a single bad frame.
	Send(headers, payloads [][]byte) (sent int, err error)

	// FD returns the descriptor to poll for readability. It is only for polling.
	FD() int

	// ReceiveDrops counts the frames lost since Open: for want of room, cut short because they were larger
	// than the MTU at Open, or dropped by Receive because they had waited too long. Any goroutine may call it, also while the owner
	// closes the link and afterwards, when it keeps saying the last count.
	ReceiveDrops() uint64

	// SendDrops counts the frames that Send dropped since Open. It may be called as ReceiveDrops may.
	SendDrops() uint64

	// Kind returns "ring", "raw" or "xdp".
	Kind() string

	// Close frees everything; borrowed frames must not be touched any more. The owner calls it, once
	// or more.
	Close() error
}

// onLink says on which interface a link failed; of no error it makes none.
func onLink(netif string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("link on %s: %w", netif, err)
}

// Options say how to open a Link. The zero value is right for a target.
type Options struct {
	// Kind is "ring", "raw", or "auto" (the same as ""): ring, or raw where no ring can be had. Or it is "xdp",
	// and where that cannot be had, as with "auto".
	Kind string

	// RingBytes is the memory for received frames, 0 for DefaultRingBytes. It is locked kernel memory
	// for a ring. For xdp it is locked memory of ours, and includes what frames are sent from.
	RingBytes int

	// Replies makes an initiator's link: only frames with the AoE response flag pass the filter. Without it all
	// AoE frames pass, but an xdp link leaves those with the flag to others.
	Replies bool

	// Inherit are the links of the interface that another process has shared, for OpenGroup to go on with. Where they are not
	// what the other options ask for, the group is a StandIn. Where they cannot be used they are closed, Log is told, and
	// links are opened as always.
	Inherit []Inherited

	// Log, when set, is told in one line why the first choice could not be had, and Note how an xdp link
	// works. Open calls them before it returns.
	Log, Note func(message string)
}

// DefaultRingBytes is 4 MiB: 2048 frames at MTU 1500, 416 at MTU 9000. Either is some 3 ms of a
// 10 Gbit/s line, longer than an owner is kept from its link by other work. A larger ring spreads the
// same frames over more cache for nothing: with 8 KiB frames it already costs a few percent over 1 MiB.
const DefaultRingBytes = 4 << 20

// maxRingBytes bounds what a wrong setting can take from the kernel.
const maxRingBytes = 1 << 30

// ErrGone is wrapped by errors of a Link whose interface was removed or moved to another namespace.
// The Link is of no use then but to be closed; an interface of the same name is a new one.
var ErrGone = errors.New("interface is gone")

// Open opens a link on the interface netif, found in the network namespace of the calling thread. It
// needs CAP_NET_RAW. Frames larger than the MTU of this moment are dropped and counted, so reopen the
// link when the MTU grows. The error wraps ErrNoInterface when there is no such interface.
func Open(netif string, o Options) (Link, error) {
	ifi, err := prepare(netif, &o)
	if err != nil {
		return nil, err
	}
	return openKind(ifi, o)
}

// prepare checks what does not depend on the kind of link, and fills the defaults of o in.
func prepare(netif string, o *Options) (Interface, error) {
	if o.RingBytes < 0 || o.RingBytes > maxRingBytes {
		return Interface{}, fmt.Errorf("ring of %d bytes for interface %s: want 0 (default) to %d", o.RingBytes, netif, maxRingBytes)
	}
	if o.RingBytes == 0 {
		o.RingBytes = DefaultRingBytes
	}
	ifi, err := Lookup(netif)
	if err != nil {
		return Interface{}, err
	}
	if !ifi.Ethernet && !ifi.Loopback {
		return Interface{}, fmt.Errorf("interface %s carries no Ethernet frames: choose an Ethernet interface, bridge, bond or VLAN", netif)
	}
	return ifi, nil
}

func openKind(ifi Interface, o Options) (Link, error) {
	switch o.Kind {
	case "ring":
		return openRing(ifi, o)
	case "raw":
		return openRaw(ifi, o)
	case "", "auto":
		return openAuto(ifi, o, openRing, openRaw)
	case "xdp":
		return openAuto(ifi, o, openXDP, func(ifi Interface, o Options) (Link, error) {
			return openAuto(ifi, o, openRing, openRaw)
		})
	}
	return nil, fmt.Errorf("link kind %q for interface %s: want auto, ring, raw or xdp", o.Kind, ifi.Name)
}

// opener opens a link of one kind.
type opener func(Interface, Options) (Link, error)

func openAuto(ifi Interface, o Options, first, second opener) (Link, error) {
	link, firstErr := first(ifi, o)
	if firstErr == nil {
		return link, nil
	}
	if errors.Is(firstErr, ErrNoInterface) {
		return nil, firstErr
	}
	link, secondErr := second(ifi, o)
	if secondErr != nil {
		return nil, errors.Join(firstErr, secondErr)
	}
	if o.Log != nil {
		o.Log(fmt.Sprintf("interface %s: using a %s link, because the first choice cannot be had: %v",
			ifi.Name, link.Kind(), firstErr))
	}
	return link, nil
}
