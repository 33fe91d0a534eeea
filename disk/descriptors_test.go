package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that opens stores until it may open no more can go on working.
func TestStoresLeaveDescriptors(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	few := old
	few.Cur = min(old.Cur, 200)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, make([]byte, SectorBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		s, err := Open(path, Options{Policy: Writeback, Force: true})
		if err != nil {
			if !errors.Is(err, unix.EMFILE) || n < 50 {
				t.Errorf("store %d: %v", n, err)
			}
			break
		}
		defer s.Close()
	}
	f, err := os.Open(path)
	if err != nil {
		t.Errorf("nothing is left to others: %v", err)
	}
	_ = f.Close()
}
