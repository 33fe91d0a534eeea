package text

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
)

func TestLines(t *testing.T) {
	tests := []struct {
		name, data      string
		lines, commands []Line
	}{
		{"one line", "a b\n", []Line{{"a b", 4}}, []Line{{"a b", 4}}},
		{"no newline", "a b", []Line{{"a b", 3}}, []Line{{"a b", 3}}},
		{"two", "a\nb", []Line{{"a", 2}, {"b", 3}}, []Line{{"a", 2}, {"b", 3}}},
		{"blank between and after", "a\n \nb\n\n", []Line{{"a", 2}, {" ", 4}, {"b", 6}, {"", 7}}, []Line{{"a", 2}, {"b", 7}}},
		{"blank only", "\n\n", []Line{{"", 1}, {"", 2}}, []Line{{"\n\n", 2}}},
		{"nothing", "", nil, []Line{{"", 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Lines(tt.data); !reflect.DeepEqual(got, tt.lines) {
				t.Errorf("Lines: got %v, want %v", got, tt.lines)
			}
			if got := Commands(tt.data); !reflect.DeepEqual(got, tt.commands) {
				t.Errorf("Commands: got %v, want %v", got, tt.commands)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	tests := []struct {
		word string
		want uint64
		err  error
	}{
		{"0", 0, nil}, {"10", 10, nil}, {"0x10", 16, nil}, {"0XfF", 255, nil}, {"010", 8, nil}, {"00", 0, nil},
		{"255", 255, nil}, {"256", 0, target.ErrRange}, {"99999999999999999999", 0, target.ErrRange},
		{"", 0, target.ErrMalformed}, {"-1", 0, target.ErrMalformed}, {"+1", 0, target.ErrMalformed},
		{"1x", 0, target.ErrMalformed}, {"08", 0, target.ErrMalformed}, {"0x", 0, target.ErrMalformed},
		{"0x-1", 0, target.ErrMalformed}, {"1_0", 0, target.ErrMalformed}, {"0b1", 0, target.ErrMalformed},
		{"eth0", 0, target.ErrMalformed}, {" 1", 0, target.ErrMalformed}, {"0_7", 0, target.ErrMalformed},
	}
	for _, tt := range tests {
		got, err := Number("slot", Word{tt.word, 1}, 0, 255)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%q: got %d, %v; want %d, %v", tt.word, got, err, tt.want, tt.err)
		}
	}
}

func TestAddr(t *testing.T) {
	tests := []struct {
		shelf, slot, want string
		err               error
	}{
		{"0", "0", "0.0", nil}, {"65534", "254", "65534.254", nil}, {"0x10", "010", "16.8", nil},
		{"65535", "0", "0.0", target.ErrRange}, {"0", "255", "0.0", target.ErrRange},
	}
	for _, tt := range tests {
		got, err := Addr(Word{tt.shelf, 1}, Word{tt.slot, 9})
		if got.String() != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s %s: got %v, %v; want %s, %v", tt.shelf, tt.slot, got, err, tt.want, tt.err)
		}
	}
}

func TestInterface(t *testing.T) {
	for _, word := range []string{"eth0", "*", "br-lan.7", "abcdefghijklmno"} {
		if got, err := Interface(Word{word, 1}); got != word || err != nil {
			t.Errorf("%q: got %q, %v", word, got, err)
		}
	}
	for _, word := range []string{"", ".", "..", "a/b", "eth0:1", "a b", "a\r", "abcdefghijklmnop", "#x", "#"} {
		if got, err := Interface(Word{word, 1}); got != "" || !errors.Is(err, target.ErrNoInterface) {
			t.Errorf("%q: got %q, %v; want %v", word, got, err, target.ErrNoInterface)
		}
	}
}

func TestPath(t *testing.T) {
	tests := []struct {
		name, word, cwd, want string
		err                   error
	}{
		{"absolute", "/dev//loop0", "/x", "/dev//loop0", nil},
		{"relative", "d/../disk", "/srv", "/srv/disk", nil},
		{"relative without a folder", "disk", "", "", target.ErrMalformed},
		{"unreachable folder", "disk", "(unreachable)/x", "", target.ErrMalformed},
		{"folder with a blank", "disk", "/srv/my disks", "", target.ErrMalformed},
		{"carriage return", "/dev/loop0\r", "/", "", target.ErrMalformed},
		{"too long", "/" + strings.Repeat("x", MaxPath), "/", "", target.ErrTooLong},
	}
	for _, tt := range tests {
		if got, err := Path(Word{tt.word, 1}, tt.cwd); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"/dev/loop0": "/dev/loop0", "a\nb\x7f": "a?b?", "ä": "ä"} {
		if got := Printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, word := range []string{"0", "0x10", "077", "1x", "-1", "18446744073709551616"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		n, err := Number("slot", Word{word, 1}, 0, 254)
		if err == nil && n > 254 || err != nil && n != 0 {
			t.Errorf("%q: got %d, %v", word, n, err)
		}
		if err != nil && !errors.Is(err, target.ErrMalformed) && !errors.Is(err, target.ErrRange) {
			t.Errorf("%q: an error of no known kind: %v", word, err)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add("a\nb")
	f.Add("\n \n")
	f.Fuzz(func(t *testing.T, data string) {
		end := 0
		for _, l := range Lines(data) {
			if l.End <= end || strings.Contains(l.Text, "\n") || data[end:end+len(l.Text)] != l.Text {
				t.Fatalf("%q: line %+v after %d", data, l, end)
			}
			end = l.End
		}
		if end != len(data) {
			t.Fatalf("%q: lines end at %d", data, end)
		}
		if c := Commands(data); c[len(c)-1].End != len(data) {
			t.Fatalf("%q: commands end at %d", data, c[len(c)-1].End)
		}
	})
}
