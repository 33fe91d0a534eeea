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

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "512": 512, "4k": 4096, "4K": 4096, "4KiB": 4096, "4kb": 4096, "16m": 16 << 20, "2g": 2 << 30, "1t": 1 << 40} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "b", "-1", "1.5k", "4x", "4kk", "9999999999999999999", "9000000t"} {
		if v, err := parseSize(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %d, %v; want an error that names it", text, v, err)
		}
	}
	for v, want := range map[int64]string{0: "0", 512: "512", 4096: "4k", 1 << 20: "1m", 1<<20 + 512: "1049088"} {
		if got := formatSize(v); got != want {
			t.Errorf("%d: %q, want %q", v, got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"4k", "0", "1t", "-5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parseSize(text)
		if err == nil {
			if again, err := parseSize(formatSize(v)); v < 0 || err != nil || again != v {
				t.Fatalf("%q is %d, prints as %q, which is %d (%v)", text, v, formatSize(v), again, err)
			}
		}
	})
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
		{"-i eth0 -t 0.1 --link xdp", `"xdp"`},
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
