package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestArchiveUnpacks(t *testing.T) {
	need(t)
	var buffer bytes.Buffer
	a := newArchive(&buffer)
	a.file("/a/b/odd", 0o755, []byte("12345"))
	a.file("/a/b/odd", 0o644, []byte("a second one is not added"))
	a.file("/a/empty", 0o600, nil)
	a.symlink("/a/link", "b/odd")
	a.dir("/d")
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("busybox", "cpio", "-i")
	cmd.Dir, cmd.Stdin = dir, &buffer
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "a/link")); err != nil || string(content) != "12345" {
		t.Errorf("through the link: %q, %v", content, err)
	}
	for name, mode := range map[string]os.FileMode{
		"a": os.ModeDir | 0o755, "a/b/odd": 0o755, "a/empty": 0o600, "d": os.ModeDir | 0o755,
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
