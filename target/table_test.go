package target

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"vbladefs/target/aoe"
)

// A table against a map, under random changes; older tables stay as they were.
func TestTable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 3))
	random := func() aoe.Addr {
		return aoe.Addr{Shelf: []uint16{0, 1, 31, 32, 1023, 1024, 65534}[rnd.IntN(7)], Slot: []uint8{0, 1, 2, 130, 253, 254}[rnd.IntN(6)]}
	}
	model := map[aoe.Addr]*port{}
	now := &table{}
	for range 2000 {
		a := random()
		old, before := now, now.get(a)
		if rnd.IntN(2) == 0 {
			delete(model, a)
			now = now.with(a, nil)
		} else {
			p := &port{}
			model[a] = p
			now = now.with(a, p)
		}
		if old.get(a) != before {
			t.Fatal("an older table has changed")
		}
		a = random()
		if now.get(a) != model[a] {
			t.Fatalf("%v leads to %p, want %p", a, now.get(a), model[a])
		}
		asked := random()
		if rnd.IntN(2) == 0 {
			asked.Shelf = aoe.AnyShelf
		}
		if rnd.IntN(2) == 0 {
			asked.Slot = aoe.AnySlot
		}
		want, got := map[*port]bool{}, map[*port]bool{}
		for own, p := range model {
			if asked.Matches(own) {
				want[p] = true
			}
		}
		addrs := map[*port]aoe.Addr{}
		for own, p := range model {
			addrs[p] = own
		}
		for from, done := uint32(0), false; !done; { // in pieces
			left := rnd.IntN(5)
			done = now.matching(asked, from, func(p *port) bool {
				number := addrNumber(addrs[p])
				if left == 0 {
					from = number
					return false
				}
				left--
				if !want[p] || got[p] || number < from {
					t.Fatalf("%v brings a port that it does not match, or twice, or out of order", asked)
				}
				got[p] = true
				return true
			})
		}
		if len(got) != len(want) {
			t.Fatalf("%v brings %d ports, want %d", asked, len(got), len(want))
		}
	}
	for a := range model {
		now = now.with(a, nil)
	}
	if *now != (table{}) {
		t.Error("an empty table keeps memory")
	}
}

// Thousands of exports are added in a second: a change may not copy much.
func TestTableChangeCopiesLittle(t *testing.T) {
	const changes = 1000
	var before, after runtime.MemStats
	now, p := &table{}, &port{}
	runtime.ReadMemStats(&before)
	for i := range changes {
		now = now.with(aoe.Addr{Shelf: uint16(i)}, p)
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / changes; each > 3<<10 {
		t.Errorf("a change copies %d bytes", each)
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, exports := range []int{1, 10000} {
		b.Run(fmt.Sprintf("exports=%d", exports), func(b *testing.B) {
			t := &table{}
			for i := range exports {
				t = t.with(aoe.Addr{Shelf: uint16(i / 16), Slot: uint8(i % 16)}, &port{})
			}
			i, found := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				i = (i + 7919) % exports
				if t.get(aoe.Addr{Shelf: uint16(i / 16), Slot: uint8(i % 16)}) != nil {
					found++
				}
			}
			if found != b.N {
				b.Fatalf("%d of %d found", found, b.N)
			}
		})
	}
}
