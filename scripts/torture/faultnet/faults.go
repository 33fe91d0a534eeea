// Package faultnet is a bad network: a wire between two links that loses,
// repeats, delays, reorders, truncates and damages the frames that it carries.
//
//	initiator ── veth ── Link a ─┐ faults ┌─ Link b ── veth ── target
//	                             └ Wire ──┘
//
// What happens to which frame follows from a seed and from the order of the
// frames. No frame leaves a Wire later than Faults.Hold after it came in; one
// that would is lost. So a client knows when no copy of a request of its own can
// be on the way any more: an old copy of a write that the network delivers after
// a newer one is beyond any target (PROTOCOL.md §7).
//
// It is for tests and the fault laboratory: one goroutine carries both
// directions, and it is no faster than that.
package faultnet

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Faults are what a Wire does to the frames of one direction: shares of them,
// from 0 to 1, each drawn for itself. The zero value carries every frame as it
// is.
type Faults struct {
	Lose     float64 // dropped
	Repeat   float64 // carried twice, the second time up to Hold later
	Delay    float64 // carried up to Hold later
	Reorder  float64 // carried behind 1 to 8 later frames, or after half of Hold
	Truncate float64 // cut short, at any length that a link sends
	Damage   float64 // changed in one field of a header, or made longer; never in tag, LBA or data, which nothing protects

	Corrupt float64 // changed in up to 8 bits anywhere behind the MACs: tag, LBA and data too

	Hold time.Duration // the longest that a frame stays in the wire
}

// check reports what is wrong with f.
func (f Faults) check() error {
	for name, share := range map[string]float64{"lose": f.Lose, "repeat": f.Repeat, "delay": f.Delay, "reorder": f.Reorder,
		"truncate": f.Truncate, "damage": f.Damage, "corrupt": f.Corrupt} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("%s %v: want a share from 0 to 1", name, share)
		}
	}
	if f.Hold < 0 || f.Hold > maxHold {
		return fmt.Errorf("hold %v: want 0 to %v", f.Hold, maxHold)
	}
	return nil
}

// maxHold is the longest Hold: what is longer is an outage and no delay.
const maxHold = 10 * time.Second

// Counts are what a Wire has done to the frames of one direction.
type Counts struct {
	Frames    uint64 // that came in
	Carried   uint64 // that went out, copies included
	Lost      uint64
	Repeated  uint64
	Delayed   uint64
	Reordered uint64
	Truncated uint64
	Damaged   uint64 // corrupted ones included
	Late      uint64 // dropped, since they would have stayed longer than Hold
	Refused   uint64 // that the link on the way out did not take
	Held      time.Duration
}

// Injected is the number of faults, Late ones being none that was asked for.
func (c Counts) Injected() uint64 {
	return c.Lost + c.Repeated + c.Delayed + c.Reordered + c.Truncated + c.Damaged
}

// Add returns the sum of both.
func (c Counts) Add(o Counts) Counts {
	return Counts{Frames: c.Frames + o.Frames, Carried: c.Carried + o.Carried, Lost: c.Lost + o.Lost, Repeated: c.Repeated + o.Repeated,
		Delayed: c.Delayed + o.Delayed, Reordered: c.Reordered + o.Reordered, Truncated: c.Truncated + o.Truncated,
		Damaged: c.Damaged + o.Damaged, Late: c.Late + o.Late, Refused: c.Refused + o.Refused, Held: max(c.Held, o.Held)}
}

// counters are Counts that the wire writes while others read.
type counters struct {
	frames, carried, lost, repeated, delayed, reordered, truncated, damaged, late, refused atomic.Uint64

	held atomic.Int64 // nanoseconds
}

func (c *counters) counts() Counts {
	return Counts{Frames: c.frames.Load(), Carried: c.carried.Load(), Lost: c.lost.Load(), Repeated: c.repeated.Load(),
		Delayed: c.delayed.Load(), Reordered: c.reordered.Load(), Truncated: c.truncated.Load(), Damaged: c.damaged.Load(),
		Late: c.late.Load(), Refused: c.refused.Load(), Held: time.Duration(c.held.Load())}
}
