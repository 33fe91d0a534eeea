package disk

import (
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk/disktest"
)

// TestFlushesShare: those that come while one is under way are one flush of the store together, which begins when that
// has ended, and what becomes of it becomes of them. Reads of the store wait for none of them.
func TestFlushesShare(t *testing.T) { onEachQueue(t, testFlushesShare) }

func testFlushesShare(t *testing.T, newQueue queueMaker) {
	const late = 63
	disk, q := fuseDisk(t), newQueue(t)
	s := open(t, disk.Path(), Options{})
	for _, want := range []unix.Errno{0, unix.EIO} {
		before, begun, goOn := flushesOf(disk), make(chan bool), make(chan bool)
		var n atomic.Int32
		disk.Hook(func(op disktest.Op, _, _ int64) (time.Duration, syscall.Errno) {
			if op != disktest.Flush {
				return 0, 0
			}
			if n.Add(1) > 1 {
				return 0, want
			}
			begun <- true
			<-goOn
			return 0, 0
		})
		q.Submit(s, Flush, nil, 0, 0)
		<-begun
		for token := range uint64(late) {
			q.Submit(s, Flush, nil, 0, token+1)
		}
		data := make([]byte, 512)
		q.Submit(s, Read, data, 0, 1<<32)
		check(t, reapAll(t, q, 1))
		close(goOn)
		results := reapAll(t, q, late+1)
		if n := flushesOf(disk) - before; n != 2 {
			t.Errorf("the store was flushed %d times, want once, and once for all that came meanwhile", n)
		}
		for token, err := range results {
			if token == 0 && err != nil || token > 0 && (want == 0 && err != nil || want != 0 && err != want) {
				t.Errorf("flush %d: %v, want %v for all but the first", token, err, want)
			}
		}
	}
}

// TestFlushFlood: as many flushes as an initiator may have outstanding, all the time, beside reads: all are answered,
// by few flushes of the store.
func TestFlushFlood(t *testing.T) { onEachQueue(t, testFlushFlood) }

func testFlushFlood(t *testing.T, newQueue queueMaker) {
	const flood, outstanding, isRead = 6400, 64, 1 << 32
	disk, q := fuseDisk(t), newQueue(t)
	s := open(t, disk.Path(), Options{Policy: Writeback})
	disk.Hook(func(op disktest.Op, _, _ int64) (time.Duration, syscall.Errno) { return time.Millisecond, 0 })
	tokens, errs, data := make([]uint64, 16), make([]error, 16), make([]byte, flood/100*512)
	seen := map[uint64]bool{}
	for sent, reads := 0, 0; len(seen) < flood+reads; {
		for ; sent < flood && sent+reads < len(seen)+outstanding; sent++ {
			q.Submit(s, Flush, nil, 0, uint64(sent))
			if sent%100 == 0 {
				q.Submit(s, Read, data[reads*512:][:512], int64(reads)*4096, isRead+uint64(reads))
				reads++
			}
		}
		if err := q.Wait(-1, patience); err != nil {
			t.Fatal(err)
		}
		n := q.Reap(tokens, errs)
		for i, token := range tokens[:n] {
			if errs[i] != nil || seen[token] {
				t.Fatalf("request %#x: %v, seen before: %v", token, errs[i], seen[token])
			}
			seen[token] = true
		}
	}
	n := flushesOf(disk)
	t.Logf("%d flushes of the store for %d", n, flood)
	if n > flood/8 {
		t.Errorf("%d flushes of the store for %d, want few", n, flood)
	}
}

// TestFlushesAreNeverLate: what comes after one has begun is not answered by it, whatever comes in which order.
func TestFlushesAreNeverLate(t *testing.T) {
	var f flushes
	var r [5]request
	if f.addLocked(&r[0]) {
		t.Fatal("the first waits for nothing")
	}
	if !f.addLocked(&r[1]) {
		t.Fatal("the second shares the first, which has not begun")
	}
	f.beginLocked()
	if !f.addLocked(&r[2]) || !f.addLocked(&r[3]) {
		t.Fatal("those that come after it has begun wait for its end")
	}
	sharing, after := f.endLocked(unix.EIO)
	if sharing.length != 1 || sharing.head != &r[1] || r[1].err != unix.EIO || after != &r[2] {
		t.Fatalf("%d shared the first, %v, and %p comes next", sharing.length, r[1].err, after)
	}
	if r[2].err != nil || r[3].err != nil {
		t.Fatal("an error goes to those that came after it")
	}
	if !f.addLocked(&r[4]) {
		t.Fatal("who comes before the next begins shares it")
	}
	f.beginLocked()
	if sharing, after = f.endLocked(nil); sharing.length != 2 || after != nil {
		t.Fatalf("%d shared the second, and %p comes next", sharing.length, after)
	}
	if f.addLocked(&r[0]) {
		t.Fatal("all is done, and the next waits")
	}
}

// flushesOf is how many times a disk was flushed, or failed to be.
func flushesOf(disk *disktest.Disk) uint64 {
	done, failed := disk.Counts(disktest.Flush)
	return done + failed
}
