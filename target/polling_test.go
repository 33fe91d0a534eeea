package target

import (
	"testing"
	"time"
)

// idleFor lets a worker have no work for d, n times, and returns its window.
func (p *polling) idleFor(now *time.Time, d time.Duration, n int) time.Duration {
	for range n {
		since := *now
		*now = now.Add(d)
		if d > p.window { // else polling sees the work and no sleep is told of
			p.slept(since, *now)
		}
	}
	return p.window
}

// TestPollingFollowsTheLoad: pauses shorter than the longest window are polled
// through, longer ones are slept through from their beginning, whatever was before.
func TestPollingFollowsTheLoad(t *testing.T) {
	const most = 200 * time.Microsecond
	for _, first := range []time.Duration{time.Microsecond, 50 * time.Microsecond, 199 * time.Microsecond} {
		p, now := polling{most: most}, time.Now()
		if w := p.idleFor(&now, first, 3); w < first || w > most {
			t.Errorf("pauses of %v: window %v, want it to cover them", first, w)
		}
		if w := p.idleFor(&now, 300*time.Microsecond, 20); w != 0 {
			t.Errorf("pauses of 300µs after ones of %v: window %v, want none", first, w)
		}
		if w := p.idleFor(&now, first, 3); w < first {
			t.Errorf("pauses of %v again: window %v", first, w)
		}
		if w := p.idleFor(&now, time.Hour, 20); w != 0 {
			t.Errorf("idle: window %v", w)
		}
	}
}

// TestPollingCanBeOff: the option 0 never polls.
func TestPollingCanBeOff(t *testing.T) {
	p, now := polling{}, time.Now()
	if w := p.idleFor(&now, time.Microsecond, 10); w != 0 {
		t.Errorf("window %v", w)
	}
}

// TestPollingGivesWay: a worker that was made to wait for its processor leaves it
// to others for a while, for longer the more often they want it.
func TestPollingGivesWay(t *testing.T) {
	p, now := polling{most: 200 * time.Microsecond}, time.Now()
	p.idleFor(&now, 50*time.Microsecond, 3)
	p.looked(now, now.Add(10*time.Microsecond))
	if p.window == 0 {
		t.Fatal("a turn of 10µs ended the polling")
	}
	for rest := leastRest; rest <= mostRest; rest *= 2 {
		began := now
		now = now.Add(3 * time.Millisecond)
		p.looked(began, now)
		if p.window != 0 {
			t.Fatalf("preempted for 3ms: window %v", p.window)
		}
		if w := p.idleFor(&now, 50*time.Microsecond, int(rest/(50*time.Microsecond))-1); w != 0 {
			t.Fatalf("window %v before a rest of %v is over", w, rest)
		}
		if w := p.idleFor(&now, 50*time.Microsecond, 5); w < 50*time.Microsecond {
			t.Fatalf("window %v after a rest of %v", w, rest)
		}
	}
	now = now.Add(time.Second)
	p.looked(now, now.Add(3*time.Millisecond))
	if now = now.Add(3*time.Millisecond + leastRest); p.idleFor(&now, 50*time.Microsecond, 5) == 0 {
		t.Error("a rest is as long as before, although the processor was undisturbed for a second")
	}
}
