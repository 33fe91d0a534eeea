package engine

import (
	"os"
	"strings"
	"testing"

	"vbladefs/target"
)

// TestFileIsRemoved: a drive whose file was removed goes on, and says so.
func TestFileIsRemoved(t *testing.T) {
	r := newRig(t, "ring", 1)
	path := r.Disk("d", 16, false)
	r.do(target.AddDrive{Name: "d", Path: path})
	if d, _ := r.target.Drive("d"); strings.Contains(d.Note, "removed") {
		t.Errorf("%+v", d)
	}
	if err := os.Remove(r.images[path]); err != nil {
		t.Fatal(err)
	}
	r.do(target.Resize{Drive: "d"})
	if d, _ := r.target.Drive("d"); !strings.Contains(d.Note, "its file was removed") || d.Down != "" || d.Sectors != 16 {
		t.Errorf("%+v", d)
	}
}
