package netio

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// openXDP opens a link of kind "xdp", the fastest that the interface lets it have, and notes which that
// is. The error says why there is none.
func openXDP(ifi Interface, o Options) (Link, error) {
	l, err := newXDPLink(ifi, o)
	if err != nil {
		return nil, fmt.Errorf("AF_XDP on interface %s: %w", ifi.Name, err)
	}
	if o.Note != nil {
		o.Note(fmt.Sprintf("interface %s: using an xdp link, %s, receive queues: %d", ifi.Name, l.mode, len(l.sockets)))
	}
	return l, nil
}

func newXDPLink(ifi Interface, o Options) (*xdpLink, error) {
	driver, err := askDriver(ifi)
	if err != nil {
		return nil, err
	}
	l := &xdpLink{netif: ifi.Name, index: ifi.Index, mac: ifi.MAC, epoll: -1, control: -1, packets: sender{fd: -1}}
	if err := l.setUp(ifi, o, driver); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// setUp attaches the program, which takes no frame before its sockets are there, then binds the sockets. What it
// leaves undone on error, Close undoes.
func (l *xdpLink) setUp(ifi Interface, o Options, driver xdpDriver) error {
	if err := l.attach(ifi, o.Replies, driver); err != nil {
		return err
	}
	copies := !l.native || !driver.zeroCopy
	packets := copies && sendsPackets(ifi.MTU)
	g, err := newXDPGeometry(ifi.MTU, o.RingBytes, driver.queues, !packets, copies)
	if err != nil {
		return err
	}
	if l.control, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	for queue := range driver.queues {
		if err := l.addSocket(ifi, queue, g, copies); err != nil {
			return err
		}
	}
	if err := l.rx.init(g, l.sockets); err != nil {
		return fmt.Errorf("memory for large frames: %w", err)
	}
	if err := l.initSender(ifi, g, packets); err != nil {
		return err
	}
	l.setMode()
	if err := l.makePollable(); err != nil {
		return err
	}
	for queue, s := range l.sockets {
		if err := l.program.sockets.Put(uint32(queue), uint32(s.fd)); err != nil {
			return fmt.Errorf("directing frames to the socket of queue %d: %w", queue, err)
		}
	}
	return nil
}

// attach loads the program and puts it on the interface, in the driver or, where that cannot be, in the kernel's
// generic receive path.
func (l *xdpLink) attach(ifi Interface, replies bool, driver xdpDriver) error {
	const advice = "the interface strips VLAN tags, and the program could not tell frames of other VLANs: turn that off (ethtool -K %s rxvlan off)"
	nativeErr := errors.New("the driver has no native mode that hands frames to sockets")
	if !driver.noRedirect {
		if driver.stripsTags && !driver.tellsTag {
			return fmt.Errorf(advice, ifi.Name)
		}
		if nativeErr = l.attachIn(ifi, driver, replies, link.XDPDriverMode); nativeErr == nil {
			l.native = true
			return nil
		}
		if occupied(nativeErr) || errors.Is(nativeErr, unix.EPERM) {
			return explainAttach(nativeErr)
		}
	}
	if driver.stripsTags {
		return errors.Join(fmt.Errorf("native mode: %w", nativeErr), fmt.Errorf(advice, ifi.Name))
	}
	driver.tellsTag = false // only native mode can ask
	if err := l.attachIn(ifi, driver, replies, link.XDPGenericMode); err != nil {
		return explainAttach(errors.Join(nativeErr, err))
	}
	return nil
}

func (l *xdpLink) attachIn(ifi Interface, driver xdpDriver, replies bool, mode link.XDPAttachFlags) error {
	program, err := newXDPProgram(ifi, driver.queues, replies, driver.tellsTag)
	if err != nil {
		return err
	}
	hook, err := link.AttachXDP(link.XDPOptions{Program: program.program, Interface: ifi.Index, Flags: mode})
	if err != nil {
		return errors.Join(err, program.close())
	}
	l.program, l.hook = program, hook
	return nil
}

// occupied says whether someone else's program is in the way (net/core/dev.c dev_xdp_attach).
func occupied(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) }

func explainAttach(err error) error {
	switch {
	case occupied(err):
		return fmt.Errorf("another XDP program is attached already (ip link shows it): %w", err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("attaching an XDP program needs root, or CAP_NET_ADMIN and CAP_BPF: %w", err)
	}
	return fmt.Errorf("attaching the XDP program: %w", err)
}

// sendsPackets says whether frames at that MTU are better sent on a packet socket where an AF_XDP socket copies: a
// frame in several chunks costs it a page for each, and is copied twice. With veth at MTU 9000 and reads of 4 KiB
// it was a tenth to a fifth more processor time than sendmmsg; in one chunk it is a tenth less.
func sendsPackets(mtu int) bool { return maxFrameBytes(mtu) > largeChunk-frameOffset }

func (l *xdpLink) initSender(ifi Interface, g xdpGeometry, packets bool) error {
	if !packets {
		l.tx.init(l.sockets[0], g, ifi.MTU)
		return nil
	}
	fd, err := newSendSocket(ifi)
	if err != nil {
		return err
	}
	l.packets.init(fd)
	return nil
}

// addSocket makes and binds the socket of a queue. The first also sends, if it has chunks for it.
func (l *xdpLink) addSocket(ifi Interface, queue int, g xdpGeometry, copies bool) error {
	txChunks := 0
	if queue == 0 {
		txChunks = g.txChunks
	}
	s, err := newXDPSocket(g, txChunks)
	if err != nil {
		return err
	}
	l.sockets = append(l.sockets, s)
	var flags uint16 // without a wish, zero copy where the driver has it
	if copies {
		flags = unix.XDP_COPY
	}
	if g.perFrame > 1 {
		flags |= unix.XDP_USE_SG
	}
	return s.bind(ifi, queue, flags)
}

// setMode names the way taken.
func (l *xdpLink) setMode() {
	switch {
	case l.native && l.sockets[0].zeroCopy:
		l.mode = "native, zero copy"
	case l.native:
		l.mode = "native, copying"
	default:
		l.mode = "generic, copying: slow, since the driver has no native mode for it"
	}
}

// makePollable finds a descriptor that is readable when any socket is.
func (l *xdpLink) makePollable() error {
	if len(l.sockets) == 1 {
		l.pollable = l.sockets[0].fd
		return nil
	}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	for _, s := range l.sockets {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.fd)}
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, s.fd, &event); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	l.pollable = l.epoll
	return nil
}
