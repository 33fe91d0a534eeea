package main

import (
	"math"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 100}, 3}, {[]float64{1, 2}, 1.5}} {
		before := append([]float64(nil), c.values...)
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: %v, want %v", c.values, got, c.want)
		}
		for i := range before {
			if c.values[i] != before[i] {
				t.Errorf("median has sorted %v", before)
			}
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
}

// The ratio is that of the medians; the spread is of single rounds, whatever
// order they were measured in.
func TestCompareOne(t *testing.T) {
	all := []measurement{
		{Row: "r", Contender: "them", Round: 1, IOPS: 100}, {Row: "r", Contender: ours, Round: 1, IOPS: 150},
		{Row: "r", Contender: ours, Round: 2, IOPS: 300}, {Row: "r", Contender: "them", Round: 2, IOPS: 100},
		{Row: "r", Contender: "them", Round: 3, IOPS: 200}, {Row: "r", Contender: ours, Round: 3, IOPS: 100},
		{Row: "other", Contender: ours, Round: 1, IOPS: 1}, {Row: "r", Contender: "peer", Round: 1, IOPS: 1},
	}
	c := compareOne(all, "r", iops, pair{ours, "them"})
	if c.Ours != 150 || c.Theirs != 100 || c.Ratio != 1.5 || c.Min != 0.5 || c.Max != 3 {
		t.Errorf("%+v", c)
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		figure     figure
		ratio      float64
		reach, aim bool
	}{{iops, 1.29, false, false}, {iops, 1.3, true, false}, {iops, 1.6, true, true}, {cpu, 1.6, false, false}, {cpu, 1.4, false, true}, {p99, 1.3, true, true}} {
		comparison := comparison{Figure: c.figure, Ratio: c.ratio}
		comparison.judge(goal{figure: c.figure, reach: 1.3, aim: 1.5})
		if comparison.Reach.Met != c.reach || comparison.Aim.Met != c.aim {
			t.Errorf("%s %v: reach %v, aim %v", c.figure, c.ratio, comparison.Reach.Met, comparison.Aim.Met)
		}
	}
	var none comparison
	none.judge(goal{reach: 2})
	if none.Reach == nil || none.Aim != nil {
		t.Errorf("a goal without an aim: %+v", none)
	}
}

func TestGrew(t *testing.T) {
	samples := func(mib ...int64) (list []sample) {
		for _, m := range mib {
			list = append(list, sample{footprint: footprint{RSS: m << 20, Heap: 1 << 20}})
		}
		return list
	}
	for _, c := range []struct {
		samples []sample
		want    bool
	}{
		{samples(), false}, {samples(10), false}, {samples(10, 10, 11, 11, 10, 11), false}, {samples(10, 30, 12, 11, 10, 10), false},
		{samples(10, 11, 12, 13, 14, 15), true}, {samples(100, 101, 102, 103, 104, 105), false}, {samples(10, 20, 30), true},
	} {
		if got := grew(c.samples); got != c.want {
			t.Errorf("%+v: grew %v, want %v", c.samples, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	r := report{Comparisons: []comparison{
		{Row: "reads", Figure: iops, Subject: ours, Base: "vblade", Theirs: 247123, Ours: 330456, Ratio: 1.337, Min: 1.3, Max: 1.4,
			Reach: &limit{1.3, true}, Aim: &limit{1.5, false}},
		{Row: "reads", Figure: p50, Subject: ours, Base: "vblade", Theirs: 30.04, Ours: 5.678, Ratio: 0.189, Min: 0.1, Max: 0.2},
		{Row: "many", Figure: cpu, Subject: "one file", Base: "1 export", Theirs: 3, Ours: 3, Ratio: 1, Min: 1, Max: 1, Reach: &limit{0.9, false}},
	}}
	var b strings.Builder
	writeTable(&b, r.rows())
	want := `       figure  against              theirs    ours  ratio  spread     reach           aim
reads  IOPS    vblade               247123  330456   1.34  1.30-1.40  ≥ 1.30 met      ≥ 1.50 not met
       p50 µs  vblade                 30.0    5.68   0.19  0.10-0.20
many   CPU µs  one file / 1 export    3.00    3.00   1.00  1.00-1.00  ≤ 0.90 not met
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestInArena(t *testing.T) {
	var arena uint64
	for _, c := range []struct {
		line string
		heap bool
	}{
		{"00806000-00818000 rw-p 00406000 fe:00 9995362    /bin/x", false},
		{"00818000-0084f000 rw-p 00000000 00:00 0 ", false},
		{"1171c000000-1171d000000 ---p 00000000 00:00 0 ", true},
		{"1171d000000-1171d800000 rw-p 00000000 00:00 0 ", true},
		{"7f2c83000000-7f2c83020000 rw-p 00000000 00:00 0 ", false},
		{"7f2c84000000-7f2c84020000 rw-s 00000000 00:09 27 socket:[27]", false},
		{"7f2c90000000-7f2c90400000 rw-p 00000000 00:00 0 [anon: Go: heap]", true},
	} {
		var heap bool
		if arena, heap = inArena(c.line, arena); heap != c.heap {
			t.Errorf("%q: heap %v, want %v", c.line, heap, c.heap)
		}
	}
}
