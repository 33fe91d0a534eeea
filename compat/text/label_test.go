package text

import (
	"errors"
	"strings"
	"testing"

	"vbladefs/target"
)

func TestLabel(t *testing.T) {
	tests := []struct {
		value, want string
		err         error
	}{
		{"disk 1\n", "disk 1", nil}, {"disk  ", "disk", nil}, {"a\x00b", "a", nil}, {"", "", nil}, {"\n", "", nil},
		{"0123456789", "01234567", nil}, {"a\nb\n", "", target.ErrMalformed}, {"ä", "", target.ErrMalformed},
	}
	for _, tt := range tests {
		if got, err := label("model", tt.value, 8); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%q: got %q, %v; want %q, %v", tt.value, got, err, tt.want, tt.err)
		}
	}
}

func TestParseLabels(t *testing.T) {
	if op, err := ParseModel("d", "my disk\n"); op != (target.SetModel{Drive: "d", Model: "my disk"}) || err != nil {
		t.Errorf("model: got %+v, %v", op, err)
	}
	long := strings.Repeat("x", 50)
	if op, err := ParseModel("d", long); op != (target.SetModel{Drive: "d", Model: long[:40]}) || err != nil {
		t.Errorf("long model: got %+v, %v", op, err)
	}
	if op, err := ParseSerial("d", long); op != (target.SetSerial{Drive: "d", Serial: long[:20]}) || err != nil {
		t.Errorf("long serial number: got %+v, %v", op, err)
	}
	if op, err := ParseModel("d", "a\nb"); op != nil || !errors.Is(err, target.ErrMalformed) {
		t.Errorf("model of two lines: got %+v, %v", op, err)
	}
	if op, err := ParseSerial("d", "\x01"); op != nil || !errors.Is(err, target.ErrMalformed) {
		t.Errorf("serial number with a control character: got %+v, %v", op, err)
	}
}

func TestLabelOfPath(t *testing.T) {
	for path, want := range map[string]string{"/dev/loop1": "/dev/loop1", "/srv/ü": "/srv/??", "/a-rather-long-path/disk": "/a-rather-long-path/", "a\n": "a?", "x  ": "x"} {
		if got := Label(path, 20); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

func FuzzLabel(f *testing.F) {
	for _, value := range []string{"my disk\n", "a\x00b", "a\nb", "\xff", strings.Repeat(" ", 50)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		op, err := ParseSerial("d", value)
		if (op == nil) == (err == nil) || err != nil && !errors.Is(err, target.ErrMalformed) {
			t.Fatalf("%q: operation %+v and error %v", value, op, err)
		}
		if err != nil {
			return
		}
		serial := op.(target.SetSerial).Serial
		if again, err := ParseSerial("d", serial+"\n"); again != op || err != nil || len(serial) > target.MaxSerial {
			t.Errorf("%q: gives %+v, which gives %+v, %v", value, op, again, err)
		}
	})
}
