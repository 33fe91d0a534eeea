package netio

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fakeXDPSocket is a socket in ordinary memory, whose kernel is the test.
func fakeXDPSocket(g xdpGeometry) *xdpSocket {
	s := &xdpSocket{fd: -1, memory: make([]byte, (g.rxChunks+g.txChunks)*g.chunk)}
	s.fill, s.completion = fakeXDPRing[uint64](g.rxChunks), fakeXDPRing[uint64](g.txChunks)
	s.rx, s.tx = fakeXDPRing[unix.XDPDesc](g.rxChunks), fakeXDPRing[unix.XDPDesc](g.txChunks)
	return s
}

func fakeXDPRing[E uint64 | unix.XDPDesc](n int) xdpRing[E] {
	return xdpRing[E]{producer: new(uint32), consumer: new(uint32), flags: new(uint32), entries: make([]E, ringEntries(n))}
}

func TestXDPGeometry(t *testing.T) {
	for _, c := range []struct{ mtu, chunk, perFrame int }{
		{68, 2048, 1}, {1500, 2048, 1}, {1554, 2048, 1}, {1555, 4096, 1}, {3602, 4096, 1}, {3603, 4096, 2}, {9000, 4096, 3}, {65536, 4096, 5},
	} {
		for _, queues := range []int{1, 4, 64} {
			for _, sends := range []bool{true, false} {
				const memory = 16 << 20
				g, err := newXDPGeometry(c.mtu, memory, queues, sends, true)
				if err != nil {
					t.Errorf("MTU %d, %d queues: %v", c.mtu, queues, err)
				}
				used := (g.rxChunks*queues+g.txChunks)*g.chunk + g.slots*g.slotBytes
				if g.chunk != c.chunk || g.perFrame != c.perFrame || used > memory || used < memory*8/10 {
					t.Errorf("MTU %d, %d queues: %d bytes of %d: %+v", c.mtu, queues, used, memory, g)
				}
				if g.perFrame*g.room() < g.maxFrame || g.slotBytes < frameOffset+g.maxFrame {
					t.Errorf("MTU %d: no room for a frame: %+v", c.mtu, g)
				}
			}
		}
	}
	for _, mtu := range []int{1500, 3000, 9000} {
		if g, err := newXDPGeometry(mtu, 4<<20, 1, true, false); err != nil || g.room()%128 != 0 {
			t.Errorf("MTU %d, zero copy: room of %d bytes, %v: a device may write more", mtu, g.room(), err)
		}
	}
	if _, err := newXDPGeometry(9000, 1<<20, 64, true, true); err == nil {
		t.Error("1 MiB is enough for 64 queues at MTU 9000")
	}
}

// FuzzXDPTake feeds descriptors that no kernel would write: what is lent lies in the link's memory and has no spare
// capacity, and each chunk is given back once.
func FuzzXDPTake(f *testing.F) {
	f.Add(uint64(frameOffset), uint32(60), uint32(0), uint64(4096+frameOffset), uint32(60), uint32(0))
	f.Add(uint64(frameOffset), uint32(3620), uint32(1), uint64(4096+frameOffset), uint32(500), uint32(0))
	f.Add(uint64(0), uint32(1<<31), uint32(1), ^uint64(0), ^uint32(0), uint32(1))
	const copies = true
	f.Fuzz(func(t *testing.T, addr1 uint64, len1, options1 uint32, addr2 uint64, len2, options2 uint32) {
		g, err := newXDPGeometry(9000, 1<<18, 1, true, copies)
		if err != nil {
			t.Fatal(err)
		}
		s := fakeXDPSocket(g)
		r := xdpReceiver{geometry: g, queues: []xdpQueue{{socket: s}}, slots: make([]byte, g.slots*g.slotBytes)}
		*s.rx.entry(0) = unix.XDPDesc{Addr: addr1, Len: len1, Options: options1}
		*s.rx.entry(1) = unix.XDPDesc{Addr: addr2, Len: len2, Options: options2}
		*s.rx.producer = 2
		frames := make([][]byte, 4)
		n, dropped := r.take(frames)
		for _, frame := range frames[:n] {
			if cap(frame) != len(frame) || len(frame) < ethernetHeaderBytes || len(frame) > g.maxFrame {
				t.Fatalf("a frame of %d bytes, capacity %d", len(frame), cap(frame))
			}
			if !within(frame, s.memory) && !within(frame, r.slots) {
				t.Fatal("a frame outside the memory")
			}
		}
		r.release()
		if back := *s.fill.producer; back != *s.rx.consumer || back > 2 || n+dropped > int(back) {
			t.Fatalf("%d descriptors consumed, %d chunks given back, %d frames, %d dropped", *s.rx.consumer, back, n, dropped)
		}
	})
}

func within(part, whole []byte) bool {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(part))) - uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return at+uintptr(len(part)) <= uintptr(len(whole))
}

// TestXDPAbandonsWholeFrames stops in the middle of a frame: its rest stays for the kernel, whose it is, and what
// follows is neither sent nor lost to us.
func TestXDPAbandonsWholeFrames(t *testing.T) {
	g, err := newXDPGeometry(9000, 1<<18, 1, true, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ consumed, completed, frames, free int }{
		{0, 0, 4, g.txChunks},       // nothing was taken
		{1, 0, 3, g.txChunks - 3},   // one of three pieces was
		{2, 0, 3, g.txChunks - 3},   // two
		{3, 3, 3, g.txChunks},       // the first frame is out
		{3, 0, 3, g.txChunks - 3},   // the first frame is on its way
		{4, 3, 2, g.txChunks - 3},   // and a piece of the second was taken
		{0, 3, 3, g.txChunks},       // the first was refused, which the index does not say yet
		{12, 0, 0, g.txChunks - 12}, // all is on its way
	} {
		socket := fakeXDPSocket(g)
		s := new(xdpSender)
		s.init(socket, g, 9000)
		var order []uint64
		for range 4 {
			if !s.put(make([]byte, 36), make([]byte, 8978)) {
				t.Fatal("no room")
			}
		}
		for i := range socket.tx.index {
			order = append(order, socket.tx.entry(i).Addr)
		}
		*socket.tx.consumer = uint32(c.consumed)
		for i := range c.completed {
			*socket.completion.entry(uint32(i)) = order[i]
		}
		*socket.completion.producer = uint32(c.completed)
		if frames := s.abandon(); frames != c.frames || len(s.free) != c.free {
			t.Errorf("%+v: abandoned %d, %d chunks free", c, frames, len(s.free))
		}
		seen := make(map[uint64]bool)
		for _, address := range s.free {
			if seen[address] {
				t.Errorf("%+v: chunk %d is free twice", c, address)
			}
			seen[address] = true
		}
		for i := uint32(c.consumed); i < socket.tx.index; i++ {
			if d := socket.tx.entry(i); d.Addr != noAddress && seen[d.Addr] {
				t.Errorf("%+v: the kernel would send chunk %d, which is free", c, d.Addr)
			}
		}
	}
}
