package netio

import (
	"bytes"
	"math"
	"testing"
	"time"
)

func TestStaleByAge(t *testing.T) {
	const now = int64(1_700_000_000_500_000_000)
	for _, c := range []struct {
		what string
		age  time.Duration
		want bool
	}{
		{"just now", 0, false},
		{"before the second turned", 600 * time.Millisecond, false},
		{"at the limit", 2 * time.Second, false},
		{"over the limit", 2*time.Second + 1, true},
		{"after Linux turned to another path", 11 * time.Second, true},
		{"oldest that is believed", time.Hour, true},
		{"clock set forward, or another clock", time.Hour + 1, false},
		{"clock set back a little", -1, false},
		{"clock set back a lot", -24 * time.Hour, false},
		{"CLOCK_MONOTONIC of a young machine", time.Duration(now) - time.Minute, false},
	} {
		stamp := now - int64(c.age)
		if got := stale(now, uint32(stamp/1e9), uint32(stamp%1e9)); got != c.want {
			t.Errorf("%s (age %v): stale %v, want %v", c.what, c.age, got, c.want)
		}
	}
	if stale(10e9, 0, 0) {
		t.Error("no stamp on a machine without a clock of its own: stale")
	}
	if stale(now, math.MaxUint32, math.MaxUint32) || stale(math.MaxInt64, 1, math.MaxUint32) {
		t.Error("stamps that make no sense: stale")
	}
}

// TestRingDropsStaleFrames has them before, between and after fresh ones, as no clock that runs would.
func TestRingDropsStaleFrames(t *testing.T) {
	r := newFakeRing(1500, 2)
	now := uint32(time.Now().Unix())
	for number, age := range []uint32{60, 60, 0, 60, 0, 60} {
		r.stamp = now - age
		r.fill(byte(number), 60, 60)
	}
	frames := make([][]byte, 8)
	n, dropped := r.take(frames)
	if n != 2 || dropped != 4 || frames[0][0] != 2 || frames[1][0] != 4 {
		t.Fatalf("took %d, dropped %d: want frames 2 and 4, and 4 dropped", n, dropped)
	}
	if r.held != 4 {
		t.Errorf("holding %d slots, want 4: the first two are free at once", r.held)
	}
	r.release()
	for range 3 * r.slots { // stale frames only: the ring turns without Release
		r.fill(0, 60, 60)
		if n, dropped := r.take(frames); n != 0 || dropped != 1 || r.held != 0 {
			t.Fatalf("took %d, dropped %d, holding %d", n, dropped, r.held)
		}
	}
}

// TestFramesThatWaitedAreDropped is an owner that was kept from its link for longer than a frame may wait.
func TestFramesThatWaitedAreDropped(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		t.Parallel() // it only sleeps
		framesThatWaited(t, p)
	})
}

func framesThatWaited(t *testing.T, p *pairOfLinks) {
	const waited = 20
	for i := range waited {
		send(t, p.a, frame(p.macB, p.macA, 60, i))
	}
	if l, ok := p.b.(*rawLink); ok {
		for deadline := time.Now().Add(patience); len(l.rx.full) < waited && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond) // its reader has not taken them all from the socket
		}
	}
	time.Sleep(maxWaitNanos + 200*time.Millisecond)
	fresh := frame(p.macB, p.macA, 60, 100)
	send(t, p.a, fresh)
	if got := receive(t, p.b); !bytes.Equal(got, fresh) {
		t.Errorf("got a frame that waited, want the fresh one")
	}
	if drops := p.b.ReceiveDrops(); drops != waited {
		t.Errorf("%d drops, want %d", drops, waited)
	}
	exchange(t, p.a, p.b, frame(p.macB, p.macA, 60, 101))
	settle(t, p.b) // a dropped frame that kept its slot would make poll return
}
