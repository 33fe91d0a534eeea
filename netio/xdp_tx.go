package netio

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// xdpSender copies frames into chunks of a socket and has the kernel send them, one system call a batch. One
// goroutine owns it; drops may be read by any.
//
// In copy mode nothing is left in the ring when send returns: what the interface does not take now would go out
// when it is up again, long after it was of use.
type xdpSender struct {
	socket   *xdpSocket
	chunk    int
	maxFrame int
	first    uint64   // address of the first chunk to send from
	free     []uint64 // addresses
	held     []bool   // by chunk: it is the kernel's
	drops    atomic.Uint64
	waits    int // millisecond waits for room in this send
}

func (s *xdpSender) init(socket *xdpSocket, g xdpGeometry, mtu int) {
	s.socket, s.chunk, s.maxFrame = socket, g.chunk, min(mtu, maxMTU)+ethernetHeaderBytes
	s.first = uint64(g.rxChunks * g.chunk)
	s.held = make([]bool, g.txChunks)
	for i := range s.held {
		s.free = append(s.free, s.first+uint64(i*g.chunk))
	}
}

// send returns how many frames went out. An error is ErrGone or os.ErrClosed, unwrapped.
func (s *xdpSender) send(headers, payloads [][]byte) (sent int, err error) {
	s.waits = 0
	dropped, refused := 0, 0
	for i, header := range headers {
		var payload []byte
		if i < len(payloads) {
			payload = payloads[i]
		}
		if length := len(header) + len(payload); length < ethernetHeaderBytes || length > s.maxFrame {
			dropped++
			continue
		}
		if !s.put(header, payload) {
			if refused, err = s.flush(); err != nil {
				dropped += refused + len(headers) - i
				break
			}
			dropped += refused
			if !s.putPatiently(header, payload) {
				dropped++
			}
		}
	}
	if err == nil {
		refused, err = s.flush()
		dropped += refused
	}
	if dropped > 0 {
		s.drops.Add(uint64(dropped))
	}
	return len(headers) - dropped, err
}

// put copies a frame into chunks and describes them in the ring, which the kernel sees at flush; false when
// there is no room.
func (s *xdpSender) put(header, payload []byte) bool {
	length := len(header) + len(payload)
	count := (length + s.chunk - 1) / s.chunk
	tx := &s.socket.tx
	if len(s.free) < count {
		s.reap()
	}
	if len(s.free) < count || len(tx.entries)-int(tx.pending()) < count {
		return false
	}
	for range count {
		address := s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		s.held[(address-s.first)/uint64(s.chunk)] = true
		chunk := s.socket.memory[address : address+uint64(s.chunk)]
		n := copy(chunk, header)
		header = header[n:]
		m := copy(chunk[n:], payload)
		payload = payload[m:]
		d := unix.XDPDesc{Addr: address, Len: uint32(n + m)}
		if len(header)+len(payload) > 0 {
			d.Options = unix.XDP_PKT_CONTD
		}
		*tx.entry(tx.index) = d
		tx.index++
	}
	return true
}

// putPatiently waits for chunks on their way out.
func (s *xdpSender) putPatiently(header, payload []byte) bool {
	for !s.put(header, payload) {
		if !s.wait() {
			return false
		}
	}
	return true
}

// wait waits a millisecond, as often as a send may.
func (s *xdpSender) wait() bool {
	if s.waits >= maxWaits {
		return false
	}
	s.waits++
	unix.Poll(nil, 1)
	return true
}

// reap takes back the chunks of frames that are out.
func (s *xdpSender) reap() {
	ring := &s.socket.completion
	ready := ring.ready()
	for range ready {
		s.reclaim(*ring.entry(ring.index))
		ring.index++
	}
	if ready > 0 {
		ring.consume()
	}
}

// reclaim makes a chunk free; false when it was.
func (s *xdpSender) reclaim(address uint64) bool {
	i := (address - s.first) / uint64(s.chunk)
	if address < s.first || i >= uint64(len(s.held)) || !s.held[i] {
		return false
	}
	s.held[i] = false
	s.free = append(s.free, s.first+i*uint64(s.chunk))
	return true
}

// flush has the kernel send what is in the ring, and returns how many frames it did not.
func (s *xdpSender) flush() (dropped int, err error) {
	s.socket.tx.produce()
	if s.socket.zeroCopy {
		return 0, s.wake()
	}
	// Each call takes a frame at least, or one entry that abandon left, or waits.
	for tries := 2*len(s.socket.tx.entries) + maxWaits; tries > 0; tries-- {
		pending := s.socket.tx.pending()
		if pending == 0 {
			return dropped, nil
		}
		errno := kickSend(s.socket.fd)
		progress := s.socket.tx.pending() != pending
		switch s.judge(errno, progress) {
		case retryFrame:
		case dropFrame:
			dropped++
		case dropRest:
			return dropped + s.abandon(), nil
		case linkGone:
			return dropped + s.abandon(), ErrGone
		case linkClosed:
			return dropped + s.abandon(), os.ErrClosed
		}
	}
	return dropped + s.abandon(), nil
}

// dropRest is the verdict, beside those of sender, that nothing in the ring can be sent now.
const dropRest verdict = -1

// judge says what an attempt to send means (net/xdp/xsk.c __xsk_generic_xmit).
func (s *xdpSender) judge(errno unix.Errno, progress bool) verdict {
	switch errno {
	case 0, unix.EINTR:
		return retryFrame // the kernel tells one call later what it has taken
	case unix.EBUSY: // one frame was refused, and taken off the ring
		return dropFrame
	case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
		if progress || s.wait() { // as many as one call sends, or no room
			return retryFrame
		}
		return dropRest
	case unix.ENXIO, unix.ENODEV: // the socket has lost its interface for good
		return linkGone
	case unix.EBADF, unix.ENOTSOCK:
		return linkClosed
	}
	return dropRest // ENETDOWN
}

// noAddress is in no socket's memory: the kernel skips a descriptor that has it.
const noAddress = ^uint64(0)

// abandon makes the kernel skip the frames in the ring, takes their chunks back and returns how many they were.
// It leaves the rest of a frame of which the kernel has taken a part. Only for copy mode, where the kernel looks
// at the ring in our system calls and at no other time.
func (s *xdpSender) abandon() (frames int) {
	s.reap()
	tx := &s.socket.tx
	begins := true // a frame begins at the entry
	from := tx.index - tx.pending()
	if d := tx.entry(from - 1); d.Addr != noAddress && d.Options&unix.XDP_PKT_CONTD != 0 {
		begins = false
	}
	partial := !begins
	for i := from; i != tx.index; i++ {
		d := tx.entry(i)
		last := d.Options&unix.XDP_PKT_CONTD == 0
		if partial {
			partial = !last
			begins = last
			continue
		}
		// A chunk that is free already was sent or refused, which the kernel has not told in its index yet.
		if s.reclaim(d.Addr) && begins {
			frames++
		}
		*d = unix.XDPDesc{Addr: noAddress}
		begins = last
	}
	return frames
}

// wake tells a zero-copy driver of frames, if it wants to be told.
func (s *xdpSender) wake() error {
	if !s.socket.tx.needsWakeup() {
		return nil
	}
	switch kickSend(s.socket.fd) {
	case unix.ENXIO, unix.ENODEV:
		return ErrGone
	case unix.EBADF, unix.ENOTSOCK:
		return os.ErrClosed
	}
	return nil
}
