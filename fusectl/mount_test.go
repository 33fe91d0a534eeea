package fusectl

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestMountPoint(t *testing.T) {
	needFUSE(t)
	base := t.TempDir()
	there := filepath.Join(base, "there")
	if err := os.Mkdir(there, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("there", filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, dir string
		keep      string // what must be there afterwards
		gone      string // and what must not
	}{
		{"a new folder", "new", "there", "new"},
		{"new folders", "a/b c/d", "there", "a"},
		{"an old folder", "there", "there", "there/README"},
		{"a link", "link", "link", "link/README"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := tryStart(filepath.Join(base, tt.dir))
			if err != nil {
				t.Fatal(err)
			}
			if got := d.sh(t, "head -n 1 README"); !strings.HasPrefix(got, "vbladefs exports") {
				t.Errorf("README: %q", got)
			}
			if err := d.stop(); err != nil {
				t.Error(err)
			}
			if !exists(filepath.Join(base, tt.keep)) || exists(filepath.Join(base, tt.gone)) {
				t.Errorf("afterwards: want %s, and no %s", tt.keep, tt.gone)
			}
		})
	}
}

func TestMountRefused(t *testing.T) {
	needFUSE(t)
	base := t.TempDir()
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	living := start(t, filepath.Join(base, "living"))
	tests := []struct{ name, dir, want string }{
		{"a file", file, "not a directory"},
		{"below a file", file + "/x", "not a directory"},
		{"a living tree", living.dir, "a running vbladefs serves it"},
		{"in a living tree", living.dir + "/x", "operation not permitted"},
		{"a folder with something in it", base, "it holds file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := tryStart(tt.dir)
			if err == nil {
				d.stop()
				t.Fatal("it was mounted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if got := living.sh(t, "cat vblade/drives && ls"); got != "README\naoeserver\ninterfaces\nkvblade\nlog\nrestore\nsaved\ntargets\nvblade\n" {
		t.Errorf("the living tree has suffered: %q", got)
	}
}

// TestMountOverDead kills daemons: the next one takes their place.
func TestMountOverDead(t *testing.T) {
	needFUSE(t)
	base := t.TempDir()
	dir, link := filepath.Join(base, "my tree"), filepath.Join(base, "link")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("my tree", link); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{dir, link} {
		d, err := tryStart(at)
		if err != nil {
			t.Fatal(err)
		}
		d.kill()
		time.Sleep(2 * glance)
		if _, err := os.Stat(dir); !errors.Is(err, unix.ENOTCONN) {
			t.Errorf("after the kill: %v", err)
		}
	}
	start(t, dir)
	if got, err := os.ReadFile(filepath.Join(dir, "vblade/drives")); len(got) > 0 || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestUnmountInUse stops the daemon while someone works in the tree.
func TestUnmountInUse(t *testing.T) {
	d := mounted(t)
	cmd := exec.Command("cat") // until its input ends
	cmd.Dir = filepath.Join(d.dir, "kvblade")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	if exists(d.dir) {
		t.Errorf("%s is still there", d.dir)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestUnmountedByHand has the daemon end when its tree is taken away.
func TestUnmountedByHand(t *testing.T) {
	d := mounted(t)
	if err := unix.Unmount(d.dir, 0); err != nil {
		t.Fatal(err)
	}
	err := d.cmd.Wait()
	d.cmd = nil
	if err != nil || exists(d.dir) {
		t.Errorf("it ended with %v, and left %s: %v", err, d.dir, exists(d.dir))
	}
}

func TestParseMountInfo(t *testing.T) {
	tests := []struct {
		line, point, kind string
		ok                bool
	}{
		{`36 35 98:0 / /run/my\040tree rw,noatime shared:1 - fuse.vbladefs vbladefs rw`, "/run/my tree", "fuse.vbladefs", true},
		{`36 35 98:0 / /a\134b rw - ext4 /dev/sda rw`, `/a\b`, "ext4", true},
		{`36 35 98:0 / /a\9 rw master:1 propagate_from:2 - ext4 x rw`, `/a\9`, "ext4", true},
		{"36 35 98:0 / /x", "", "", false},
		{"", "", "", false},
	}
	for _, tt := range tests {
		if point, kind, ok := parseMountInfo(tt.line); point != tt.point || kind != tt.kind || ok != tt.ok {
			t.Errorf("%q: got %q, %q, %v", tt.line, point, kind, ok)
		}
	}
}

func FuzzParseMountInfo(f *testing.F) {
	f.Add(`36 35 98:0 / /run/my\040tree rw shared:1 - fuse.vbladefs vbladefs rw`)
	f.Add(`1 2 3 / \777\04 rw - x`)
	f.Fuzz(func(t *testing.T, line string) {
		if point, kind, ok := parseMountInfo(line); ok == (kind == "") || !ok && point != "" {
			t.Errorf("%q: got %q, %q, %v", line, point, kind, ok)
		}
	})
}
