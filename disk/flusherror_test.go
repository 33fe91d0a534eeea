package disk

import (
	"bytes"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk/disktest"
)

// TestLossesAreCounted: the kernel tells of writes that it could not write back once, to whoever flushes first.
func TestLossesAreCounted(t *testing.T) {
	disk := fuseDisk(t)
	device := loopDevice(t, disk.Path())
	onEachQueue(t, func(t *testing.T, newQueue queueMaker) {
		one, other := newQueue(t), newQueue(t)
		s := open(t, device, Options{Policy: Writeback})
		if err := do(t, one, s, Write, randomBytes(4096), 8192); err != nil {
			t.Fatal(err)
		}
		disk.Fail(disktest.Write, 0, -1, syscall.EIO)
		if err := do(t, other, s, Flush, nil, 0); err == nil {
			t.Fatal("flush of a failed disk succeeded")
		}
		disk.Heal()
		if err := do(t, one, s, Flush, nil, 0); err != nil || s.Losses() != 1 {
			t.Errorf("%d losses are known to who wrote what is lost, and flushes: %v", s.Losses(), err)
		}
	})
}

// TestForcedWritesTakeNoFailureAway: a durable write through the page cache meets the failure of another, acknowledged one.
func TestForcedWritesTakeNoFailureAway(t *testing.T) {
	disk := fuseDisk(t)
	device := loopDevice(t, disk.Path())
	onEachQueue(t, func(t *testing.T, newQueue queueMaker) {
		q := newQueue(t)
		s := open(t, device, Options{Policy: Writeback})
		if err := do(t, q, s, Write, randomBytes(4096), 8192); err != nil {
			t.Fatal(err)
		}
		disk.Fail(disktest.Write, 8192, 16384, syscall.EIO)
		writeBack(t, s)
		disk.Heal()
		_ = do(t, q, s, WriteDurable, randomBytes(512), 64<<10) // the kernel tells it, which has nothing to do with it
		if err := do(t, q, s, Flush, nil, 0); err == nil && s.Losses() == 0 {
			t.Error("an acknowledged write is lost, the flush after it succeeds, and nobody knows")
		}
	})
}

// writeBack has the kernel write its page cache back as it does by itself now and then: s is not told of a failure.
func writeBack(t *testing.T, s *Store) {
	t.Helper()
	f, err := os.OpenFile(s.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err == nil {
		t.Fatal("the disk has not failed")
	}
}

// TestDurableWritesBesideFailingOnes: of writes side by side through the page cache, each hears of its own failure, whoever is
// told by the kernel.
func TestDurableWritesBesideFailingOnes(t *testing.T) {
	disk := fuseDisk(t)
	device := loopDevice(t, disk.Path())
	onEachQueue(t, func(t *testing.T, newQueue queueMaker) {
		q, s := newQueue(t), open(t, device, Options{Policy: Writeback})
		for range 20 {
			disk.Fail(disktest.Write, 0, 4096, syscall.EIO)
			for i := range uint64(8) {
				q.Submit(s, WriteDurable, randomBytes(4096), int64(i)*4096, i)
			}
			if err := reapAll(t, q, 8)[0]; err == nil {
				t.Fatal("a write that cannot be written is durable")
			}
			disk.Heal()
			if err := do(t, q, s, WriteDurable, randomBytes(4096), 0); err != nil {
				t.Fatal(err)
			}
			_ = do(t, q, s, Flush, nil, 0)
		}
	})
}

// TestFailedFlushIsNeverSilent: an error that callers take for one of the moment, and repeat, is none of a flush: what it was to
// cover is gone.
func TestFailedFlushIsNeverSilent(t *testing.T) {
	disk := fuseDisk(t)
	onEachQueue(t, func(t *testing.T, newQueue queueMaker) {
		q, s := newQueue(t), open(t, disk.Path(), Options{Policy: Writeback})
		for _, errno := range []syscall.Errno{syscall.ENOMEM, syscall.EAGAIN, syscall.ENOBUFS} {
			disk.Fail(disktest.Flush, 0, -1, errno)
			if err := do(t, q, s, Flush, nil, 0); err != unix.EIO {
				t.Errorf("a flush that failed with %v: %v, want EIO", errno, err)
			}
			disk.Heal()
		}
	})
}

// TestFlushWaitsBehindForcedWrites has a flush come while a forced write is under way, and another behind it: what the flush is for
// is on the disk when it is answered.
func TestFlushWaitsBehindForcedWrites(t *testing.T) {
	disk := fuseDisk(t)
	device := loopDevice(t, disk.Path())
	onEachQueue(t, func(t *testing.T, newQueue queueMaker) {
		q, s := newQueue(t), open(t, device, Options{Policy: Writeback})
		for round := range 20 {
			data := randomBytes(4096)
			if err := do(t, q, s, Write, data, 512<<10); err != nil {
				t.Fatal(err)
			}
			goOn := make(chan bool)
			var waiting atomic.Bool
			disk.Hook(func(op disktest.Op, at, _ int64) (time.Duration, syscall.Errno) {
				switch {
				case op != disktest.Write:
				case at == 512<<10: // late enough that what does not wait for it is seen
					return 5 * time.Millisecond, 0
				default:
					waiting.Store(true)
					<-goOn
				}
				return 0, 0
			})
			for i := range uint64(4) {
				q.Submit(s, WriteDurable, data, int64(i)*4096, i)
			}
			for !waiting.Load() {
				time.Sleep(time.Millisecond)
			}
			q.Submit(s, Flush, nil, 0, 9)
			time.Sleep(time.Millisecond) // the flush waits, as far as it does
			close(goOn)
			for answered := map[uint64]bool{}; len(answered) < 5; {
				var tokens [1]uint64
				var errs [1]error
				if q.Reap(tokens[:], errs[:]) == 0 {
					if err := q.Wait(-1, patience); err != nil {
						t.Fatal(err)
					}
					continue
				}
				if answered[tokens[0]] = true; tokens[0] == 9 && !bytes.Equal(disk.Contents()[512<<10:][:4096], data) {
					t.Fatalf("round %d: a flush is answered, and what was written before is not on the disk", round)
				}
			}
			disk.Heal()
		}
	})
}
