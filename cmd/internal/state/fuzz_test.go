package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
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
	for _, seed := range [][]byte{nil, {}, []byte(Header), []byte(Header + "\n"), []byte(Header + "\r\n"),
		[]byte("# vbladefs state 2\n"), []byte("\x00\x00"), numbered(1)[:100]} {
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
			if !bytes.Equal(k.Loaded(), text) || CheckHeader(text) != nil {
				t.Errorf("loaded %q of %q", k.Loaded(), text)
			}
			if err := k.Close(); err != nil {
				t.Error(err)
			}
		case CheckHeader(text) == nil:
			t.Errorf("%q is refused: %v", text, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, text) {
			t.Errorf("the file has %q now (%v), not %q", after, err, text)
		}
	})
}
