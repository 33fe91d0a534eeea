package turns

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onThread runs f on a thread of its own, which ends with it.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		f()
	}()
	<-done
}

// own is what the kernel says of the calling thread.
func own(t *testing.T) unix.SchedAttr {
	t.Helper()
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Error(err)
		return unix.SchedAttr{}
	}
	return *attr
}

// needTurns ends the test where the kernel knows no turns.
func needTurns(t *testing.T) {
	t.Helper()
	var known bool
	onThread(func() { known = set(0, Short) == nil && own(t).Runtime == uint64(Short) })
	switch {
	case known:
	case os.Getenv("CI") == "true":
		t.Fatal("needs Linux 6.12")
	default:
		t.Skip("needs Linux 6.12")
	}
}

func TestShorten(t *testing.T) {
	needTurns(t)
	end := make(chan struct{})
	defer close(end)
	for range 8 { // threads that are there, as those of daemons are when they start
		ready := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(ready)
			<-end
		}()
		<-ready
	}
	if err := Shorten(); err != nil {
		t.Fatal(err)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || len(threads) < 9 {
		t.Fatalf("%d threads, %v; want 9 at least", len(threads), err)
	}
	for _, entry := range threads {
		thread, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(thread, 0)
		if errors.Is(err, unix.ESRCH) {
			continue // that of an onThread has ended by now
		}
		if got := time.Duration(attr.Runtime); err != nil || got != Short {
			t.Errorf("thread %d takes turns of %v, %v, want %v", thread, got, err, Short)
		}
	}
	onThread(func() {
		if got := time.Duration(own(t).Runtime); got != Short {
			t.Errorf("a new thread takes turns of %v, want %v", got, Short)
		}
		if err := Usual(); err != nil {
			t.Error(err)
		}
		if got := time.Duration(own(t).Runtime); got <= Short {
			t.Errorf("after Usual a thread takes turns of %v, want more than %v", got, Short)
		}
	})
	onThread(func() {
		if got := time.Duration(own(t).Runtime); got != Short {
			t.Errorf("Usual of one thread made the turns of another %v, want %v", got, Short)
		}
	})
}

// TestSetKeeps: what the administrator has chosen with nice(1) and chrt(1) stays, on a
// kernel without turns, too.
func TestSetKeeps(t *testing.T) {
	for _, want := range []unix.SchedAttr{
		{Policy: unix.SCHED_NORMAL, Nice: 7},
		{Policy: unix.SCHED_BATCH, Nice: 3},
		{Policy: unix.SCHED_FIFO, Priority: 2},
		{Policy: unix.SCHED_IDLE},
	} {
		onThread(func() {
			if err := unix.SchedSetAttr(0, &want, 0); err != nil {
				t.Errorf("%+v: %v", want, err) // FIFO and less nice need root
				return
			}
			for _, turn := range []time.Duration{Short, 0} {
				if err := set(0, turn); err != nil {
					t.Errorf("%+v: %v", want, err)
				}
				if got := own(t); got.Policy != want.Policy || got.Nice != want.Nice || got.Priority != want.Priority {
					t.Errorf("a turn of %v makes %+v of %+v", turn, got, want)
				}
			}
		})
	}
}
