package netio

import (
	"time"

	"golang.org/x/sys/unix"
)

// One link can take the place of another on the same interface, without losing a frame or bringing one twice: both are
// open for a while, so that each frame comes to both, and a moment is chosen. What came before is the old one's, and what came
// later the new one's:
//
//	new: Stamp(true) ─▶ Skip, again and again ─▶ Only(moment, 0) ─▶ Stamp(false)
//	old: served as always ───────▶ moment ─▶ Only(0, moment), until all that came before is there ─▶ Close
//
// For that both must have the same stamp of a frame, as they have while anybody wants stamps of what comes in: the kernel
// then takes it once for all (net/core/dev.c net_timestamp_check), and else once for each socket (net/packet/af_packet.c tpacket_rcv).

// Stamp has frames stamped once for all links, from some milliseconds later on, or not any more.
func (l *ringLink) Stamp(on bool) error {
	wanted := 0
	if on {
		wanted = 1
	}
	return l.withSocket(func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, wanted) })
}

// Skip passes over the frames that wait, as they are another link's.
func (l *ringLink) Skip() {
	var frames [64][]byte
	for end := time.Now().Add(skipMost); time.Now().Before(end); {
		n, _ := l.rx.take(frames[:])
		l.rx.release()
		if n < len(frames) {
			return
		}
	}
}

// skipMost ends a Skip that frames come faster than.
const skipMost = 10 * time.Millisecond

// Alone tells whether frames that come here come to no other link.
func (l *ringLink) Alone() bool { return false }

// Arrived reports whether Receive finds all that came to the link up to now.
func (l *ringLink) Arrived() bool { return true }

// Only has Receive bring only the frames that came from one moment on and before another, in nanoseconds of CLOCK_REALTIME;
// 0 is no bound. The first bound is no more when it is ten seconds old, or the clock was set back behind it.
func (l *ringLink) Only(from, until int64) { l.rx.from, l.rx.until = from, until }

const boundLasts = int64(10 * time.Second)

// elsewhere says whether a frame with that stamp is another link's.
func (r *rxRing) elsewhere(now, stamp int64) bool {
	if now < r.from || now > r.from+boundLasts {
		r.from = 0
	}
	return stamp < r.from || r.until != 0 && stamp >= r.until
}
