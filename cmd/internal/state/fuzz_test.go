package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vbladefs/compat/native"
)

func isErr(err, want error) bool { return errors.Is(err, want) }

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// Whatever the file has, it is taken as it is or refused, and never changed.
func FuzzLoad(f *testing.F) {
	for _, seed := range [][]byte{nil, {}, []byte(native.Header), []byte(native.Header + "\n# end 0\n"), []byte(native.Header + "\r\n"),
		[]byte("# vbladefs state 1\n"), []byte("\x00\x00"), numbered(1)[:100]} {
		f.Add(seed)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, fileName)
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Open(dir, quiet())
		switch {
		case err == nil:
			if !bytes.Equal(k.Loaded(), text) || !whole(text) {
				t.Errorf("loaded %q of %q", k.Loaded(), text)
			}
			if err := k.Close(); err != nil {
				t.Error(err)
			}
		case whole(text):
			t.Errorf("%q is refused: %v", text, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, text) {
			t.Errorf("the file has %q now (%v), not %q", after, err, text)
		}
	})
}

func whole(text []byte) bool {
	_, err := native.CheckForm(text)
	return err == nil
}
