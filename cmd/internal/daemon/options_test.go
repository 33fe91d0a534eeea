package daemon

import (
	"slices"
	"strings"
	"testing"
)

// FuzzTakeOwn: of any command line our options are taken out and no other, in
// whatever order they stand; what is behind -- stays.
func FuzzTakeOwn(f *testing.F) {
	for _, line := range []string{"--mount /x -a", "--link=raw --io sync 0 1 eth0 /dev/x", "--force -- --force", "--mount", "--link tape", "--mount=", "--mount -- x"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		o, rest, err := TakeOwn(slices.Clone(words))
		if err != nil {
			return
		}
		before, _, _ := strings.Cut(" "+strings.Join(rest, " ")+" ", " -- ")
		for _, own := range []string{"--mount", "--force", "--link", "--io"} {
			if strings.Contains(before, " "+own+" ") || strings.Contains(before, " "+own+"=") && own != "--force" {
				t.Errorf("%q: %s is left in %q", line, own, rest)
			}
		}
		again, left, err := TakeOwn(rest)
		if err != nil || again != (Own{}) || !slices.Equal(left, rest) {
			t.Errorf("%q: of %q, %+v is taken again, %v", line, rest, again, err)
		}
		if err := o.check(); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	})
}
