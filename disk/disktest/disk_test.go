package disktest

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

func mount(t *testing.T, content []byte) *Disk {
	t.Helper()
	lacking := t.Skip
	if os.Getenv("CI") == "true" {
		lacking = t.Fatal
	}
	if os.Geteuid() != 0 {
		lacking("needs root to mount a FUSE file system")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		lacking("needs /dev/fuse (modprobe fuse)")
	}
	dir, err := os.MkdirTemp("", "disktest-")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Mount(dir, content)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), os.Remove(dir)); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDisk(t *testing.T) {
	d := mount(t, make([]byte, 1<<20))
	f, err := os.OpenFile(d.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := bytes.Repeat([]byte{7}, 4096)
	do := func(op Op, at int64) error {
		var err error
		switch op {
		case Read:
			got := make([]byte, len(data))
			if _, err = f.ReadAt(got, at); err == nil && !bytes.Equal(got, d.Contents()[at:at+4096]) {
				t.Errorf("a read at %d brings other data", at)
			}
		case Write:
			_, err = f.WriteAt(data, at)
		case Flush:
			err = f.Sync()
		}
		return err
	}
	want := func(op Op, at int64, errno syscall.Errno) {
		t.Helper()
		if err := do(op, at); errno == 0 && err != nil || errno != 0 && !errors.Is(err, errno) {
			t.Errorf("operation %d at %d: %v, want %v", op, at, err, errno)
		}
	}
	for _, op := range []Op{Read, Write, Flush} {
		want(op, 8192, 0)
	}
	d.Fail(Write, 8192, 12288, syscall.ENOSPC)
	d.Fail(Read|Flush, 4096, 4097, syscall.EIO)
	want(Write, 4096, 0)
	want(Write, 8192+512, syscall.ENOSPC)
	want(Write, 12288, 0)
	want(Read, 8192, 0)
	want(Read, 4096-512, syscall.EIO)
	want(Flush, 0, syscall.EIO)
	d.Heal()
	for _, op := range []Op{Read, Write, Flush} {
		want(op, 4096, 0)
	}
	d.Vanish()
	want(Read, 0, syscall.ENODEV)
	if _, err := os.Stat(d.Path()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a disk that vanished is still seen: %v", err)
	}
	d.Heal()
	want(Read, 0, 0)
	if _, err := os.Stat(d.Path()); err != nil {
		t.Error(err)
	}
	if done, failed := d.Counts(Write); done != 4 || failed != 1 {
		t.Errorf("%d writes were done and %d failed, want 4 and 1", done, failed)
	}
}

func TestStall(t *testing.T) {
	d := mount(t, make([]byte, 1<<20))
	f, err := os.OpenFile(d.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d.Stall(Write)
	done := make(chan error, 3)
	for i := range 3 {
		go func() {
			_, err := f.WriteAt([]byte{1}, int64(i))
			done <- err
		}()
	}
	for end := time.Now().Add(20 * time.Second); d.Waiting() < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d writes wait, want 3 at a time", d.Waiting())
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("a read while writes are stalled: %v", err)
	}
	if len(done) > 0 || d.Contents()[0] != 0 {
		t.Error("a stalled write was done")
	}
	d.Heal()
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(d.Contents()[:4], []byte{1, 1, 1, 0}) {
		t.Error("the writes were not carried out")
	}
}
