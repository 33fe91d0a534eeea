package state

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/compat/native"
)

// Folders and files that others could write, or that are not what they seem,
// are refused with what to do.
func TestRefusedFolders(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(dir string) error // dir is not there
		want []string
	}{
		{"symbolic link", func(dir string) error { return os.Symlink(filepath.Dir(dir), dir) }, []string{"symbolic link", "give the folder itself"}},
		{"dangling link", func(dir string) error { return os.Symlink("/nowhere/at/all", dir) }, []string{"folder of the state"}},
		{"file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, []string{"not a directory"}},
		{"writable for all", func(dir string) error { return mkdir(dir, 0o777) }, []string{"may be written by others", "chmod go-w"}},
		{"writable for the group", func(dir string) error { return mkdir(dir, 0o770) }, []string{"may be written by others"}},
		{"another owner", func(dir string) error {
			return first(mkdir(dir, 0o700), os.Chown(dir, 12345, 12345))
		}, []string{"belongs to user 12345", "chown"}},
		{"linked state", func(dir string) error {
			return first(mkdir(dir, 0o700), os.Symlink("/etc/hostname", filepath.Join(dir, fileName)))
		}, []string{"no regular file"}},
		{"writable state", func(dir string) error {
			path := filepath.Join(dir, fileName)
			return first(mkdir(dir, 0o700), os.WriteFile(path, numbered(1), 0o600), os.Chmod(path, 0o666))
		}, []string{"/state", "may be written by others"}},
		{"state of another", func(dir string) error {
			path := filepath.Join(dir, fileName)
			return first(mkdir(dir, 0o700), os.WriteFile(path, numbered(1), 0o600), os.Chown(path, 12345, 0))
		}, []string{"/state", "belongs to user 12345"}},
		{"pipe for a lock", func(dir string) error {
			return first(mkdir(dir, 0o700), unix.Mkfifo(filepath.Join(dir, lockName), 0o600))
		}, []string{"no regular file"}},
		{"empty state", withState(""), []string{"/state:1:1", "is empty", "vbladefs check"}},
		{"later version", withState("# vbladefs state 22\n"), []string{"/state:1:1", "another version", "22"}},
		{"something else", withState("hello\n"), []string{"/state:1:1", "no state", "hello"}},
		{"half a header", withState(native.Header), []string{"/state:1:1"}},
		{"cut off at a line end", withState(native.Header + "\nvblade/drives add do /dev/loop2\n"), []string{"/state:2:1", "cut off", `add "# end 1"`}},
		{"lines missing", withState(native.Header + "\nvblade/drives add do /dev/loop2\n# end 2\n"), []string{"/state:3:1", "2 commands, and there are 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dir")
			if err := tt.make(dir); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(filepath.Join(dir, fileName))
			k, err := Open(dir, quiet())
			if err == nil {
				_ = k.Close()
				t.Fatal("it was taken")
			}
			for _, want := range append(tt.want, dir) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if after, _ := os.ReadFile(filepath.Join(dir, fileName)); !bytes.Equal(before, after) {
				t.Errorf("the state is now %q", after)
			}
		})
	}
}

func withState(text string) func(string) error {
	return func(dir string) error {
		return first(mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, fileName), []byte(text), 0o600))
	}
}

func mkdir(dir string, mode os.FileMode) error {
	return first(os.Mkdir(dir, 0o700), os.Chmod(dir, mode))
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// One daemon at a time keeps its state in a folder.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	k := open(t, dir, quiet())
	_, err := Open(dir, quiet())
	if err == nil {
		t.Fatal("two have it")
	}
	for _, want := range []string{dir, fmt.Sprintf("process %d", os.Getpid()), "-state"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, quiet())
}

// fullDisk is a folder on a file system of so many bytes.
func fullDisk(t *testing.T, bytes int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root to mount a file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	return dir
}

// On a disk that is full, or read-only, the old state stays, those who wait
// learn of it, the log says what to do, and it is saved when there is room.
func TestFailingDisk(t *testing.T) {
	dir := fullDisk(t, 256<<10)
	var said bytes.Buffer
	log := logrus.New()
	log.SetOutput(&said)
	k := open(t, dir, log)
	var s source
	k.Start(s.text)
	if err := k.Save(); err != nil {
		t.Fatal(err)
	}
	fails := func(what string, want error) {
		t.Helper()
		s.version.Add(1)
		durable := make(chan error, 1)
		k.Changed(func(err error) { durable <- err })
		k.Settle()
		if err := <-durable; !isErr(err, want) {
			t.Errorf("%s: a change: %v, want %v", what, err, want)
		}
		if err := k.Save(); !isErr(err, want) {
			t.Errorf("%s: Save: %v, want %v", what, err, want)
		}
		has(t, dir, numbered(0))
		if left, _ := filepath.Glob(filepath.Join(dir, tempName)); len(left) > 0 {
			t.Errorf("%s: %s is left", what, left)
		}
	}
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); err != nil {
		t.Fatal(err)
	}
	fails("full", unix.ENOSPC)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []uintptr{unix.MS_RDONLY, 0} {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|readOnly, ""); err != nil {
			t.Fatal(err)
		}
		if readOnly != 0 {
			fails("read-only", unix.EROFS)
		}
	}
	if err := k.Save(); err != nil {
		t.Error(err)
	}
	has(t, dir, s.text())
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(said.String(), `\n`) || strings.Count(said.String(), "read-only file system") > 1 {
		t.Errorf("the log repeats itself:\n%s", said.String())
	}
	for _, want := range []string{"THE STATE IS NOT SAVED", "Free space where " + dir, "is saved again",
		"it is tried again in 1s, and at least every 5s from then on; `vbladefs save` tries it now"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, said.String())
		}
	}
}

// fill writes until there is no room.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return nil
		}
	}
}

// It is tried again unasked.
func TestRetry(t *testing.T) {
	dir := fullDisk(t, 256<<10)
	k := open(t, dir, quiet())
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); err != nil {
		t.Fatal(err)
	}
	var s source
	k.Start(s.text)
	k.Changed(nil)
	k.Settle()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		text, err := contents(filepath.Join(dir, fileName))
		return err == nil && bytes.Equal(text, numbered(0))
	})
}

// The lock goes from one daemon to the next without a moment at which a third
// could take it, and the next one goes on from what the file has then.
func TestJoin(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, quiet())
	first.Start(func() []byte { return numbered(1) })
	if err := first.Save(); err != nil {
		t.Fatal(err)
	}
	second, err := Join(dir, first.Lock(), numbered(1), quiet())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(second.Loaded(), numbered(1)) {
		t.Errorf("it has loaded %q", second.Loaded())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if third, err := Open(dir, quiet()); err == nil {
		t.Error("a third one has it")
		_ = third.Close()
	}
	second.Joined(numbered(1))
	second.Start(func() []byte { return numbered(2) })
	if err := second.Save(); err != nil {
		t.Fatal(err)
	}
	has(t, dir, numbered(2))
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, quiet())
}

// A file that is not the lock of the folder opens nothing.
func TestJoinWithAnotherLock(t *testing.T) {
	first, second := open(t, t.TempDir(), quiet()), t.TempDir()
	_ = open(t, second, quiet())
	if k, err := Join(second, first.Lock(), numbered(1), quiet()); err == nil {
		t.Error("another folder's lock was taken")
		_ = k.Close()
	}
}
