package disk

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func newUringQueue(t testing.TB, entries, inFlight uint32) *UringQueue {
	t.Helper()
	return made(t, func() (Queue, error) { return newUring(entries, inFlight, ioUringSetup) }).(*UringQueue)
}

// TestRingOrThreads looks at which way requests go.
func TestRingOrThreads(t *testing.T) {
	file, content := image(t, "", 1<<20)
	device := loopDevice(t, file)
	for _, c := range []struct {
		name            string
		policy          Policy
		op              Op
		skew            int
		carried, handed uint64
	}{
		{"direct read", Direct, Read, 0, 1, 0},
		{"direct write", Direct, Write, 0, 1, 0},
		{"durable write", Direct, WriteDurable, 0, 1, 0},
		{"unaligned memory", Direct, Write, 8, 0, 0},
		{"flush", Direct, Flush, 0, 0, 0},
		{"page cache", Writeback, Write, 0, 0, 0},
		{"policy durable", Durable, Write, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, s := newUringQueue(t, ringEntries, ringInFlight), open(t, device, Options{Policy: c.policy})
			data := buffers(t, 8192)[c.skew:][:4096]
			copy(data, content)
			q.Submit(s, c.op, data, 0, 3)
			check(t, reapAll(t, q, 1))
			if q.carried != c.carried || q.handed != c.handed {
				t.Errorf("the ring carried %d and handed over %d, want %d and %d", q.carried, q.handed, c.carried, c.handed)
			}
			wantSame(t, data, content[:4096])
		})
	}
}

// TestRingHandsOver has what the ring cannot do without waiting, or not whole, done by threads.
func TestRingHandsOver(t *testing.T) {
	path, _ := image(t, "", 512)
	if err := os.Truncate(path, 1<<20+100); err != nil { // a hole, and half a sector
		t.Fatal(err)
	}
	q, s := newUringQueue(t, ringEntries, ringInFlight), open(t, path, Options{Policy: Direct})
	data, got := buffers(t, 4096), buffers(t, 4096)
	copy(data, randomBytes(4096))
	q.Submit(s, Write, data, 64<<10, 1)
	check(t, reapAll(t, q, 1))
	if q.handed != 1 {
		t.Errorf("%d requests were handed over, want the one that allocates blocks", q.handed)
	}
	q.Submit(s, Read, got, 64<<10, 2)
	check(t, reapAll(t, q, 1))
	wantSame(t, got, data)
	q.Submit(s, Read, got[:512], 1<<20, 3)
	if err := reapAll(t, q, 1)[3]; err != ErrShort {
		t.Errorf("a read over the end gives %v", err)
	}
	if q.handed != 2 || q.inFlight != 0 {
		t.Errorf("%d requests were handed over, want 2; %d are in flight", q.handed, q.inFlight)
	}
}

// TestRingFull submits more than the queues of a small ring hold, without a Reap in between.
func TestRingFull(t *testing.T) {
	const requests = 300
	file, content := image(t, "", requests*512)
	device := loopDevice(t, file)
	for _, size := range []struct{ entries, inFlight uint32 }{{1, 1}, {4, 8}, {4, 512}} {
		q, s := newUringQueue(t, size.entries, size.inFlight), open(t, device, Options{Policy: Direct})
		data := buffers(t, requests*512)
		for range 3 {
			clear(data)
			for i := range requests {
				q.Submit(s, Read, data[i*512:][:512], int64(i)*512, uint64(i))
				if q.inFlight > len(q.ring.cqes) {
					t.Fatalf("%d requests are in flight, and %d completions find room", q.inFlight, len(q.ring.cqes))
				}
			}
			check(t, reapAll(t, q, requests))
			wantSame(t, data[:len(content)], content)
		}
		if q.ring.sqFlags.Load()&sqCQOverflow != 0 || q.carried == 0 || q.inFlight != 0 {
			t.Errorf("flags %#x, %d carried, %d in flight", q.ring.sqFlags.Load(), q.carried, q.inFlight)
		}
		s.Close()
	}
}

// TestRingOfAnotherThread makes a queue here, as the control goroutine does, and uses it there.
func TestRingOfAnotherThread(t *testing.T) {
	path, content := image(t, "", 64<<10)
	run(t, "sync", path) // what must be written first would go to threads
	s := open(t, path, Options{Policy: Direct})
	q, err := NewUring()
	if err != nil {
		t.Fatal(err)
	}
	data := buffers(t, 64<<10)
	read := func(done chan<- uint64, finish func()) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for i := range 16 {
			q.Submit(s, Read, data[i*4096:][:4096], int64(i)*4096, uint64(i))
		}
		check(t, reapAll(t, q, 16))
		finish()
		done <- q.carried
	}
	done := make(chan uint64)
	go read(done, func() {})
	if n := <-done; n != 16 {
		t.Errorf("the ring carried %d requests, want 16", n)
	}
	wantSame(t, data, content)
	// Against the rules: the kernel refuses a second thread, and the requests are done nevertheless.
	clear(data)
	go read(done, func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	if n := <-done; n != 16 {
		t.Errorf("the ring carried %d requests, want 16", n)
	}
	wantSame(t, data, content)
}

// hang puts a request into the ring that finishes once a byte is written to the descriptor returned.
func hang(t *testing.T, q *UringQueue, token uint64) (end int) {
	t.Helper()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ends[0]); unix.Close(ends[1]) })
	if q.thread == 0 && !q.bind() {
		t.Fatal("the ring cannot be used")
	}
	const opPollAdd = 6 // IORING_OP_POLL_ADD; its result is the events, POLLIN: one byte, as it were
	q.ring.push(sqe{opcode: opPollAdd, fd: int32(ends[0]), rwFlags: unix.POLLIN, userData: uint64(q.free)})
	q.take(slot{data: make([]byte, unix.POLLIN), token: token, member: none})
	return ends[1]
}

func finish(t *testing.T, end int) {
	t.Helper()
	if _, err := unix.Write(end, []byte{1}); err != nil {
		t.Error(err)
	}
}

// TestRingWait sleeps with a request in the ring, until each of the things that must end a sleep.
func TestRingWait(t *testing.T) {
	q := newUringQueue(t, ringEntries, ringInFlight)
	hung := hang(t, q, 5)
	tokens, errs := make([]uint64, 4), make([]error, 4)
	var socket [2]int
	if err := unix.Pipe2(socket[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket[0])
	defer unix.Close(socket[1])
	for name, event := range map[string]func(){
		"wake":       q.Wake,
		"descriptor": func() { finish(t, socket[1]) },
	} {
		for _, during := range []bool{false, true} {
			waits(t, name, q, socket[0], during, event)
			if n := q.Reap(tokens, errs); n != 0 {
				t.Fatalf("%s: %d requests finished by themselves", name, n)
			}
		}
		if name == "descriptor" {
			unix.Read(socket[0], make([]byte, 8))
		}
	}
	if err := q.Wait(socket[0], 3*time.Millisecond); err != nil {
		t.Error(err)
	}
	for _, during := range []bool{false, true} {
		waits(t, "completion", q, socket[0], during, func() { finish(t, hung) })
		check(t, reapAll(t, q, 1))
		hung = hang(t, q, 6)
	}
	finish(t, hung)
	check(t, reapAll(t, q, 1))
}

// TestReapMakesNoCalls polls for a request that does not finish.
func TestReapMakesNoCalls(t *testing.T) {
	for _, kind := range queues[1:] {
		t.Run(kind.name, func(t *testing.T) {
			q := made(t, kind.make).(*UringQueue)
			end := hang(t, q, 1)
			tokens, errs := make([]uint64, 1), make([]error, 1)
			for range 1000 {
				if n := q.Reap(tokens, errs); n != 0 {
					t.Fatal("a request finished by itself")
				}
			}
			if q.ring.entered != 1 {
				t.Errorf("the kernel was entered %d times, want once, to submit", q.ring.entered)
			}
			finish(t, end)
			check(t, reapAll(t, q, 1))
		})
	}
}

// waits checks that Wait ends after event, which comes before or while the owner, the calling goroutine, sleeps.
func waits(t *testing.T, name string, q *UringQueue, fd int, during bool, event func()) {
	t.Helper()
	ended := make(chan error, 1)
	late := time.AfterFunc(patience, func() { panic(name + ": Wait did not end") })
	defer late.Stop()
	happened := make(chan struct{})
	go func() {
		defer close(happened)
		if during {
			sleeping(q, ended)
		}
		event()
	}()
	if !during {
		<-happened
	}
	if err := q.Wait(fd, -1); err != nil {
		t.Errorf("%s, during sleep %v: %v", name, during, err)
	}
	ended <- nil
	<-happened
}

// TestRingCloseMerged closes with merged writes in the ring that the kernel refuses, as blocks must be allocated first:
// all of them take place.
func TestRingCloseMerged(t *testing.T) {
	path, _ := image(t, "", 512)
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	const pieces, piece = 64, 4096
	for _, size := range []struct{ entries, inFlight uint32 }{{2, 64}, {ringEntries, ringInFlight}} {
		q, err := newUring(size.entries, size.inFlight, ioUringSetup)
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, path, Options{Policy: Direct})
		data := buffers(t, pieces*piece)
		copy(data, randomBytes(pieces*piece))
		for i := range pieces {
			q.Submit(s, Write, data[i*piece:][:piece], int64(i)*piece, uint64(i))
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		if q.joined == 0 || q.inFlight != 0 {
			t.Errorf("%d requests were merged, %d are in flight", q.joined, q.inFlight)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, got[:pieces*piece], data[:pieces*piece])
		s.Close()
	}
}

// TestRingClose closes with a request in the ring, which it waits for.
func TestRingClose(t *testing.T) {
	q, err := NewUring()
	if err != nil {
		t.Fatal(err)
	}
	end := hang(t, q, 1)
	q.enter()
	closing, finished := make(chan struct{}), make(chan struct{})
	go func() {
		<-closing
		time.Sleep(20 * time.Millisecond)
		close(finished)
		finish(t, end)
	}()
	close(closing)
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-finished:
	default:
		t.Error("Close did not wait")
	}
	if err := q.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}
