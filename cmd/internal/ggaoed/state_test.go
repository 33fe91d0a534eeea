package ggaoed

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/compat/ggaoed"
	"vbladefs/compat/plan"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// blades are what an engine would show.
type blades struct {
	mu  sync.Mutex
	all map[aoe.Addr]target.BladeInfo
}

func (b *blades) set(info target.BladeInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[info.Addr] = info
}

func (b *blades) remove(a aoe.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, a)
}

func (b *blades) blade(a aoe.Addr) (target.BladeInfo, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	info, there := b.all[a]
	return info, there
}

// folder is a state folder that saves what blades show.
type folder struct {
	*stateFolder
	blades
	t    *testing.T
	path string
}

func inFolder(t *testing.T, path string) *folder {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	s, err := openState(path, log)
	if err != nil {
		t.Fatal(err)
	}
	f := &folder{stateFolder: s, t: t, path: path, blades: blades{all: map[aoe.Addr]target.BladeInfo{}}}
	s.begin(f.blades.blade)
	return f
}

// changed waits until a change is durable, and returns the error if it is not.
func (f *folder) changed() error {
	f.t.Helper()
	done := make(chan error, 1)
	f.Changed(func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		f.t.Fatal("nobody says that the change is durable")
		return nil
	}
}

func (f *folder) end() {
	f.t.Helper()
	if err := f.close(); err != nil {
		f.t.Error(err)
	}
}

var disk = plan.Export{Name: "disk", Drive: "disk", Addr: aoe.Addr{Shelf: 1, Slot: 2}}

// info is what an initiator may have made of disk.
func info(config string, masks ...aoe.MAC) target.BladeInfo {
	return target.BladeInfo{Addr: disk.Addr, Drive: disk.Drive, Config: []byte(config), Masks: masks}
}

var host = aoe.MAC{2, 0, 0, 0, 0, 9}

func (f *folder) wantKept(want target.BladeInfo) {
	f.t.Helper()
	another, err := openState(f.path, f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	got, err := another.load(disk)
	if err := another.close(); err != nil {
		f.t.Error(err)
	}
	if err != nil || string(got.Config) != string(want.Config) || !slices.Equal(got.Masks, want.Masks) || !slices.Equal(got.Reserve, want.Reserve) {
		f.t.Errorf("kept are %q %v %v, %v; want %q %v %v", got.Config, got.Masks, got.Reserve, err, want.Config, want.Masks, want.Reserve)
	}
}

// TestStateCrashes has a folder as a crash leaves it at each step of a save.
func TestStateCrashes(t *testing.T) {
	old, new := ggaoed.ConfigFile([]byte("old")), ggaoed.ConfigFile([]byte("new"))
	for name, c := range map[string]struct {
		files map[string][]byte
		want  string
	}{
		"nothing yet":          {nil, ""},
		"made, not filled":     {map[string][]byte{"disk.config": {}}, ""},
		"the new one is begun": {map[string][]byte{"disk.config": old, "disk.config.new": {}}, "old"},
		"half of it is there":  {map[string][]byte{"disk.config": old, "disk.config.new": new[:500]}, "old"},
		"it is whole":          {map[string][]byte{"disk.config": old, "disk.config.new": new}, "old"},
		"it is in place":       {map[string][]byte{"disk.config": new}, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			f := inFolder(t, t.TempDir())
			for file, data := range c.files {
				if err := os.WriteFile(filepath.Join(f.path, file), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f.wantKept(info(c.want))
			f.set(info("newer", host))
			f.follow(plan.Plan{Exports: []plan.Export{disk}})
			f.end()
			f = inFolder(t, f.path)
			f.wantKept(info("newer", host))
			f.end()
			if left, _ := filepath.Glob(f.path + "/*.new"); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

// TestStateFiles reads files that another daemon has left, or something else.
func TestStateFiles(t *testing.T) {
	config, masks := ggaoed.ConfigFile([]byte("hello")), ggaoed.ListFile([]aoe.MAC{host})
	many := ggaoed.ListFile(slices.Repeat([]aoe.MAC{host}, 200))
	for name, c := range map[string]struct {
		file string
		data []byte
		want target.BladeInfo
		err  string
		bad  bool // it is set aside
	}{
		"a config string":        {"disk.config", config, info("hello"), "", false},
		"masks":                  {"disk.mac_mask", masks, info("", host), "", false},
		"one without its rest":   {"disk.config", config[:13], info("hello"), "", false},
		"one that is longer":     {"disk.mac_mask", append(masks, 1, 2, 3), info("", host), "", false},
		"more hosts than fit":    {"disk.mac_mask", many, info(""), "200 hosts: want at most 185: mend it", false},
		"the wrong magic":        {"disk.mac_mask", config, info(""), "", true},
		"a length out of range":  {"disk.config", append([]byte{0xae, 0xbf, 0xa0, 0x38, 1, 4, 0, 0}, config[8:]...), info(""), "", true},
		"something of one's own": {"disk.config", []byte("precious"), info(""), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := inFolder(t, t.TempDir())
			defer f.end()
			path := filepath.Join(f.path, c.file)
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := f.load(disk); c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.file) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one with %q", err, c.err)
				}
			} else {
				f.wantKept(c.want)
			}
			if kept, err := os.ReadFile(path + ".bad"); c.bad && string(kept) != string(c.data) || !c.bad && err == nil {
				t.Errorf("set aside: %q, %v; want %v", kept, err, c.bad)
			}
		})
	}
}

// TestStateUnreadable has a device not begin without its masks.
func TestStateUnreadable(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a folder":        func(path string) error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func(path string) error { return os.Symlink("/dev/zero", path) },
		"a pipe":          func(path string) error { return exec.Command("mkfifo", path).Run() },
	} {
		f := inFolder(t, t.TempDir())
		if err := make(filepath.Join(f.path, "disk.mac_mask")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.load(disk); err == nil || !strings.Contains(err.Error(), "disk.mac_mask") || !strings.Contains(err.Error(), mend) {
			t.Errorf("%s in the place of a file: error %v", name, err)
		}
		f.end()
	}
}

// TestStateHold has nothing saved of what is half done.
func TestStateHold(t *testing.T) {
	f := inFolder(t, t.TempDir())
	whole := plan.Plan{Exports: []plan.Export{disk}}
	f.hold()
	f.set(info("hello", host))
	f.follow(whole)
	if err := f.changed(); err != nil {
		t.Fatal(err)
	}
	f.hold()
	f.set(info("")) // the address was made anew
	if err := f.changed(); !errors.Is(err, errHeld) {
		t.Errorf("a change meanwhile: %v, want %v", err, errHeld)
	}
	f.wantKept(info("hello", host))
	f.set(info("hello", host)) // and has what was kept for it
	f.follow(whole)
	if err := f.changed(); err != nil {
		t.Error(err)
	}
	// A device that ends keeps what was changed last.
	f.set(info("last"))
	f.Changed(nil)
	f.hold()
	f.remove(disk.Addr)
	f.follow(plan.Plan{})
	f.wantKept(info("last"))
	// One that ends half done, too.
	f.hold()
	f.set(info("half"))
	f.end()
	f = inFolder(t, f.path)
	f.wantKept(info("last"))
	f.end()
}

// TestStateFullDisk has changes refused while they cannot be kept, and nothing
// lost of what was.
func TestStateFullDisk(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root, to mount a small file system")
		}
		t.Skip("needs root, to mount a small file system")
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=32k", "vbladefs-test", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
	defer func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v\n%s", err, out)
		}
	}()
	f := inFolder(t, dir)
	f.set(info("before", host))
	f.follow(plan.Plan{Exports: []plan.Export{disk}})
	if err := f.changed(); err != nil {
		t.Fatal(err)
	}
	fill := filepath.Join(dir, "fill")
	_ = os.WriteFile(fill, make([]byte, 1<<20), 0o600) // as far as it goes
	f.set(info("after", host))
	if err := f.changed(); err == nil {
		t.Error("a change on a full disk is durable")
	}
	f.wantKept(info("before", host))
	if left, _ := filepath.Glob(dir + "/*.new"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := f.changed(); err != nil {
		t.Errorf("with room again: %v", err)
	}
	f.wantKept(info("after", host))
	f.end()
}

// TestStateNames has the longest name of a device that a configuration may have.
func TestStateNames(t *testing.T) {
	name := strings.Repeat("n", 242)
	dir := t.TempDir()
	text := fmt.Sprintf("[defaults]\nstate-directory = %s\n[%s]\npath = /x\nshelf = 1\nslot = 2\n", dir, name)
	c, _, err := ggaoed.Parse("f", []byte(text), ggaoed.Env{Folder: writable})
	if err != nil {
		t.Fatal(err)
	}
	p := c.Plan(nil)
	f := inFolder(t, dir)
	f.set(target.BladeInfo{Addr: disk.Addr, Drive: p.Exports[0].Drive})
	f.follow(p)
	if err := f.changed(); err != nil {
		t.Error(err)
	}
	f.end()
	if _, _, err := ggaoed.Parse("f", []byte(strings.Replace(text, name, name+"n", 1)), ggaoed.Env{Folder: writable}); err == nil {
		t.Error("a name that leaves no room for a suffix is taken")
	}
	if got := slices.Sorted(maps.Keys(f.known)); len(got) != 3 {
		t.Errorf("files %v", got)
	}
}
