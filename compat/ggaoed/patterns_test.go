package ggaoed

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCovers holds covers to the standard library's match of a name.
func TestCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50000 {
		pattern, name := word(r, "ab*?", 6), word(r, "ab", 6)
		want, err := filepath.Match(pattern, name)
		if err != nil || covers(pattern, name) != want {
			t.Fatalf("%q covers %q: got %t, want %t, %v", pattern, name, !want, want, err)
		}
	}
}

// TestCommon: a name matches what two lists have in common if it matches both.
func TestCommon(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var some, none, full int
	for range 3000 {
		a, b := []string{word(r, "ab*?", 5), word(r, "ab*?", 5)}, []string{word(r, "ab*?", 5)}
		both, ok := common(a, b)
		if !ok {
			full++
			continue
		}
		for range 100 {
			name := word(r, "ab", 6)
			want := matchesAny(a, name) && matchesAny(b, name)
			if got := matchesAny(both, name); got != want {
				t.Fatalf("%q and %q: %q: %q matches: got %t, want %t", a, b, both, name, got, want)
			} else if got {
				some++
			} else {
				none++
			}
		}
	}
	if some < 1000 || none < 1000 || full > 10 {
		t.Errorf("%d names match, %d do not, %d lists were too many: the test tests little", some, none, full)
	}
}

func TestCommonLists(t *testing.T) {
	tests := []struct{ a, b, want []string }{
		{nil, []string{"eth*"}, []string{"eth*"}},
		{[]string{"eth*"}, nil, []string{"eth*"}},
		{[]string{"eth*"}, []string{"eth1", "san0"}, []string{"eth1"}},
		{[]string{"*"}, []string{"eth?", "eth0"}, []string{"eth?"}},
		{[]string{"eth*"}, []string{"*0"}, []string{"eth*0"}},
		{[]string{"eth*"}, []string{"wlan*"}, nil},
		{[]string{"abcdefgh*"}, []string{"*12345678"}, nil}, // longer than any name
		{[]string{"*ab"}, []string{"a*"}, []string{"ab", "a*ab"}},
	}
	for _, tt := range tests {
		if got, ok := common(tt.a, tt.b); !ok || !slices.Equal(got, tt.want) {
			t.Errorf("%q and %q: got %q, %t; want %q", tt.a, tt.b, got, ok, tt.want)
		}
	}
}

// TestCommonEnds: patterns that have too much in common are refused in bounded time.
func TestCommonEnds(t *testing.T) {
	a, b := strings.Repeat("*a", 15), strings.Repeat("*b", 15)
	if list, ok := common([]string{a + "*"}, []string{a + "*"}); !ok || !slices.Equal(list, []string{a + "*"}) {
		t.Errorf("a pattern and itself: got %q, %t", list, ok)
	}
	c, d := strings.Repeat("*a", 7)+"*", strings.Repeat("*b", 7)+"*"
	if list, ok := common([]string{c}, []string{d}); ok {
		t.Errorf("got %d patterns", len(list))
	}
	if list, ok := common([]string{a}, []string{b}); ok && len(list) > 0 {
		t.Errorf("no name ends in both: got %q", list)
	}
}

func matchesAny(list []string, name string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return covers(p, name) })
}

func word(r *rand.Rand, letters string, most int) string {
	b := make([]byte, 1+r.IntN(most))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}
