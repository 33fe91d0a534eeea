package netiotest_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
)

func pipe(t *testing.T, mtu int) (a, b netio.Link) {
	t.Helper()
	a, b = netiotest.Pipe(mtu)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func readable(t *testing.T, l netio.Link) bool {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

func TestPipeCarriesBatches(t *testing.T) {
	a, b := pipe(t, 1500)
	header, payload := bytes.Repeat([]byte{1}, 36), bytes.Repeat([]byte{2}, 1024)
	if readable(t, b) {
		t.Error("readable before anything was sent")
	}
	sent, err := a.Send([][]byte{header, header, header[:13], make([]byte, 1515)}, [][]byte{payload})
	if sent != 2 || err != nil || a.SendDrops() != 2 {
		t.Fatalf("sent %d, %v, drops %d, want 2, nil, 2", sent, err, a.SendDrops())
	}
	if !readable(t, b) {
		t.Error("not readable with frames waiting")
	}
	frames := make([][]byte, 8)
	n, err := b.Receive(frames)
	if n != 2 || err != nil {
		t.Fatalf("received %d, %v, want 2", n, err)
	}
	if !bytes.Equal(frames[0], append(bytes.Clone(header), payload...)) || !bytes.Equal(frames[1], header) {
		t.Error("frames differ from what was sent")
	}
	if cap(frames[0]) != len(frames[0]) || uintptr(unsafe.Pointer(&frames[0][36]))%512 != 0 {
		t.Error("frame has spare capacity, or its data is not aligned")
	}
	b.Release()
	if n, _ := b.Receive(frames); n != 0 || readable(t, b) {
		t.Errorf("%d frames after the last, or still readable", n)
	}
}

func TestPipeDropsWhenFullAndGoesOn(t *testing.T) {
	a, b := pipe(t, 1500)
	f := [][]byte{make([]byte, 60)}
	for range 300 {
		a.Send(f, nil)
	}
	frames := make([][]byte, 300)
	n, _ := b.Receive(frames)
	if uint64(n)+b.ReceiveDrops() != 300 || n == 0 || b.ReceiveDrops() == 0 {
		t.Errorf("received %d and dropped %d of 300", n, b.ReceiveDrops())
	}
	b.Release()
	a.Send(f, nil)
	if n, _ := b.Receive(frames); n != 1 {
		t.Errorf("received %d after the queue was emptied, want 1", n)
	}
	b.Release()
}

func TestPipeClose(t *testing.T) {
	a, b := pipe(t, 1500)
	a.Close()
	a.Close()
	if _, err := a.Receive(make([][]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Receive after Close: %v", err)
	}
	if _, err := a.Send([][]byte{make([]byte, 60)}, nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	if sent, err := b.Send([][]byte{make([]byte, 60)}, nil); sent != 1 || err != nil {
		t.Errorf("Send to a closed end: %d, %v", sent, err)
	}
}

func TestPipeAllocatesNothing(t *testing.T) {
	a, b := pipe(t, 9000)
	headers, payloads := [][]byte{make([]byte, 36)}, [][]byte{make([]byte, 4096)}
	frames := make([][]byte, 4)
	got := 0
	if allocs := testing.AllocsPerRun(100, func() {
		a.Send(headers, payloads)
		n, _ := b.Receive(frames)
		got += n
		b.Release()
	}); allocs != 0 || got == 0 {
		t.Errorf("%v allocations per frame, %d frames", allocs, got)
	}
}
