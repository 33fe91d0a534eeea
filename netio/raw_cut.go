package netio

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

// A raw link, too, can take another's place, or another its, see cut.go. Its library brings no stamps, and the reader asks
// the socket for that of each frame while one is wanted.

// rawCut says which frames a raw link brings.
type rawCut struct {
	socket      syscall.RawConn // since stamps were wanted; set once, before wanted is
	wanted      atomic.Bool     // stamps are, by Stamp
	bounded     atomic.Bool     // by from, which wants them, too
	from, until int64           // as rxRing has them; the owner's
	read        atomic.Uint64   // frames that the reader took from the socket and put where take finds them, or dropped
}

// Stamp has the reader ask for stamps, or not any more; it does, too, as long as Only has a first bound.
func (l *rawLink) Stamp(on bool) error {
	l.closeMu.Lock()
	defer l.closeMu.Unlock()
	if !on || l.closed || l.rx.cut.wanted.Load() {
		l.rx.cut.wanted.Store(on)
		return nil
	}
	if l.rx.cut.socket == nil {
		socket, err := rawSocket(l.conn)
		if err != nil {
			return onLink(l.netif, err)
		}
		l.rx.cut.socket = socket
	}
	if _, err := l.rx.cut.stamp(); err != nil {
		return onLink(l.netif, err)
	}
	l.rx.cut.wanted.Store(true)
	return nil
}

// stamps says whether the reader asks for them.
func (c *rawCut) stamps() bool { return c.wanted.Load() || c.bounded.Load() }

// stamp is that of the frame that was read last.
func (c *rawCut) stamp() (stamp int64, err error) {
	failed := c.socket.Control(func(fd uintptr) { stamp, err = lastStamp(fd) })
	if failed != nil {
		return 0, fmt.Errorf("the socket of a raw link: %w", failed)
	}
	return stamp, err
}

// Skip passes over the frames that wait, as they are another link's.
func (l *rawLink) Skip() {
	for end := time.Now().Add(skipMost); time.Now().Before(end); {
		select {
		case f := <-l.rx.full:
			l.rx.free <- f.slot
		default:
			return
		}
	}
}

// Only is that of the ring link.
func (l *rawLink) Only(from, until int64) {
	l.rx.cut.from, l.rx.cut.until = from, until
	l.rx.cut.bounded.Store(from != 0 && l.rx.cut.wanted.Load())
}

// elsewhere says whether a frame with that stamp, 0 if it has none, is another link's. What came before stamps were wanted
// came before any moment.
func (c *rawCut) elsewhere(now, stamp int64) bool {
	if c.from != 0 && (now < c.from || now > c.from+boundLasts) {
		c.from = 0
		c.bounded.Store(false)
	}
	return stamp < c.from || c.until != 0 && stamp >= c.until
}

// Alone is that of the ring link.
func (l *rawLink) Alone() bool { return false }

// Arrived reports whether Receive finds, or has found, all that the kernel has put into the socket up to now.
func (l *rawLink) Arrived() bool {
	l.closeMu.Lock()
	defer l.closeMu.Unlock()
	if l.closed || l.rx.failure.Load() != nil {
		return true
	}
	read := l.rx.cut.read.Load()
	stats, err := l.conn.Stats()
	return err != nil || read+stats.Drops >= stats.Packets
}
