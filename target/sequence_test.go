package target

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A sequence does what a slice does, whatever is added and removed in whatever
// order, also by who iterates over it.
func TestSequenceIsASlice(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	type item struct {
		number int
		at     place[*item]
	}
	var s sequence[*item]
	var want []*item
	for n := range 2000 {
		switch k := random.IntN(4); {
		case k < 2:
			i := &item{number: n}
			s.add(&i.at, i)
			want = append(want, i)
		case len(want) > 0 && k == 2:
			i := random.IntN(len(want))
			s.remove(&want[i].at)
			s.remove(&want[i].at) // is not there any more
			want = slices.Delete(want, i, i+1)
		case n%50 == 0:
			odd := func(i *item) bool { return i.number%2 == 1 }
			for i := range s.all {
				if odd(i) {
					s.remove(&i.at)
				}
			}
			want = slices.DeleteFunc(want, odd)
		}
		if got := slices.Collect(s.all); !slices.Equal(got, want) || s.length != len(want) {
			t.Fatalf("step %d: %d values of length %d, want %d", n, len(got), s.length, len(want))
		}
	}
}
