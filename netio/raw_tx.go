//lint:file-ignore SA1019 mdlayher/raw is the portable link by design; it is frozen, and calls its successor

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
	s.extendDeadline()
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

// extendDeadline bounds how long the library waits for room in our send buffer.
func (s *rawSender) extendDeadline() {
	s.conn.SetWriteDeadline(time.Now().Add(time.Millisecond)) // fails when closed, as the write will
}

// sendFrame sends the joined frame, waiting for room as long as this send may. The error is ErrGone or
// os.ErrClosed for the link's end, any other for this frame's.
func (s *rawSender) sendFrame() error {
	if len(s.frame) < ethernetHeaderBytes {
		return unix.EINVAL
	}
	copy(s.to.HardwareAddr, s.frame)
	downSeen := false
	for {
		_, err := s.conn.WriteTo(s.frame, s.to)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
			return ErrGone
		case errors.Is(err, unix.ENETDOWN) && !downSeen:
			downSeen = true // it may be stale, as in sender.judge
		case errors.Is(err, os.ErrDeadlineExceeded) && s.waits < maxWaits:
			// No room, or just this thread that was kept from running: the library does not even try then.
			s.waits++
			s.extendDeadline()
		case errors.Is(err, unix.ENOBUFS) && s.waits < maxWaits:
			s.waits++
			time.Sleep(time.Millisecond)
			s.extendDeadline()
		default:
			return err
		}
	}
}
