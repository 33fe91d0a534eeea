package main

import (
	"testing"
	"time"

	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// inMemory makes a bench of a fake target in the same goroutine.
func inMemory(t *testing.T, b betrayal, args ...string) (*bench, *fakeTarget) {
	t.Helper()
	target := newFakeTarget(1<<20, b)
	link := &memLink{t: target}
	in, err := initiator.New(link, initiator.Local{MAC: aoe.MAC{2, 0, 0, 0, 0, 1}, MTU: 9000})
	if err != nil {
		t.Fatal(err)
	}
	o, err := parseOptions(append([]string{"-i", "x", "-t", "e3.4", "--warmup", "0s", "--runtime", "100ms"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	// A clock that ticks when it is read: a loaded machine measures nothing in
	// a short time of its own.
	var now time.Duration
	tick := func() time.Duration { now += 100 * time.Microsecond; return now }
	exports, err := in.OpenAll(o.addrs, initiator.Options{Window: o.window, Clock: tick})
	if err != nil {
		t.Fatal(err)
	}
	bench, err := newBench(o, exports, link)
	if err != nil {
		t.Fatal(err)
	}
	return bench, target
}

func TestHonestTargetPasses(t *testing.T) {
	for _, args := range [][]string{
		{"--rw", "randrw"}, {"--rw", "randrw", "--overlap", "--size", "64k"}, {"--rw", "write", "--bs", "64k"},
		{"--rw", "read", "--prepare"}, {"--rw", "randread"}, {"--rw", "randwrite", "--bs", "512", "--depth", "64"},
		{"--rw", "randrw", "--size", "4k"}, // one block: no depth to be had
		{"--rw", "randrw", "--rate", "5000"},
	} {
		b, target := inMemory(t, betrayal{}, append(args, "--verify")...)
		if err := b.phases(); err != nil {
			t.Fatal(err)
		}
		r := b.result()
		if !r.OK || r.Verify.Bad != 0 || r.Verify.Checked == 0 || r.IOs == 0 || r.Loss.Retransmits != 0 {
			t.Errorf("%v: %+v, verify %+v", args, r, r.Verify)
		}
		if kinds[b.o.rw].writes && target.writes == 0 {
			t.Errorf("%v: nothing was written", args)
		}
	}
}

func TestBetrayalsAreSeen(t *testing.T) {
	for name, betrayal := range betrayals {
		for _, rw := range []string{"randrw", "write"} {
			b, _ := inMemory(t, betrayal, "--rw", rw, "--verify")
			if err := b.phases(); err != nil {
				t.Fatal(err)
			}
			r := b.result()
			if r.OK != (name == "honest") {
				t.Errorf("%s, %s: ok is %v, %+v", name, rw, r.OK, r.Verify)
			}
			switch {
			case name == "honest":
			case name == "errors":
				if r.Errors.Total == 0 || r.Errors.ATA == 0 || len(r.Errors.First) == 0 {
					t.Errorf("%s: %+v", name, r.Errors)
				}
			case name == "lost" && r.Verify.Kinds["stale"]+r.Verify.Kinds["lost"] == 0,
				name != "lost" && r.Verify.Kinds[name] == 0:
				t.Errorf("%s, %s: found %v", name, rw, r.Verify.Kinds)
			case r.Verify.Bad == 0 || len(r.Verify.First) == 0:
				t.Errorf("%s, %s: %+v", name, rw, r.Verify)
			}
		}
	}
}

func TestLoadDoesNotAllocate(t *testing.T) {
	for _, args := range [][]string{{"--rw", "randread"}, {"--rw", "randrw", "--verify", "--bs", "16k"}, {"--rw", "write", "--rate", "1000000"}} {
		b, target := inMemory(t, betrayal{}, append(args, "--runtime", "1h")...)
		next := b.load()
		limited := 0
		// A source that ends the loop after some turns, so that it can be run again.
		source := func(now time.Duration) (place, bool, time.Duration, sourceState) {
			if limited--; limited <= 0 {
				return place{}, false, -1, sourceEnd
			}
			return next(now)
		}
		turn := func() {
			limited = 500
			if err := b.run("load", source); err != nil {
				t.Error(err)
			}
		}
		for range 20 {
			turn()
		}
		before := target.requests.Load()
		if n := testing.AllocsPerRun(50, turn); n != 0 {
			t.Errorf("%v: %v allocations per 500 I/Os, want 0", args, n)
		}
		if n := target.requests.Load() - before; n < 1000 {
			t.Errorf("%v: only %d requests", args, n)
		}
	}
}

func TestOverlapIsAvoided(t *testing.T) {
	b, _ := inMemory(t, betrayal{}, "--rw", "randrw", "--size", "64k")
	for i := range b.jobs {
		b.jobs[i].block = 1000
	}
	b.idle = b.idle[:len(b.idle)-2]
	b.jobs[14].block, b.jobs[14].busy, b.jobs[14].io.Op = 3, true, initiator.Read
	b.jobs[15].block, b.jobs[15].busy, b.jobs[15].io.Op = 4, true, initiator.Write
	for _, c := range []struct {
		export      int
		block       uint64
		write, want bool
	}{{0, 3, false, false}, {0, 3, true, true}, {0, 4, false, true}, {0, 4, true, true}, {0, 5, true, false}, {1, 4, true, false}} {
		if got := b.conflicts(place{c.export, c.block}, c.write); got != c.want {
			t.Errorf("block %d, write %v: conflict %v, want %v", c.block, c.write, got, c.want)
		}
	}
}

// Every export is used, each with its own blocks and, in order, its own turn.
func TestExportsShareTheLoad(t *testing.T) {
	for _, rw := range []string{"randread", "write"} {
		o, err := parseOptions([]string{"-i", "x", "-t", "e1-2.0-4", "--rw", rw})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorkload(o, len(o.addrs), 100)
		count := map[int]int{}
		for range 10000 {
			p := w.place()
			if want := uint64(count[p.export] % 100); p.block >= 100 || rw == "write" && p.block != want {
				t.Fatalf("%s: block %d of export %d, want %d", rw, p.block, p.export, want)
			}
			count[p.export]++
		}
		for i := range 10 {
			if n := count[i]; len(count) != 10 || n < 800 || n > 1200 {
				t.Errorf("%s: %d of 10000 I/Os go to export %d of %d", rw, n, i, len(count))
			}
		}
	}
}

func TestSameSeedSameLoad(t *testing.T) {
	pick := func(seed string) []uint64 {
		o, err := parseOptions([]string{"-i", "x", "-t", "0.1", "--rw", "randrw", "--seed", seed})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorkload(o, 1, 1000)
		var list []uint64
		for range 100 {
			n := w.place().block
			if n >= 1000 {
				t.Fatalf("block %d of 1000", n)
			}
			if w.writes() {
				n += 1 << 32
			}
			list = append(list, n)
		}
		return list
	}
	a, b, c := pick("1"), pick("1"), pick("2")
	same, different := true, false
	for i := range a {
		same, different = same && a[i] == b[i], different || a[i] != c[i]
	}
	if !same || !different {
		t.Errorf("seed 1 twice is the same: %v; seed 2 is different: %v", same, different)
	}
}
