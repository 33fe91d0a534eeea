package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/compat/native"
)

// TestSeal edits what a daemon saved in every place, and finds that out.
func TestSeal(t *testing.T) {
	text := native.Header + "\nvblade/drives add do /dev/loop2\n# end 1\n"
	file := seal([]byte(text))
	if got, sealed := unseal(file); string(got) != text || !sealed {
		t.Errorf("%q, %v of what was sealed", got, sealed)
	}
	for i := range file {
		edited := []byte(string(file))
		edited[i] ^= 1
		if got, sealed := unseal(edited); sealed || string(got) != string(edited) {
			t.Errorf("%q is sealed still", edited)
		}
	}
	for _, s := range []string{"", "\n", sealStart, sealStart + "\n", sealStart + "00000000", sealStart + "00000001\n", text, text + string(file)} {
		if got, sealed := unseal([]byte(s)); sealed || string(got) != s {
			t.Errorf("%q: %q, %v", s, got, sealed)
		}
	}
}

// TestSealed has a state saved, and edited as an administrator would.
func TestSealed(t *testing.T) {
	dir := t.TempDir()
	for _, try := range []struct {
		name   string
		edit   func(string) string
		sealed bool
	}{
		{"as it was saved", func(s string) string { return s }, true},
		{"edited", func(s string) string { return strings.Replace(s, "# end", "# a remark\n# end", 1) }, false},
		{"without its seal", func(s string) string { s, _, _ = strings.Cut(s, sealStart); return s }, false},
	} {
		t.Run(try.name, func(t *testing.T) {
			k := open(t, dir, quiet())
			k.Start(func() []byte { return numbered(7) })
			if err := k.Save(); err != nil {
				t.Fatal(err)
			}
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, fileName)
			saved, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(try.edit(string(saved))), 0o600); err != nil {
				t.Fatal(err)
			}
			if k := open(t, dir, quiet()); k.Sealed() != try.sealed {
				t.Errorf("sealed: %v", k.Sealed())
			}
		})
	}
}
