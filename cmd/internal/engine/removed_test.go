package engine

import (
	"os"
	"strings"
	"testing"

	"github.com/sirupsen/logrus/hooks/test"

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
	r.do(target.AddDrive{Name: "other", Path: path})
	said := test.NewLocal(r.log)
	if err := os.Remove(r.images[path]); err != nil {
		t.Fatal(err)
	}
	r.do(target.Resize{Drive: "d"})
	if d, _ := r.target.Drive("d"); !strings.Contains(d.Note, "its file was removed") || d.Down != "" || d.Sectors != 16 {
		t.Errorf("%+v", d)
	}
	var log []string
	for _, e := range said.AllEntries() {
		log = append(log, e.Message)
	}
	if len(log) != 2 || !strings.HasPrefix(log[0], "drive d, "+path+": its file was removed") || !strings.HasPrefix(log[1], "drive other, "+path+": its file was removed") {
		t.Errorf("the log names not both drives: %q", log)
	}
}

// TestFileIsMoved: a drive whose path leads to nothing, or to another file, goes
// on with the file that it has, and says so.
func TestFileIsMoved(t *testing.T) {
	r := newRig(t, "ring", 1)
	path := r.Disk("d", 16, false)
	image := r.images[path]
	r.do(target.AddDrive{Name: "d", Path: path})
	note := func(want string) {
		t.Helper()
		r.do(target.Resize{Drive: "d"})
		d, _ := r.target.Drive("d")
		if has := strings.Contains(d.Note, want); !has || want == "" && strings.Contains(d.Note, "its ") || d.Down != "" || d.Sectors != 16 {
			t.Errorf("%+v, want a note %q", d, want)
		}
	}
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	note("")
	rename(image, image+".old")
	note("its file is not at its path any more")
	if err := os.WriteFile(image, make([]byte, 16*512), 0o600); err != nil {
		t.Fatal(err)
	}
	note("its path leads to another file now")
	rename(image+".old", image)
	note("")
}
