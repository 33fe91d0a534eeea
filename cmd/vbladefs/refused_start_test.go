package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// A daemon that is refused its directory leaves no folder for a state behind, nor
// touches what is there.
func TestRefusedLeavesNoState(t *testing.T) {
	t.Parallel()
	ns := netiotest.New(t)
	first := serve(t, ns)
	parent := t.TempDir()
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{first.dir, parent, file, filepath.Join(file, "below")} {
		state := filepath.Join(t.TempDir(), "state")
		refused := start(t, ns, "serve", "-state", state, dir)
		if code := refused.exitCode(); code != 1 || !strings.Contains(refused.stderr.String(), "mount point") {
			t.Errorf("%s: exit code %d:\n%s", dir, code, refused.stderr)
		}
		if _, err := os.Lstat(state); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder of the state is there: %v", dir, err)
		}
	}
	first.check()
}

// A daemon that is refused its state leaves no directory behind.
func TestRefusedLeavesNoDirectory(t *testing.T) {
	t.Parallel()
	state, dir := t.TempDir(), filepath.Join(t.TempDir(), "a", "b")
	if err := os.WriteFile(filepath.Join(state, "state"), []byte("nothing of ours\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := start(t, netiotest.New(t), "serve", "-state", state, dir)
	if code := refused.exitCode(); code != 1 || !strings.Contains(refused.stderr.String(), "state:1:1:") {
		t.Errorf("exit code %d:\n%s", code, refused.stderr)
	}
	if _, err := os.Lstat(filepath.Dir(dir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}
