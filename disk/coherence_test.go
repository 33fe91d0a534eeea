package disk

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// This file is about the page cache beside direct I/O: which policy uses it, and that nobody reads from it what was written over.

// cached reports whether the page cache has a range of a file: preadv2(2), RWF_NOWAIT.
func cached(t *testing.T, path string, offset int64, n int) bool {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	got, err := unix.Preadv2(fd, [][]byte{make([]byte, n)}, offset, unix.RWF_NOWAIT)
	if err != nil && err != unix.EAGAIN {
		t.Fatal(err)
	}
	return got == n
}

// TestDurableWritesPassThePageCache: the kernel may write a page of its cache to the device while the next write changes it,
// and half a sector of each is what a loss of power leaves.
func TestDurableWritesPassThePageCache(t *testing.T) {
	onEachQueue(t, testDurableWritesPassThePageCache)
}

func testDurableWritesPassThePageCache(t *testing.T, newQueue queueMaker) {
	for _, blockBytes := range []string{"512", "4096"} {
		file, _ := image(t, tmpfsDir(t), 1<<20)
		device := loopDevice(t, file, "--sector-size", blockBytes)
		for policy, want := range map[Policy]bool{Writeback: true, Durable: false} {
			q, s := newQueue(t), open(t, device, Options{Policy: policy, Force: true})
			for i, at := range []int64{64 << 10, 128<<10 + 512} { // a page, and a sector of one
				got := !want
				for range 20 { // whoever looks at new disks of this machine may have read it meanwhile
					if got == want {
						break
					}
					if err := do(t, q, s, Write, randomBytes(4096>>(3*i)), at); err != nil {
						t.Fatal(err)
					}
					got = cached(t, device, at, 512)
				}
				if got != want {
					t.Errorf("%v, blocks of %s: the page cache has what was written at %d: %v, want %v", policy, blockBytes, at, got, want)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDurableReadsAreCurrent writes a sector of a page while the others are read into the page cache: what is read after the
// write is what was written. Whether that comes from the page cache is a matter of which ends first: on a busy machine always, if
// the reads that go along put the page back. That writes pass it is TestDurableWritesPassThePageCache's.
func TestDurableReadsAreCurrent(t *testing.T) { onEachQueue(t, testDurableReadsAreCurrent) }

func testDurableReadsAreCurrent(t *testing.T, newQueue queueMaker) {
	file, _ := image(t, tmpfsDir(t), 64<<10)
	_, dir := mounted(t, 16<<20)
	onExt4, _ := image(t, dir, 64<<10)
	for _, path := range []string{loopDevice(t, file), onExt4} {
		rounds := 1000
		if path == onExt4 {
			rounds = 100 // each waits for a journal
		}
		q, s := newQueue(t), open(t, path, Options{Policy: Durable})
		for round := range rounds {
			sector := int64(round % 8)
			data, other, got := randomBytes(512), make([]byte, 512), make([]byte, 512)
			q.Submit(s, Write, data, sector*512, 0)
			q.Submit(s, Read, other, (sector+1)%8*512, 1)
			check(t, reapAll(t, q, 2))
			if done, err := q.Try(s, Read, got, sector*512); done {
				check(t, map[uint64]error{2: err})
			} else {
				q.Submit(s, Read, got, sector*512, 2)
				check(t, reapAll(t, q, 1))
			}
			wantSame(t, got, data)
		}
	}
}

// TestLeavingDirectForgetsThePageCache: somebody else reads a block device while direct writes are under way, which can leave
// what was there before in the page cache for good (see readsDirect). Another policy must not begin with that.
func TestLeavingDirectForgetsThePageCache(t *testing.T) {
	file, _ := image(t, "", 64<<10)
	device := loopDevice(t, file, "--direct-io=on")
	stop := readAllTheTime(t, device)
	defer stop()
	q, s := newUringQueue(t, ringEntries, ringInFlight), open(t, device, Options{Policy: Direct})
	data := buffers(t, 64<<10)
	for round := range 60 {
		copy(data, randomBytes(len(data)))
		for at := 0; at < len(data); at += 4096 {
			q.Submit(s, Write, data[at:at+4096], int64(at), uint64(at))
		}
		check(t, reapAll(t, q, len(data)/4096))
		if err := s.SetPolicy([]Policy{Writeback, Durable}[round%2]); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(data))
		if err := do(t, q, s, Read, got, 0); err != nil {
			t.Fatal(err)
		}
		wantSame(t, got, data)
		if err := s.SetPolicy(Direct); err != nil {
			t.Fatal(err)
		}
	}
}

// readAllTheTime reads the blocks of a device, through the page cache, until stop.
func readAllTheTime(t *testing.T, device string) (stop func()) {
	f, err := os.Open(device)
	if err != nil {
		t.Fatal(err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer f.Close()
		block := make([]byte, 4096)
		for at := int64(0); ; at = (at + 4096) % (64 << 10) {
			select {
			case <-end:
				return
			default:
				_, _ = f.ReadAt(block, at)
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}
