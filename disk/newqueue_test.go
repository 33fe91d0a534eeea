package disk

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNewQueue(t *testing.T) {
	for _, kind := range []string{"auto", "uring", "sync"} {
		q, note, err := NewQueue(kind)
		if err != nil || note != "" {
			t.Fatalf("%s: note %q, %v", kind, note, err)
		}
		if _, isRing := q.(*UringQueue); isRing != (kind != "sync") {
			t.Errorf("%s gives a %T", kind, q)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, kind := range []string{"", "Uring", "threads"} {
		if q, _, err := NewQueue(kind); q != nil || err == nil || !strings.Contains(err.Error(), "auto, uring or sync") {
			t.Errorf("kind %q gives %v, %v", kind, q, err)
		}
	}
}

// TestNewQueueInSandbox is about a process that may not use io_uring, or whose kernel has none.
func TestNewQueueInSandbox(t *testing.T) {
	path, content := image(t, "", 8192)
	s := open(t, path, Options{Policy: Direct})
	for errno, remedy := range map[unix.Errno]string{unix.EPERM: "kernel.io_uring_disabled", unix.ENOSYS: "Linux 5.10"} {
		before := descriptors(t)
		withoutUring(t, errno, func() {
			if q, _, err := NewQueue("uring"); q != nil || !errors.Is(err, errno) || !strings.Contains(text(err), remedy) {
				t.Errorf("uring gives %v, %v", q, err)
			}
			q, note, err := NewQueue("auto")
			if err != nil || !strings.Contains(note, remedy) {
				t.Errorf("auto gives the note %q, %v", note, err)
				return
			}
			data := buffers(t, 8192)
			if err := do(t, q, s, Read, data, 0); err != nil {
				t.Error(err)
			}
			wantSame(t, data, content)
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		})
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors are open, want %d", after, before)
		}
	}
}

// TestNewUringLeaksNothing fails at each step after the ring was made.
func TestNewUringLeaksNothing(t *testing.T) {
	before := descriptors(t)
	for name, damage := range map[string]func(fd int, p *ringParams){
		"features": func(_ int, p *ringParams) { p.features = 0 },
		"probe":    func(fd int, _ *ringParams) { replaceByPipe(t, fd) },
	} {
		q, err := newUring(ringEntries, ringInFlight, func(entries uint32, p *ringParams) (int, unix.Errno) {
			fd, errno := ioUringSetup(entries, p)
			if errno == 0 {
				damage(fd, p)
			}
			return fd, errno
		})
		if q != nil || err == nil || !strings.Contains(err.Error(), "5.10") {
			t.Errorf("%s: %v, %v", name, q, err)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, want %d", after, before)
	}
}

// replaceByPipe makes fd, a ring, something else.
func replaceByPipe(t *testing.T, fd int) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(ends[0], fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	unix.Close(ends[0])
	unix.Close(ends[1])
}
