package plan

import (
	"path"
	"reflect"
	"strings"
	"testing"
)

func TestPorts(t *testing.T) {
	for _, tt := range []struct {
		interfaces string
		want       []string
	}{
		{"eth0", []string{"eth0"}},
		{"eth0 eth1 eth0", []string{"eth0", "eth1"}},
		{"eth0,eth1", []string{"eth0", "eth1"}},
		{"eth*", []string{"eth*"}},
		{"eth0 wlan0 eth* br?", []string{"wlan0", "eth*,br?"}},
		{"eth0 * br?", []string{"*"}},
		{"* lo eth0", []string{"*,lo"}},
		{"l* lo", []string{"l*"}},
		{", ", nil},
		{"", nil},
	} {
		e := Export{Interfaces: strings.Fields(tt.interfaces)}
		if got := e.ports(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.interfaces, got, tt.want)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"eth0", "eth0", true}, {"eth0", "eth1", false}, {"eth*", "eth0", true}, {"eth*", "br0", false},
		{"eth*,br0", "br0", true}, {"*", "eth0", true}, {"*", "eth?", true}, {"eth?", "eth10", false},
	} {
		if overlap(tt.a, tt.b) != tt.want || overlap(tt.b, tt.a) != tt.want {
			t.Errorf("%s and %s: want %v", tt.a, tt.b, tt.want)
		}
	}
}

func TestPlainInterface(t *testing.T) {
	for name, want := range map[string]bool{"eth0": true, "br0.5": true, strings.Repeat("a", 127): true, "-": true,
		"": false, "*": false, "eth?": false, "a,b": false, "a b": false, "a/b": false, "a:b": false, "a\n": false, "#a": false, "a#": true,
		strings.Repeat("a", 128): false} {
		if PlainInterface(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}

// FuzzMatches: patterns of * and ? match as path.Match has it.
func FuzzMatches(f *testing.F) {
	for _, seed := range [][2]string{{"eth*", "eth0"}, {"*h*0", "eth10"}, {"??", "a"}, {"a*b*c", "abbc"}, {"", ""}, {"*", ""}, {"a", "ab"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if strings.ContainsAny(pattern, `[\`) || strings.ContainsRune(name, '/') || strings.ContainsFunc(pattern+name, func(c rune) bool { return c > 0x7f }) {
			return // path.Match has more to say of these
		}
		if want, _ := path.Match(pattern, name); matches(pattern, name) != want {
			t.Errorf("%q, %q: want %v", pattern, name, want)
		}
	})
}
