package bytesize

import (
	"strings"
	"testing"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "512": 512, "4k": 4096, "4K": 4096, "4KiB": 4096, "4kb": 4096, "16m": 16 << 20, "2g": 2 << 30, "1t": 1 << 40} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "b", "-1", "1.5k", "4x", "4kk", "9999999999999999999", "9000000t"} {
		if v, err := Parse(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: %d, %v; want an error that names it", text, v, err)
		}
	}
	for v, want := range map[int64]string{0: "0", 512: "512", 4096: "4k", 1 << 20: "1m", 1<<20 + 512: "1049088"} {
		if got := Format(v); got != want {
			t.Errorf("%d: %q, want %q", v, got, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"4k", "0", "1t", "-5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err == nil {
			if again, err := Parse(Format(v)); v < 0 || err != nil || again != v {
				t.Fatalf("%q is %d, prints as %q, which is %d (%v)", text, v, Format(v), again, err)
			}
		}
	})
}
