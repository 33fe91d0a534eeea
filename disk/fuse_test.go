package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"vbladefs/disk/disktest"
)

// fuseDisk is a disk with faults.
func fuseDisk(t *testing.T) *disktest.Disk {
	t.Helper()
	needRoot(t)
	_, err := os.Stat("/dev/fuse")
	need(t, err == nil, "/dev/fuse (modprobe fuse)")
	dir := filepath.Join(t.TempDir(), "fuse")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	disk, err := disktest.Mount(dir, make([]byte, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	})
	return disk
}

// A FUSE file system is told only by a flag of a write that it is to be durable, and most do not look at it. A durable
// write must therefore be followed by a flush.
func TestDurableWriteIsFlushedByFUSE(t *testing.T) {
	disk := fuseDisk(t)
	for _, kind := range []string{"sync", "auto"} {
		q, _, err := NewQueue(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			policy Policy
			op     Op
			flush  bool
		}{{Writeback, Write, false}, {Writeback, WriteDurable, true}, {Direct, Write, true}, {Direct, WriteDurable, true}, {Durable, Write, true}} {
			s, err := Open(disk.Path(), Options{Policy: tt.policy})
			if err != nil {
				t.Fatal(err)
			}
			var steps []disktest.Step
			disk.Record(func(s disktest.Step) {
				s.Data = nil // borrowed
				steps = append(steps, s)
			})
			err = do(t, q, s, tt.op, randomBytes(512), 4096)
			disk.Record(nil)
			if err := errors.Join(err, s.Close()); err != nil {
				t.Fatal(err)
			}
			want := 2
			if tt.flush {
				want = 4
			}
			if len(steps) != want || steps[0].Op != disktest.Write || !steps[1].Ended || tt.flush && steps[2].Op != disktest.Flush {
				t.Errorf("%s: operation %d with policy %v: the file system sees %+v, want a write, and a flush after it: %v", kind, tt.op, tt.policy, steps, tt.flush)
			}
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
}
