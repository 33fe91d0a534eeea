package netio

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ringLink is the "ring" kind: a TPACKET_V2 receive ring on one packet socket, batched sendmmsg on another.
// Version 2 and not 3, because version 3 hands over whole blocks when they are full or a timer of
// milliseconds fires: an initiator with one frame outstanding would wait for the timer.
type ringLink struct {
	fd    int
	netif string
	rx    rxRing
	tx    sender
	name  socketName
	shape Shared // but for Next

	// empty counts Receive calls in a row that found nothing, see checkHealth.
	empty uint

	// down is set when the interface was seen going down, until a frame comes. Meanwhile speed does not
	// matter, and each Receive looks whether the interface still exists.
	down bool

	// skipped counts frames that came into the ring but were cut to the slot, or stale.
	skipped atomic.Uint64

	// statsMu guards what ReceiveDrops needs while another goroutine may Close.
	statsMu     sync.Mutex
	closed      bool   // guarded by statsMu for readers other than the owner
	kernelDrops uint64 // guarded by statsMu; PACKET_STATISTICS starts from zero at each read
}

func openRing(ifi Interface, o Options) (Link, error) {
	filter, err := filterProgram(ifi.Index, o.Replies)
	if err != nil {
		return nil, err
	}
	l, err := newRingLink(ifi, o.RingBytes, filter)
	if err != nil {
		return nil, err // and no Link that holds a nil pointer
	}
	return l, nil
}

// newRingLink opens a link that receives what passes the filter.
func newRingLink(ifi Interface, ringBytes int, filter []bpf.RawInstruction) (*ringLink, error) {
	fd, err := newPacketSocket(filter)
	if err != nil {
		return nil, err
	}
	l := &ringLink{fd: fd, tx: sender{fd: -1}, netif: ifi.Name}
	if err := l.setUp(ifi, ringBytes); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// setUp makes the ring, maps it, and binds last. What it leaves undone on error, Close undoes.
func (l *ringLink) setUp(ifi Interface, ringBytes int) error {
	request, err := requestRing(ifi.MTU, ringBytes, func(r *unix.TpacketReq) error { return setRing(l.fd, r) })
	if err != nil {
		return err
	}
	length := int(request.Block_size) * int(request.Block_nr)
	memory, err := unix.Mmap(l.fd, 0, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping the packet ring of %d bytes: %w", length, err)
	}
	l.rx.init(memory, request)
	l.shape = Shared{Index: ifi.Index, MTU: ifi.MTU, RingBytes: ringBytes, BlockBytes: request.Block_size, Blocks: request.Block_nr,
		Slot: request.Frame_size, SlotsIn: request.Frame_nr}
	sendFD, err := newSendSocket(ifi)
	if err != nil {
		return err
	}
	l.tx.init(sendFD)
	return bindSocket(l.fd, ifi, etherTypeNet)
}

// requestRing asks for a ring with set, in smaller blocks when the kernel has no large ones.
func requestRing(mtu, ringBytes int, set func(*unix.TpacketReq) error) (unix.TpacketReq, error) {
	var err error
	blockBytes := maxBlockBytes
	for blockBytes > max(ringBytes, minBlockBytes) {
		blockBytes /= 2
	}
	for ; blockBytes >= minBlockBytes; blockBytes /= 2 {
		request := ringGeometry(mtu, ringBytes, blockBytes)
		if err = set(&request); err == nil {
			return request, nil
		}
		if !errors.Is(err, unix.ENOMEM) {
			break
		}
	}
	return unix.TpacketReq{}, fmt.Errorf("setting up a packet ring of %d bytes: %w", ringBytes, err)
}

// setRing configures the ring; version and reserve must come before it (packet(7)).
func setRing(fd int, request *unix.TpacketReq) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return fmt.Errorf("PACKET_VERSION 2: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_RESERVE, ringReserve); err != nil {
		return fmt.Errorf("PACKET_RESERVE: %w", err)
	}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, request); err != nil {
		return fmt.Errorf("PACKET_RX_RING: %w", err)
	}
	return nil
}

func (l *ringLink) Receive(frames [][]byte) (int, error) {
	n, skipped := l.rx.take(frames)
	if skipped > 0 {
		l.skipped.Add(uint64(skipped))
	}
	if n > 0 {
		l.empty, l.down = 0, false
		return n, nil
	}
	l.empty++
	if l.empty%healthInterval != 0 && !l.down && !l.closed {
		return 0, nil
	}
	return 0, l.checkHealth()
}

// healthInterval is how many empty Receives pass between two looks at the socket's state: often enough
// that an owner woken by poll for an error does not turn long, seldom enough to cost a spinning one
// nothing that shows.
const healthInterval = 256

// checkHealth clears the error that an interface going down leaves on the socket, which would keep poll
// returning, and finds out whether the interface still exists.
func (l *ringLink) checkHealth() error {
	if l.closed {
		return onLink(l.netif, os.ErrClosed)
	}
	if l.name.clearError(l.fd) == unix.ENETDOWN {
		l.down = true
	}
	index, errno := l.name.interfaceIndex(l.fd)
	if errno != 0 {
		return onLink(l.netif, errno)
	}
	if index <= 0 {
		return onLink(l.netif, ErrGone)
	}
	return nil
}

func (l *ringLink) Release() { l.rx.release() }

func (l *ringLink) Send(headers, payloads [][]byte) (int, error) {
	if l.closed {
		return 0, onLink(l.netif, os.ErrClosed)
	}
	sent, err := l.tx.send(headers, payloads)
	return sent, onLink(l.netif, err)
}

func (l *ringLink) FD() int           { return l.fd }
func (l *ringLink) Kind() string      { return "ring" }
func (l *ringLink) SendDrops() uint64 { return l.tx.drops.Load() }

func (l *ringLink) ReceiveDrops() uint64 {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	if !l.closed {
		l.readDropsLocked()
	}
	return l.kernelDrops + l.skipped.Load()
}

func (l *ringLink) readDropsLocked() {
	stats, err := unix.GetsockoptTpacketStats(l.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil {
		l.kernelDrops += uint64(stats.Drops)
	}
}

func (l *ringLink) Close() error {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	if l.closed {
		return nil
	}
	l.readDropsLocked()
	l.closed = true
	memory := l.rx.memory
	l.rx = rxRing{}
	fd := l.fd
	l.fd = -1
	var unmapErr error
	if memory != nil {
		unmapErr = unix.Munmap(memory)
	}
	return errors.Join(unmapErr, l.tx.close(), unix.Close(fd))
}
