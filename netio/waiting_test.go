package netio

import (
	"testing"
	"time"
)

// Waiting is what take would bring, wherever the ring is, and what is lent does not count.
func TestRingKnowsWhatWaits(t *testing.T) {
	r := newFakeRing(9000, 3) // three slots a block, and a rest
	frames := make([][]byte, r.slots)
	for round := range 200 {
		waiting := 0
		for range round % (r.slots + 2) {
			if r.fill(1, 60, 60) {
				waiting++
			}
		}
		if got := r.waiting(); got != waiting {
			t.Fatalf("round %d: %d wait, want %d", round, got, waiting)
		}
		lent, _ := r.take(frames[:min(waiting, round%3)])
		if got := r.waiting(); got != waiting-lent {
			t.Fatalf("round %d: %d wait beside %d lent, want %d", round, got, lent, waiting-lent)
		}
		r.take(frames)
		r.release()
	}
	r.fill(1, 60, 60)
	if n := testing.AllocsPerRun(20, func() { r.waiting() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Every kind of link says how much waits, and how much could.
func TestLinksKnowWhatWaits(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		const sent = 100
		for i := range sent {
			send(t, p.a, frame(p.macB, p.macA, 60, i))
		}
		backlog := p.b.(interface{ Waiting() (frames, most int) })
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			if n, most := backlog.Waiting(); n == sent && most > 2*sent {
				break
			} else if time.Now().After(deadline) {
				t.Fatalf("%d of at most %d frames wait, want %d", n, most, sent)
			}
		}
		if n, err := p.b.Receive(make([][]byte, sent)); n != sent || err != nil {
			t.Errorf("%d frames received: %v", n, err)
		}
		p.b.Release()
		if n, _ := backlog.Waiting(); n != 0 {
			t.Errorf("%d frames wait afterwards", n)
		}
	})
}
