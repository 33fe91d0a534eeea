package plan

import (
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
)

func TestDriveNames(t *testing.T) {
	long := strings.Repeat("x", target.MaxDriveName)
	for _, tt := range []struct{ names, want []string }{
		{nil, []string{}},
		{[]string{"do", "loop2", "a_b-c.d", "..."}, []string{"do", "loop2", "a_b-c.d", "..."}},
		{[]string{"drives", "stats", ".", "..", ""}, []string{"drives-befcec", "stats-11d223", ".-a74ecd", "..-ad2a42", "-7daed4"}},
		{[]string{"a b", "a/b", "a_b"}, []string{"a_b-2e5dfb", "a_b-665768", "a_b"}},
		{[]string{long, long + "x", "naïve"}, []string{long, long[:24] + "-01a3a2", "na_ve-7d65aa"}},
		{[]string{"one", "one", "one"}, []string{"one", "one-75d42b", "one-dd9822"}},
	} {
		if got := DriveNames(tt.names); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.names, got, tt.want)
		}
	}
}

// FuzzDriveNames: names are valid, different, and the same in company, unless it
// wants the very name.
func FuzzDriveNames(f *testing.F) {
	f.Add("a b", "a b-1")
	f.Add("", "drives")
	f.Fuzz(func(t *testing.T, a, b string) {
		both := DriveNames([]string{a, b, a})
		if !driveName(both[0]) || !driveName(both[1]) || !driveName(both[2]) || both[0] == both[1] || both[0] == both[2] || both[1] == both[2] {
			t.Fatalf("%q and %q: %q", a, b, both)
		}
		if alone := DriveNames([]string{a})[0]; alone != both[0] && alone != both[1] {
			t.Errorf("%q: %q alone, beside %q it is %q", a, alone, b, both[0])
		}
	})
}
