package target

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// transferOf is a request for sectors [lba, lba+n).
func transferOf(op Op, lba uint64, n int) *request { return &request{op: op, lba: lba, sectors: n} }

func TestSpansConflict(t *testing.T) {
	read, write, forced := transferOf(OpRead, 10, 4), transferOf(OpWrite, 13, 1), transferOf(OpWriteDurable, 12, 2)
	flush, barrier := transferOf(OpFlush, 0, 0), transferOf(opBarrier, 0, 0)
	for _, tt := range []struct {
		name string
		a, b *request
		want bool
	}{
		{"read and write of one sector", read, write, true},
		{"two reads", read, read, false},
		{"two writes", write, forced, true},
		{"a write behind", read, transferOf(OpWrite, 14, 1), false},
		{"a write before", read, transferOf(OpWrite, 8, 2), false},
		{"a write across", read, transferOf(OpWrite, 0, 31), true},
		{"a flush", flush, write, false},
		{"two flushes", flush, flush, false},
		{"a barrier and a read", barrier, read, true},
		{"a barrier and a write", barrier, write, true},
		{"two barriers", barrier, barrier, true},
		{"a barrier and a flush", barrier, flush, false},
		{"a barrier and the last sector of all", barrier, transferOf(OpRead, 1<<48-1, 1), true},
	} {
		a, b := tt.a.span(), tt.b.span()
		if a.conflicts(&b) != tt.want || b.conflicts(&a) != tt.want {
			t.Errorf("%s: %v and %v, want %v", tt.name, a.conflicts(&b), b.conflicts(&a), tt.want)
		}
	}
}

// randomRequest is one of few sectors, so that many overlap.
func randomRequest(rnd *rand.Rand) *request {
	ops := []Op{OpRead, OpRead, OpWrite, OpWrite, OpWriteDurable, OpFlush, opBarrier}
	return transferOf(ops[rnd.IntN(len(ops))], rnd.Uint64N(24), 1+rnd.IntN(8))
}

// Whatever comes and goes, what may start is what no earlier request that is
// still there conflicts with.
func TestOrderFollowsArrival(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var o order
	var arrived []*request // in order, still there
	running := map[*request]bool{}
	mayRun := func(r *request) bool {
		s := r.span()
		for _, earlier := range arrived {
			if earlier == r {
				break
			}
			if e := earlier.span(); s.conflicts(&e) {
				return false
			}
		}
		return true
	}
	for range 20000 {
		if len(arrived) < 40 && rnd.IntN(2) == 0 {
			r := randomRequest(rnd)
			arrived = append(arrived, r)
			if running[r] = o.enter(r); running[r] != mayRun(r) {
				t.Fatalf("enter says %v, want %v", running[r], mayRun(r))
			}
			continue
		}
		i := slices.IndexFunc(arrived, func(r *request) bool { return running[r] && rnd.IntN(3) == 0 })
		if i < 0 {
			continue
		}
		gone := arrived[i]
		arrived = slices.Delete(arrived, i, i+1)
		delete(running, gone)
		for _, r := range o.leave(gone, nil) {
			if running[r] {
				t.Fatal("leave hands out a request that runs already")
			}
			running[r] = true
		}
		for _, r := range arrived {
			if running[r] != mayRun(r) {
				t.Fatalf("running: %v, want %v", running[r], mayRun(r))
			}
		}
	}
	if len(o.spans) != len(arrived) || o.idle() != (len(arrived) == 0) {
		t.Errorf("%d spans for %d requests", len(o.spans), len(arrived))
	}
}

// Many goroutines at once: every request starts once, and no two that conflict
// run at one time.
func TestOrderAmongGoroutines(t *testing.T) {
	const goroutines, each = 4, 20000
	var o order
	var sectors [64]atomic.Int32 // readers, or 1<<16 for a writer
	var starts sync.Map
	slots, ready := make(chan struct{}, 64), make(chan *request, 64)
	var left atomic.Int32
	left.Store(goroutines * each)
	run := func(r *request) {
		if _, twice := starts.LoadOrStore(r, true); twice {
			t.Error("a request is started twice")
			return
		}
		s := r.span()
		add := int32(1)
		if s.write {
			add = 1 << 16
		}
		last := min(s.end, uint64(len(sectors)))
		for i := s.first; i < last; i++ {
			if now := sectors[i].Add(add); now > 1<<16 || s.write && now != 1<<16 {
				t.Errorf("sector %d is used by %#x", i, now)
			}
		}
		for i := s.first; i < last; i++ {
			sectors[i].Add(-add)
		}
		for _, next := range o.leave(r, nil) {
			ready <- next
		}
		<-slots
		if left.Add(-1) == 0 {
			close(ready)
		}
	}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(g), 0))
			for entered := 0; entered < each; {
				select {
				case slots <- struct{}{}:
					entered++
					if r := randomRequest(rnd); o.enter(r) {
						run(r)
					}
				case r := <-ready:
					run(r)
				}
			}
			for r := range ready {
				run(r)
			}
		})
	}
	wg.Wait()
	if !o.idle() {
		t.Errorf("%d spans are left", len(o.spans))
	}
}

func BenchmarkOrder(b *testing.B) {
	for _, inFlight := range []int{0, 16, 64, 256} {
		b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
			var o order
			for i := range inFlight {
				o.enter(transferOf(OpWrite, uint64(1000+8*i), 8))
			}
			r := transferOf(OpWrite, 0, 8)
			b.ReportAllocs()
			for b.Loop() {
				o.enter(r)
				o.leave(r, nil)
			}
		})
	}
}
