package main

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	var h histogram
	for i := range 100000 {
		h.add(time.Duration(i) * time.Microsecond)
	}
	h.add(-time.Second) // counts as 0
	for _, p := range []float64{0.001, 0.5, 0.9, 0.99, 0.999} {
		want := p * 100000 * 1000
		if got := float64(h.percentile(p)); got < want-3000 || got > want*1.018 {
			t.Errorf("percentile %v: %v, want %v and at most 1.6 %% more", p, got, want)
		}
	}
	if h.percentile(1) != 99999*time.Microsecond || h.max != 99999*time.Microsecond {
		t.Errorf("maximum %v, percentile 1 %v", h.max, h.percentile(1))
	}
	var none histogram
	if none.percentile(0.5) != 0 || none.mean() != 0 {
		t.Error("an empty histogram has a median")
	}
}

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for _, v := range []uint64{0, 1, 63, 64, 65, 127, 128, 129, 130, 255, 256, 1000, 1 << 20, 1<<20 + 1<<14, 1 << 40, 1<<63 - 1, 1<<64 - 1} {
		i := bucket(v)
		if i < last || upper(i) < v || i > 0 && upper(i-1) >= v {
			t.Errorf("%d is in bucket %d, which ends at %d after %d", v, i, upper(i), last)
		}
		last = i
	}
}

func TestBadFlagsAreNamed(t *testing.T) {
	for _, c := range []struct{ args, names string }{
		{"", "-i"},
		{"-i eth0", "-t"},
		{"-i eth0 -t 5", `"5"`},
		{"-i eth0 -t e0.255", `"e0.255"`},
		{"-i eth0 -t e0.0-255", `"e0.0-255"`},
		{"-i eth0 -t e0.5-2", `"e0.5-2"`},
		{"-i eth0 -t e0.1,", `""`},
		{"-i eth0 -t e0.1,e0.0-3", "e0.1 twice"},
		{"-i eth0 -t e0-9999.0-254", "65536"},
		{"-i eth0 -t e0.0-3 --verify", "run it for each"},
		{"-i eth0 -t e0.0-3 --retransmit linux", "give one"},
		{"-i eth0 -t 0.1 --pid 1,x", `"x"`},
		{"-i eth0 -t 0.1 --pid 0", `"0"`},
		{"-i eth0 -t 0.1 --rw sideways", `"sideways"`},
		{"-i eth0 -t 0.1 --bs 100", "--bs 100"},
		{"-i eth0 -t 0.1 --bs 4x", `"4x"`},
		{"-i eth0 -t 0.1 --bs 1g", "--bs 1073741824"},
		{"-i eth0 -t 0.1 --depth 0", "--depth 0"},
		{"-i eth0 -t 0.1 --depth 100000", "--depth 100000"},
		{"-i eth0 -t 0.1 --runtime 5", `"5"`},
		{"-i eth0 -t 0.1 --runtime 0s", "--runtime"},
		{"-i eth0 -t 0.1 --rate -1", "--rate -1"},
		{"-i eth0 -t 0.1 --rate NaN", "--rate NaN"},
		{"-i eth0 -t 0.1 --link fibre", `"fibre"`},
		{"-i eth0 -t 0.1 --retransmit often", `"often"`},
		{"-i eth0 -t 0.1 --prepare", "--verify"},
		{"-i eth0 -t 0.1 more", `"more"`},
		{"-i eth0 -t 0.1 --fast", "fast"},
	} {
		_, err := parseOptions(strings.Fields(c.args))
		if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%q: %v; want a usage error that names %s", c.args, err, c.names)
		}
	}
}

func TestUsageNamesEveryFlag(t *testing.T) {
	var help strings.Builder
	if status := run([]string{"--help"}, &help, io.Discard); status != 0 || help.String() != usage {
		t.Errorf("--help: status %d, %q", status, help.String())
	}
	var retransmit string
	new(options).flags(&retransmit).VisitAll(func(f *flag.Flag) {
		if !strings.Contains(usage, "-"+f.Name+" ") {
			t.Errorf("--help does not explain %s", f.Name)
		}
	})
}
