package netio

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// xdpLink is the "xdp" kind: a program in the interface's receive path hands AoE frames to AF_XDP sockets, one
// for each receive queue, before the kernel makes packets of them; all else goes its ordinary way. Frames are
// sent through the first socket.
//
//	driver ─▶ program ─▶ AF_XDP socket of the queue ─▶ Receive ─▶ owner ─▶ Release ─▶ fill ring
//	            └─▶ network stack (everything else)
//	driver ◀── sendto ◀── chunks of the first socket ◀── Send ◀─ owner
//
// Program and sockets live as long as our descriptors of them do: nothing stays on the interface when the process
// ends, however it ends. What the first socket sends passes the interface's traffic control (tc) by. Frames in
// several chunks that the kernel would copy go out as the ring's do, on a packet socket.
//
// Frames are stamped by the program; where the driver has no room for a stamp, stale ones are not noticed.
type xdpLink struct {
	netif    string
	index    int
	native   bool
	mode     string
	program  *xdpProgram
	hook     link.Link
	sockets  []*xdpSocket // by receive queue
	rx       xdpReceiver
	tx       xdpSender
	packets  sender // in place of tx, see sendsPackets
	epoll    int    // over the sockets, when there are several
	pollable int
	control  int // a socket to ask the kernel about the interface, in the link's own namespace

	empty  uint // Receive calls in a row that found nothing
	mac    [6]byte
	source [6]byte // of the last frame sent
	query  macQuery

	turnedAway chan struct{} // closed when what came before Only had an end is there; nil: it had none

	skipped atomic.Uint64 // frames that came, but were too large or stale

	statsMu     sync.Mutex // guards what ReceiveDrops needs while another goroutine may Close
	closed      bool
	kernelDrops uint64
}

func (l *xdpLink) Receive(frames [][]byte) (int, error) {
	n, skipped := l.rx.take(frames)
	if skipped > 0 {
		l.skipped.Add(uint64(skipped))
	}
	if n > 0 {
		l.empty = 0
		return n, nil
	}
	l.empty++
	if l.empty%healthInterval != 0 && !l.closed {
		return 0, nil
	}
	if l.closed {
		return 0, onLink(l.netif, os.ErrClosed)
	}
	return 0, l.follow()
}

// follow finds out whether the interface still exists, and tells the program of a new MAC.
func (l *xdpLink) follow() error {
	mac, errno := l.query.interfaceMAC(l.control, l.index)
	switch {
	case errno == unix.ENODEV:
		return onLink(l.netif, ErrGone)
	case errno != 0 || mac == l.mac:
		return nil
	}
	if err := l.program.setMAC(mac); err != nil {
		return onLink(l.netif, err)
	}
	l.mac = mac
	return nil
}

func (l *xdpLink) Release() { l.rx.release() }

func (l *xdpLink) Send(headers, payloads [][]byte) (int, error) {
	if l.closed {
		return 0, onLink(l.netif, os.ErrClosed)
	}
	l.noticeSource(headers)
	send := l.tx.send
	if l.packets.fd >= 0 {
		send = l.packets.send
	}
	sent, err := send(headers, payloads)
	return sent, onLink(l.netif, err)
}

// noticeSource looks at the interface's MAC when frames come from another than before: an owner that sleeps
// learns of a new one elsewhere, and announces itself with it before anyone sends to it.
func (l *xdpLink) noticeSource(headers [][]byte) {
	if len(headers) == 0 || len(headers[0]) < 12 {
		return
	}
	source := [6]byte(headers[0][6:12])
	if source == l.source || source == l.mac {
		return
	}
	l.source = source
	_ = l.follow() // an interface that is gone shows when sending
}

func (l *xdpLink) FD() int      { return l.pollable }
func (l *xdpLink) Kind() string { return "xdp" }

func (l *xdpLink) SendDrops() uint64 { return l.tx.drops.Load() + l.packets.drops.Load() }

func (l *xdpLink) ReceiveDrops() uint64 {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	if !l.closed {
		l.readDropsLocked()
	}
	return l.kernelDrops + l.skipped.Load()
}

func (l *xdpLink) readDropsLocked() {
	l.kernelDrops = 0
	for _, s := range l.sockets {
		l.kernelDrops += s.drops()
	}
}

// Close takes the program off the interface first, so that frames go the ordinary way again and none is lost on
// a socket that nobody reads.
func (l *xdpLink) Close() error {
	l.statsMu.Lock()
	defer l.statsMu.Unlock()
	if l.closed {
		return nil
	}
	var err error
	if l.hook != nil {
		err = l.hook.Close()
	}
	l.readDropsLocked()
	l.closed = true
	l.pollable = -1
	if l.program != nil {
		err = errors.Join(err, l.program.close())
	}
	err = errors.Join(err, l.rx.close(), l.packets.close())
	for _, s := range l.sockets {
		err = errors.Join(err, s.close())
	}
	for _, fd := range []int{l.epoll, l.control} {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	return err
}
