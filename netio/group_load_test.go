package netio

import (
	"sync"
	"sync/atomic"
	"testing"

	"vbladefs/netio/netiotest"
)

// flood sends frames to slots 0 to slots-1 of shelf 1, one after the other, with tags that count up, until
// stop is called. It returns how many were sent.
func flood(t *testing.T, from Link, to [6]byte, slots int) (stop func() uint32) {
	var sent atomic.Uint32
	var ended atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		headers, none := make([][]byte, 16), make([][]byte, 16)
		for !ended.Load() {
			for i := range headers {
				tag := sent.Add(1)
				headers[i] = aoeFrame(to, 1, uint8(int(tag)%slots), tag)
			}
			if _, err := from.Send(headers, none); err != nil {
				t.Error(err)
				return
			}
		}
	})
	return func() uint32 {
		ended.Store(true)
		wg.Wait()
		return sent.Load()
	}
}

// TestGroupTakesEveryFrameOnce opens, starts and closes groups under load: no frame comes to two links, or
// twice, and each link gets its own in order, of which the first may be the first to come.
func TestGroupTakesEveryFrameOnce(t *testing.T) {
	const links, slots = 3, 6
	a, b := netiotest.Pair(t, 1500)
	from, to := openIn(t, a, "eth0", Options{}), lookupIn(t, b, "eth0").MAC
	stop := flood(t, from, to, slots)
	defer stop() // a test that ends early closes the link it sends on
	received := 0
	seen := map[uint32]bool{}
	var g *Group
	for range 15 {
		var err error
		b.Do(func() { g, err = OpenGroup("eth0", links, Options{RingBytes: 256 << 10}) })
		if err != nil {
			t.Fatal(err)
		}
		requireSeveral(t, g, links)
		for slot := range slots {
			if err := g.Steer(1, uint8(slot), slot%links); err != nil {
				t.Fatal(err)
			}
		}
		for i, l := range g.Links() {
			if n := len(drain(t, l)); n != 0 {
				t.Fatalf("link %d has %d frames before Start", i, n)
			}
		}
		if err := g.Start(); err != nil {
			t.Fatal(err)
		}
		last := make([]uint32, links)
		for enough := received + 2000; received < enough; {
			for i, l := range g.Links() {
				for _, f := range drain(t, l) {
					received++
					tag := frameTag(f)
					switch {
					case int(f[18])%links != i:
						t.Fatalf("slot %d came to link %d", f[18], i)
					case seen[tag]:
						t.Fatalf("frame %d came twice", tag)
					case tag <= last[i]:
						t.Fatalf("link %d: frame %d came after %d", i, tag, last[i])
					}
					seen[tag], last[i] = true, tag
				}
			}
		}
		closeGroup(t, g)
	}
	t.Logf("%d of %d frames received", received, stop())
	if received == 0 {
		t.Error("the test has not tested anything")
	}
}

// TestGroupSettles moves addresses to and fro under load: after Settle the old link's ring has all that
// still goes there, so that a reader who reads it first sees every frame in order.
func TestGroupSettles(t *testing.T) {
	r := newGroupRig(t, 2)
	r.start()
	stop := flood(t, r.from, r.to, 1)
	defer stop()
	last, received := uint32(0), 0
	take := func(l Link) {
		for _, f := range drain(t, l) {
			if tag := frameTag(f); tag <= last {
				t.Fatalf("frame %d came after %d", tag, last)
			} else {
				last, received = tag, received+1
			}
		}
	}
	for i := range 30 {
		home, next := r.group.Links()[i%2], r.group.Links()[(i+1)%2]
		for range 10 {
			take(home)
		}
		r.steer(1, 0, (i+1)%2)
		if err := r.group.Settle(); err != nil {
			t.Fatal(err)
		}
		take(home)
		for range 10 {
			take(next)
		}
		if n := len(drain(t, home)); n != 0 {
			t.Fatalf("%d frames came to the old link after Settle", n)
		}
	}
	if received == 0 {
		t.Error("the test has not tested anything")
	}
	t.Logf("%d frames received", received)
}
