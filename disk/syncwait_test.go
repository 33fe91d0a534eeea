package disk

import (
	"math"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeping waits until the owner sleeps, or returned.
func sleeping(queue Queue, done <-chan error) {
	q := threads(queue)
	for range 10000 {
		q.mu.Lock()
		asleep := q.sleeping
		q.mu.Unlock()
		if asleep || len(done) > 0 {
			return
		}
		runtime.Gosched()
		time.Sleep(100 * time.Microsecond)
	}
}

// wakes checks that Wait, without a time limit, ends after event, whether that comes before or during the sleep.
func wakes(t *testing.T, q Queue, fd int, event func()) {
	t.Helper()
	for _, during := range []bool{false, true} {
		done := make(chan error, 1)
		if !during {
			event()
		}
		go func() { done <- q.Wait(fd, -1) }()
		if during {
			sleeping(q, done)
			event()
		}
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("during sleep %v: %v", during, err)
			}
		case <-time.After(patience):
			t.Fatalf("during sleep %v: Wait did not end", during)
		}
	}
}

func TestWaitEndsOnWake(t *testing.T) { onEachQueue(t, testWaitEndsOnWake) }

func testWaitEndsOnWake(t *testing.T, newQueue queueMaker) {
	q := newQueue(t)
	wakes(t, q, -1, q.Wake)
}

func TestWaitEndsOnDescriptor(t *testing.T) { onEachQueue(t, testWaitEndsOnDescriptor) }

func testWaitEndsOnDescriptor(t *testing.T, newQueue queueMaker) {
	q := newQueue(t)
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	var one [1]byte
	first := true
	wakes(t, q, ends[0], func() {
		if !first {
			return // it is readable still
		}
		first = false
		if _, err := unix.Write(ends[1], one[:]); err != nil {
			t.Error(err)
		}
	})
	if _, err := unix.Read(ends[0], one[:]); err != nil {
		t.Fatal(err)
	}
	if err := q.Wait(ends[0], time.Millisecond); err != nil {
		t.Error(err)
	}
}

func TestWaitEndsOnCompletion(t *testing.T) { onEachQueue(t, testWaitEndsOnCompletion) }

func testWaitEndsOnCompletion(t *testing.T, newQueue queueMaker) {
	path, _ := image(t, "", 8192)
	q, s := newQueue(t), open(t, path, Options{})
	data := make([]byte, 512)
	for i := range 300 {
		q.Submit(s, Read, data, 0, uint64(i))
		var tokens [1]uint64
		var errs [1]error
		for deadline := time.Now().Add(patience); q.Reap(tokens[:], errs[:]) == 0; {
			if err := q.Wait(-1, -1); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(deadline) {
				t.Fatal("the request did not finish")
			}
		}
		if tokens[0] != uint64(i) || errs[0] != nil {
			t.Fatalf("token %d: %v", tokens[0], errs[0])
		}
	}
}

func TestWaitEndsOnTimeout(t *testing.T) { onEachQueue(t, testWaitEndsOnTimeout) }

func testWaitEndsOnTimeout(t *testing.T, newQueue queueMaker) {
	q := newQueue(t)
	for _, timeout := range []time.Duration{0, time.Nanosecond, 3 * time.Millisecond} {
		if err := q.Wait(-1, timeout); err != nil {
			t.Error(err)
		}
	}
}

func TestWaitOnClosedDescriptor(t *testing.T) { onEachQueue(t, testWaitOnClosedDescriptor) }

func testWaitOnClosedDescriptor(t *testing.T, newQueue queueMaker) {
	if err := newQueue(t).Wait(1<<20-1, time.Second); err != unix.EBADF {
		t.Errorf("Wait gives %v, want EBADF", err)
	}
}

// TestClose waits for what was submitted, ends the goroutines, and leaves Wake and Submit harmless.
func TestClose(t *testing.T) { onEachQueue(t, testClose) }

func testClose(t *testing.T, newQueue queueMaker) {
	for policy := Writeback; policy <= Durable; policy++ {
		t.Run(policy.String(), func(t *testing.T) { closeBusy(t, newQueue(t), policy) })
	}
}

func closeBusy(t *testing.T, q Queue, policy Policy) {
	path, content := image(t, "", 64<<10)
	s := open(t, path, Options{Policy: policy})
	data := buffers(t, 64<<10)
	for i := range 128 {
		q.Submit(s, Read, data[i*512:][:512], int64(i)*512, uint64(i))
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	wantSame(t, data, content)
	if q := threads(q); q.alive != 0 || q.idle != 0 {
		t.Errorf("%d goroutines are left, %d idle", q.alive, q.idle)
	}
	q.Wake()
	q.Submit(s, Read, data[:512], 0, 5)
	var tokens [1]uint64
	var errs [1]error
	if n := q.Reap(tokens[:], errs[:]); n != 1 || tokens[0] != 5 || errs[0] != ErrClosed {
		t.Errorf("after Close: %d requests, token %d, %v", n, tokens[0], errs[0])
	}
	if err := q.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestBuffers(t *testing.T) {
	buf, err := AllocBuffers(5000)
	if err != nil {
		t.Fatal(err)
	}
	if len(buf) < 5000 || !alignedTo(buf, pageBytes) || alignedTo(buf[1:], 2) || !alignedTo(buf[512:], 512) {
		t.Errorf("%d bytes, aligned to a page: %v", len(buf), alignedTo(buf, pageBytes))
	}
	if err := FreeBuffers(buf); err != nil {
		t.Error(err)
	}
	wantErrno(t, FreeBuffers(buf), unix.EINVAL)
	for _, n := range []int{0, -1, math.MaxInt} {
		_, err := AllocBuffers(n)
		wantErrno(t, err, unix.EINVAL)
	}
}
