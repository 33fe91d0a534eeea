package disk

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRegisterBuffers has requests in registered memory, beside it and over its end, and a registration that fails.
func TestRegisterBuffers(t *testing.T) {
	for _, kind := range queues[1:] {
		t.Run(kind.name, func(t *testing.T) {
			file, content := image(t, "", 64<<10)
			q, s := made(t, kind.make).(*UringQueue), open(t, loopDevice(t, file), Options{Policy: Direct})
			memory := buffers(t, 64<<10)
			registered := memory[8192 : 32<<10]
			if err := q.RegisterBuffers(registered); err != nil {
				t.Fatal(err)
			}
			if err := q.RegisterBuffers(memory); !errors.Is(err, unix.EBUSY) {
				t.Errorf("a second registration gives %v", err)
			}
			for at := 0; at+4096 <= len(memory); at += 2048 {
				data := memory[at:][:4096]
				within := at >= 8192 && at+4096 <= 32<<10
				if op := q.opcode(Read, data); (op == opReadFixed) != within {
					t.Errorf("memory at %d is read into by operation %d", at, op)
				}
				if op := q.opcode(WriteDurable, data); (op == opWriteFixed) != within {
					t.Errorf("memory at %d is written by operation %d", at, op)
				}
				for _, op := range []Op{Read, Write, WriteDurable} {
					if op != Read {
						copy(data, randomBytes(4096))
						copy(content[at:], data)
					}
					if err := do(t, q, s, op, data, int64(at)); err != nil {
						t.Fatal(err)
					}
					wantSame(t, data, content[at:][:4096])
				}
			}
			if q.carried == 0 || q.handed != 0 {
				t.Errorf("the ring carried %d requests and handed over %d", q.carried, q.handed)
			}
			got := make([]byte, len(content))
			check(t, map[uint64]error{0: do(t, q, s, Read, got, 0)})
			wantSame(t, got, content)
		})
	}
}

// TestEndsOfTurns truncates files between turns and within one.
func TestEndsOfTurns(t *testing.T) {
	path, _ := image(t, "", 8192)
	s := open(t, path, Options{})
	var e ends
	data := make([]byte, 4096)
	truncated := func(sizeBytes int64, want error) {
		t.Helper()
		if err := unix.Truncate(path, sizeBytes); err != nil {
			t.Fatal(err)
		}
		if err := e.check(s, data, 4096); err != want {
			t.Errorf("with %d bytes: %v, want %v", sizeBytes, err, want)
		}
	}
	truncated(8192, nil)
	truncated(8191, nil) // still the same turn
	e.next()
	truncated(8191, ErrShort)
	truncated(8192, nil) // what does not fit is asked for again
	s.Close()
	other := open(t, path, Options{}) // with the same descriptor, perhaps
	if err := e.check(other, data, 8192); err != ErrShort {
		t.Errorf("of another store: %v", err)
	}
}

// TestLockedMemory: who may lock less than the buffers learns how much that is.
func TestLockedMemory(t *testing.T) {
	var was unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &was)
	if err == nil {
		err = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 256 << 10, Max: was.Max})
	}
	if err != nil {
		t.Fatal(err)
	}
	memory, refused := buffers(t, 1<<20), make(chan error)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends without its capability
		refused <- registerBounded(memory)
	}()
	err = <-refused
	if back := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &was); back != nil {
		t.Error(back)
	}
	if !errors.Is(err, unix.ENOMEM) || !strings.Contains(err.Error(), "the limit of locked memory is 262144 bytes") {
		t.Error(err)
	}
}

// registerBounded takes CAP_IPC_LOCK from this thread, and registers memory.
func registerBounded(memory []byte) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << unix.CAP_IPC_LOCK
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	q, err := newUring(ringEntries, ringInFlight, ioUringSetup)
	if err != nil {
		return err
	}
	return errors.Join(q.RegisterBuffers(memory), q.Close())
}
