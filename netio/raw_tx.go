package netio

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/mdlayher/raw"
	"golang.org/x/sys/unix"
)

// rawSender joins header and payload in one buffer and sends frame by frame. One goroutine owns it; drops
// may be read by any.
type rawSender struct {
	conn  *raw.Conn
	frame []byte
	to    *raw.Addr
	drops atomic.Uint64
	waits int
}

func (s *rawSender) init(conn *raw.Conn, mtu int) {
	s.conn = conn
	s.frame = make([]byte, 0, maxFrameBytes(mtu))
	s.to = &raw.Addr{HardwareAddr: make(net.HardwareAddr, 6)}
}

func (s *rawSender) send(headers, payloads [][]byte) (sent int, err error) {
	s.waits = 0
	// The library waits for room in our send buffer; once the deadline is over it drops the rest unsent.
	if err := s.conn.SetWriteDeadline(time.Now().Add(maxWaits * time.Millisecond)); err != nil {
		return 0, err
	}
	for i, header := range headers {
		s.frame = append(s.frame[:0], header...)
		if i < len(payloads) {
			s.frame = append(s.frame, payloads[i]...)
		}
		err = s.sendFrame()
		if errors.Is(err, ErrGone) || errors.Is(err, os.ErrClosed) {
			break
		}
		if err == nil {
			sent++
		}
		err = nil
	}
	if sent < len(headers) {
		s.drops.Add(uint64(len(headers) - sent))
	}
	return sent, err
}

// sendFrame sends the joined frame. The error is ErrGone or os.ErrClosed for the link's end, any other for
// this frame's.
func (s *rawSender) sendFrame() error {
	if len(s.frame) < ethernetHeaderBytes {
		return unix.EINVAL
	}
	copy(s.to.HardwareAddr, s.frame)
	_, err := s.conn.WriteTo(s.frame, s.to)
	if errors.Is(err, unix.ENETDOWN) {
		_, err = s.conn.WriteTo(s.frame, s.to) // the first may be stale, as in sender.judge
	}
	for errors.Is(err, unix.ENOBUFS) && s.waits < maxWaits {
		s.waits++
		time.Sleep(time.Millisecond)
		_, err = s.conn.WriteTo(s.frame, s.to)
	}
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
		return ErrGone
	}
	return err
}
