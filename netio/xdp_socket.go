package netio

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// xdpSocket is an AF_XDP socket on one queue of an interface: its memory, cut into chunks, and the four rings
// in which chunks go round:
//
//	fill ─▶ kernel puts a frame in ─▶ rx ─▶ we read it ─▶ fill
//	tx ─▶ kernel sends the frame ─▶ completion ─▶ we put another in ─▶ tx
//
// Receive chunks come first in memory, those to send from after them.
type xdpSocket struct {
	fd         int
	memory     []byte
	zeroCopy   bool
	fill       xdpRing[uint64]
	completion xdpRing[uint64]
	rx         xdpRing[unix.XDPDesc]
	tx         xdpRing[unix.XDPDesc] // only when it has chunks to send from
}

// newXDPSocket makes a socket that is not bound yet, with txChunks chunks to send from, maybe none.
func newXDPSocket(g xdpGeometry, txChunks int) (*xdpSocket, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("AF_XDP socket (needs root or CAP_NET_RAW, and a kernel with CONFIG_XDP_SOCKETS): %w", err)
	}
	s := &xdpSocket{fd: fd}
	if err := s.setUp(g, txChunks); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *xdpSocket) setUp(g xdpGeometry, txChunks int) error {
	var err error
	s.memory, err = unix.Mmap(-1, 0, (g.rxChunks+txChunks)*g.chunk, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("memory for an AF_XDP socket: %w", err)
	}
	if err := registerUmem(s.fd, s.memory, g.chunk, g.offset-xdpPacketHeadroom); err != nil {
		return err
	}
	if err := s.makeRings(ringEntries(g.rxChunks), ringEntries(txChunks), txChunks > 0); err != nil {
		return err
	}
	for i := range g.rxChunks {
		*s.fill.entry(s.fill.index) = uint64(i * g.chunk)
		s.fill.index++
	}
	s.fill.produce()
	return nil
}

// makeRings makes and maps the rings. The rings of the chunks to receive into hold all of them, so neither ever
// overflows; the same goes for those to send from.
func (s *xdpSocket) makeRings(receive, send int, sends bool) error {
	sizes := []struct{ option, entries int }{
		{unix.XDP_UMEM_FILL_RING, receive}, {unix.XDP_RX_RING, receive}, {unix.XDP_UMEM_COMPLETION_RING, send},
	}
	if sends {
		sizes = append(sizes, struct{ option, entries int }{unix.XDP_TX_RING, send})
	}
	for _, r := range sizes {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_XDP, r.option, r.entries); err != nil {
			return fmt.Errorf("AF_XDP ring of %d entries (option %d): %w", r.entries, r.option, err)
		}
	}
	offsets, err := xdpOption[unix.XDPMmapOffsets](s.fd, unix.XDP_MMAP_OFFSETS)
	if err != nil {
		return err
	}
	if s.fill, err = mapXDPRing[uint64](s.fd, unix.XDP_UMEM_PGOFF_FILL_RING, offsets.Fr, receive); err != nil {
		return err
	}
	if s.rx, err = mapXDPRing[unix.XDPDesc](s.fd, unix.XDP_PGOFF_RX_RING, offsets.Rx, receive); err != nil {
		return err
	}
	if s.completion, err = mapXDPRing[uint64](s.fd, unix.XDP_UMEM_PGOFF_COMPLETION_RING, offsets.Cr, send); err != nil {
		return err
	}
	if sends {
		s.tx, err = mapXDPRing[unix.XDPDesc](s.fd, unix.XDP_PGOFF_TX_RING, offsets.Tx, send)
		s.setLimits(send)
	}
	return err
}

// setLimits lets one system call send a whole ring; where the kernel does not, it takes some more calls.
func (s *xdpSocket) setLimits(entries int) {
	// By default 32 (TX_BATCH_SIZE, net/xdp/xsk.c); the option came with Linux 6.18.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, max(entries, 32))
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBufferBytes)
}

// bindPatience is how long bind waits for the queue's last user. The kernel takes a closed socket off its queue
// in a worker (net/xdp/xsk_buff_pool.c xp_put_pool), so a link that is opened again meets its own past.
const bindPatience = 500 * time.Millisecond

// bind joins the socket to a queue of the interface.
func (s *xdpSocket) bind(ifi Interface, queue int, flags uint16) error {
	address := &unix.SockaddrXDP{Flags: flags | unix.XDP_USE_NEED_WAKEUP, Ifindex: uint32(ifi.Index), QueueID: uint32(queue)}
	err := unix.Bind(s.fd, address)
	for end := time.Now().Add(bindPatience); errors.Is(err, unix.EBUSY) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		err = unix.Bind(s.fd, address)
	}
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("interface %s: %w", ifi.Name, ErrNoInterface)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("queue %d of %s is in use by another AF_XDP socket: %w", queue, ifi.Name, err)
	case errors.Is(err, unix.EINVAL) && flags&unix.XDP_USE_SG != 0:
		return fmt.Errorf("binding to queue %d of %s for frames in several chunks (needs Linux 6.6; else an MTU of %d or less): %w",
			queue, ifi.Name, largeChunk-frameOffset-slackBytes-ethernetHeaderBytes, err)
	case err != nil:
		return fmt.Errorf("binding to queue %d of %s: %w", queue, ifi.Name, err)
	}
	options, err := xdpOption[uint32](s.fd, unix.XDP_OPTIONS)
	s.zeroCopy = options&unix.XDP_OPTIONS_ZEROCOPY != 0
	return err
}

// drops is how many frames the kernel could not put into this socket since it was made.
func (s *xdpSocket) drops() uint64 {
	stats, err := xdpOption[unix.XDPStatistics](s.fd, unix.XDP_STATISTICS)
	if err != nil {
		return 0
	}
	return stats.Rx_dropped + stats.Rx_ring_full
}

// close frees everything; the kernel keeps the memory for itself until frames on their way are out.
func (s *xdpSocket) close() error {
	err := errors.Join(s.fill.unmap(), s.completion.unmap(), s.rx.unmap(), s.tx.unmap(), unix.Close(s.fd))
	s.fd = -1
	if s.memory != nil {
		err = errors.Join(err, unix.Munmap(s.memory))
		s.memory = nil
	}
	return err
}
