package initiator

import (
	"fmt"
	"time"
)

// Retransmit is what an engine does about a frame without a reply
// (INITIATORS §8.6).
type Retransmit uint8

// The ways to retransmit.
const (
	// RetransmitSame repeats the frame under the same tag after 250 ms, and
	// then after twice as long each time: iPXE's way (INITIATORS §4).
	RetransmitSame Retransmit = iota
	// RetransmitNone gives the frame up at its timeout: any loss is an error.
	RetransmitNone
	// RetransmitLinux repeats it under a new tag, every 100 ms that it is older
	// than 2·srtt + 8·mdev; one timeout shrinks the window to 1, from where it
	// grows again; AoE errors are counted and otherwise ignored. Only the
	// newest copy is accepted (INITIATORS §2.4 to §2.8).
	RetransmitLinux
)

// String is the name by which ParseRetransmit knows r.
func (r Retransmit) String() string {
	return [...]string{RetransmitSame: "same", RetransmitNone: "none", RetransmitLinux: "linux", 3: "unknown"}[r&3]
}

// ParseRetransmit reads "same", "none" or "linux".
func ParseRetransmit(s string) (Retransmit, error) {
	for _, r := range []Retransmit{RetransmitSame, RetransmitNone, RetransmitLinux} {
		if s == r.String() {
			return r, nil
		}
	}
	return 0, fmt.Errorf("retransmission %q: want none, same or linux", s)
}

// Timers. The first two are Linux's and iPXE's, the others ours.
const (
	linuxTick    = 100 * time.Millisecond
	sameFirstRTO = 250 * time.Millisecond
	plainTick    = 5 * time.Millisecond
	plainTimeout = 10 * time.Second
	linuxTimeout = 180 * time.Second
	linuxWindow  = 64 // aoe_maxout: the most that Linux has outstanding
)

// pacer says how many frames may be outstanding and when they expire.
type pacer struct {
	mode     Retransmit
	tick     time.Duration // how often expiry is looked at
	firstRTO time.Duration
	mostRTO  time.Duration // of RetransmitSame; 0: no bound
	timeout  time.Duration
	window   int // frames that may be outstanding now

	// Of RetransmitLinux only.
	most      int // what window grows to
	threshold int // below it, each reply grows the window
	credit    int // replies until the window grows above it
	srtt      time.Duration
	mdev      time.Duration
}

func newPacer(opt Options, window int) pacer {
	p := pacer{mode: opt.Retransmit, tick: plainTick, firstRTO: sameFirstRTO, mostRTO: opt.MostRTO, timeout: plainTimeout, window: window}
	if p.mode == RetransmitLinux {
		p.tick, p.timeout = linuxTick, linuxTimeout
		p.most = min(window, linuxWindow)
		p.window = max(p.most/2, 1) // Linux itself is stuck with a buffer count of 1
		p.threshold = p.window
		p.srtt, p.mdev = 250*time.Millisecond, 2*time.Second
	}
	if opt.Timeout > 0 {
		p.timeout = opt.Timeout
	}
	if opt.FirstRTO > 0 {
		p.firstRTO = opt.FirstRTO
		p.mdev = max(0, (opt.FirstRTO-2*p.srtt)/8)
		if p.mdev == 0 {
			p.srtt = opt.FirstRTO / 2
		}
	}
	if p.mode == RetransmitNone {
		p.firstRTO = p.timeout
	}
	return p
}

// rto is when a frame of RetransmitLinux expires.
func (p *pacer) rto() time.Duration { return 2*p.srtt + 8*p.mdev }

// longer is the timeout of RetransmitSame after one of rto.
func (p *pacer) longer(rto time.Duration) time.Duration {
	if p.mostRTO > 0 {
		return max(rto, min(2*rto, p.mostRTO))
	}
	return 2 * rto
}

// reply learns from a reply that took rtt, with outstanding frames on the wire.
func (p *pacer) reply(rtt time.Duration, outstanding int) {
	if p.mode != RetransmitLinux {
		return
	}
	diff := rtt - p.srtt
	p.srtt += diff / 256
	p.mdev += (max(diff, -diff) - p.mdev) / 8
	switch {
	case p.window >= p.most:
	case p.window < p.threshold:
		p.window++
	case outstanding >= p.window:
		if p.credit--; p.credit < 0 {
			p.window++
			p.credit = p.window
		}
	}
}

// lost shrinks the window after a timeout.
func (p *pacer) lost() {
	p.threshold = max(p.window/2, 1)
	p.window, p.credit = 1, 1
}

// expire gives up what is too old and marks for retransmission what is due. It
// looks at every slot, but only once a tick.
func (e *Engine) expire() {
	expired := false
	for i := range e.slots {
		s := &e.slots[i]
		if s.io == nil || s.deferred {
			if s.io != nil && e.now-s.first >= e.pace.timeout {
				e.giveUp(s)
			}
			continue
		}
		rto := s.rto
		if e.pace.mode == RetransmitLinux {
			rto = e.pace.rto()
		}
		switch age := e.now - s.sent; {
		case e.now-s.first >= e.pace.timeout:
			e.giveUp(s)
		case age < rto || e.pace.mode == RetransmitNone:
		default:
			s.deferred = true
			e.deferred++
			expired = true
		}
	}
	if expired && e.pace.mode == RetransmitLinux {
		e.pace.lost()
	}
}

func (e *Engine) giveUp(s *slot) {
	e.counters.Timeouts++
	e.finish(s, &TimeoutError{Op: s.io.Op, LBA: s.lba, After: e.now - s.first, Retries: s.retries})
}

// pushDeferred queues expired frames as far as room goes, round robin, and
// returns the room that is left.
func (e *Engine) pushDeferred(room int) int {
	for n := 0; e.deferred > 0 && room > 0 && n < len(e.slots); n++ {
		i := e.resendFrom
		if e.resendFrom++; e.resendFrom == len(e.slots) {
			e.resendFrom = 0
		}
		s := &e.slots[i]
		if !s.deferred {
			continue
		}
		s.deferred = false
		e.deferred--
		room--
		s.retries++
		e.counters.Retransmits++
		if e.pace.mode == RetransmitLinux {
			e.retag(i, s)
		} else {
			s.rto = e.pace.longer(s.rto)
		}
		e.queue(s)
	}
	return room
}
