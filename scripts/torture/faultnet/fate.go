package faultnet

import (
	"time"

	"vbladefs/target/aoe"
)

// mostHeld is the most frames that wait in one direction; more are lost.
const mostHeld = 1 << 14

// meet decides what becomes of a frame that came in.
func (v *way) meet(frame []byte, f *Faults, now time.Time) {
	draw := func(share float64) bool { return share > 0 && v.rnd.Float64() < share }
	if draw(f.Lose) {
		v.counts.lost.Add(1)
		return
	}
	if draw(f.Truncate) && len(frame) > aoe.EthernetSize {
		v.counts.truncated.Add(1)
		frame = frame[:aoe.EthernetSize+v.rnd.IntN(len(frame)-aoe.EthernetSize)]
	}
	if draw(f.Damage) {
		v.counts.damaged.Add(1)
		frame = v.damage(append(make([]byte, 0, v.mtu+aoe.EthernetSize), frame...))
	}
	if draw(f.Corrupt) {
		v.counts.damaged.Add(1)
		frame = v.corrupt(append([]byte(nil), frame...))
	}
	if draw(f.Repeat) {
		v.counts.repeated.Add(1)
		v.hold(frame, f, now, v.some(f.Hold), 0)
	}
	switch {
	case draw(f.Delay):
		v.counts.delayed.Add(1)
		v.hold(frame, f, now, v.some(f.Hold), 0)
	case draw(f.Reorder):
		v.counts.reordered.Add(1)
		v.hold(frame, f, now, f.Hold/2, 1+v.rnd.IntN(8))
	default:
		v.leave(frame)
	}
}

// some is a time up to most, half of the times a small part of it.
func (v *way) some(most time.Duration) time.Duration {
	share := v.rnd.Float64()
	if v.rnd.IntN(2) == 0 {
		share *= share * share
	}
	return time.Duration(share * float64(most))
}

// leave has frame sent in this turn, and what waits for it.
func (v *way) leave(frame []byte) {
	v.out = append(v.out, frame)
	for i := range v.held {
		v.held[i].behind--
	}
}

// hold keeps a copy of frame. behind is 0 for one that waits for no other.
func (v *way) hold(frame []byte, f *Faults, now time.Time, wait time.Duration, behind int) {
	if len(v.held) == mostHeld {
		v.counts.late.Add(1)
		return
	}
	h := held{came: now, due: now.Add(min(wait, f.Hold)), behind: behind}
	if behind == 0 {
		h.behind = mostHeld * batchFrames // its time comes first
	}
	if n := len(v.spare); n > 0 {
		h.frame, v.spare = v.spare[n-1], v.spare[:n-1]
	}
	h.frame = append(h.frame[:0], frame...)
	v.held = append(v.held, h)
}

// release has those frames sent whose time has come, and returns how long it is
// until the next one's.
func (v *way) release(f *Faults, now time.Time) time.Duration {
	next := turnMost
	kept := v.held[:0]
	for _, h := range v.held {
		wait := h.due.Sub(now)
		if wait > 0 && h.behind > 0 {
			kept = append(kept, h)
			next = min(next, wait)
			continue
		}
		// Its buffer is used again after this turn at the earliest: spare is
		// taken from before anything is released.
		v.spare = append(v.spare, h.frame)
		stayed := now.Sub(h.came)
		if stayed > max(f.Hold, h.due.Sub(h.came)) {
			v.counts.late.Add(1)
			continue
		}
		if stayed > time.Duration(v.counts.held.Load()) {
			v.counts.held.Store(int64(stayed))
		}
		v.out = append(v.out, h.frame)
	}
	v.held = kept
	return next
}
