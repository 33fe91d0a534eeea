package netio

import "fmt"

// An AF_XDP socket's memory (umem) is cut into chunks of at most a page. The kernel leaves 256 bytes before a
// received frame (XDP_PACKET_HEADROOM, linux/bpf.h) and the headroom that we ask for. Where the kernel copies, that
// is so much that the frame lies as every link's do, its data aligned to slotAlign. A device that writes by itself
// gets none: the room that is left must be what drivers tell their devices, in units of 128 bytes, or these write
// into the next chunk (drivers/net/ethernet/intel/i40e, ice: dbuff is rounded up).
const (
	xdpPacketHeadroom = 256

	smallChunk = 2048
	largeChunk = 4096

	// Fewer frames than this would make a link that mostly loses.
	minXDPFrames = 4
)

// xdpGeometry says how the memory of a link is shared out. A frame larger than a chunk's room arrives in several
// chunks and is put together in a slot.
type xdpGeometry struct {
	maxFrame  int // bytes
	chunk     int // bytes
	offset    int // of a received frame in its chunk
	perFrame  int // receive chunks that the largest frame takes
	rxChunks  int // of each queue
	txChunks  int // of the first queue
	slots     int
	slotBytes int
}

// room is how much of a frame a receive chunk holds.
func (g *xdpGeometry) room() int { return g.chunk - g.offset }

// newXDPGeometry shares out memory among that many queues: a quarter to send from, if it sends, a quarter for slots
// if there must be any, the rest to receive.
func newXDPGeometry(mtu, memory, queues int, sends, copies bool) (xdpGeometry, error) {
	g := xdpGeometry{maxFrame: maxFrameBytes(mtu), chunk: smallChunk, offset: xdpPacketHeadroom, slotBytes: slotBytes(mtu)}
	if copies {
		g.offset = frameOffset
	}
	if g.maxFrame > g.room() {
		g.chunk = largeChunk
	}
	g.perFrame = (g.maxFrame + g.room() - 1) / g.room()
	receive := memory
	if g.perFrame > 1 {
		g.slots = max(minXDPFrames, memory/4/g.slotBytes)
		receive -= g.slots * g.slotBytes
	}
	if sends {
		g.txChunks = max(minXDPFrames*g.perFrame, memory/4/g.chunk)
	}
	receive -= g.txChunks * g.chunk
	g.rxChunks = receive / queues / g.chunk
	if g.rxChunks < minXDPFrames*g.perFrame {
		return g, fmt.Errorf("%d bytes are too few for frames of %d bytes on %d receive queues: give a larger ring, or the interface fewer queues (ethtool -L)",
			memory, g.maxFrame, queues)
	}
	return g, nil
}

// ringEntries is the power of two that holds n entries.
func ringEntries(n int) int {
	entries := 1
	for entries < n {
		entries *= 2
	}
	return entries
}
