package netio

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKernelLayouts compares our structures with linux/if_packet.h, linux/if.h and sendmmsg(2).
func TestKernelLayouts(t *testing.T) {
	var h unix.Tpacket2Hdr
	var m mmsghdr
	var i ifreqIndex
	word := unsafe.Sizeof(uintptr(0))
	for _, c := range []struct {
		what      string
		got, want uintptr
	}{
		{"tpacket2_hdr.tp_status", unsafe.Offsetof(h.Status), 0},
		{"tpacket2_hdr.tp_len", unsafe.Offsetof(h.Len), 4},
		{"tpacket2_hdr.tp_snaplen", unsafe.Offsetof(h.Snaplen), 8},
		{"tpacket2_hdr.tp_mac", unsafe.Offsetof(h.Mac), 12},
		{"tpacket2_hdr.tp_net", unsafe.Offsetof(h.Net), 14},
		{"tpacket2_hdr.tp_sec", unsafe.Offsetof(h.Sec), 16},
		{"tpacket2_hdr.tp_nsec", unsafe.Offsetof(h.Nsec), 20},
		{"tpacket2_hdr.tp_vlan_tci", unsafe.Offsetof(h.Vlan_tci), 24},
		{"sizeof tpacket2_hdr", unsafe.Sizeof(h), 32},
		{"TPACKET2_HDRLEN", ringHeaderBytes, 52},
		{"frame without PACKET_RESERVE", ringFrameDefault, 66},
		{"sizeof sockaddr_ll", unsafe.Sizeof(unix.RawSockaddrLinklayer{}), 20},
		{"sockaddr_ll.sll_ifindex", unsafe.Offsetof(unix.RawSockaddrLinklayer{}.Ifindex), 4},
		{"mmsghdr.msg_len", unsafe.Offsetof(m.length), unsafe.Sizeof(unix.Msghdr{})},
		{"sizeof mmsghdr", unsafe.Sizeof(m), unsafe.Sizeof(unix.Msghdr{}) + word},
		{"sizeof iovec", unsafe.Sizeof(unix.Iovec{}), 2 * word},
		{"ifreq.ifr_ifindex", unsafe.Offsetof(i.index), 16},
		{"sizeof ifreq", unsafe.Sizeof(i), 40},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

func TestFrameDataIsAlignedAndCapped(t *testing.T) {
	eachKind(t, 9000, Options{}, func(t *testing.T, p *pairOfLinks) {
		frames := make([][]byte, 1)
		for i := range 100 { // several slots, over more than one block
			send(t, p.a, frame(p.macB, p.macA, 36+4096, i))
			for n := 0; n == 0; {
				waitReadable(t, p.b)
				var err error
				if n, err = p.b.Receive(frames); err != nil {
					t.Fatal(err)
				}
			}
			f := frames[0]
			if cap(f) != len(f) || uintptr(unsafe.Pointer(&f[dataOffset]))%slotAlign != 0 {
				t.Fatalf("frame %d: capacity %d for %d bytes, data at %p", i, cap(f), len(f), &f[dataOffset])
			}
			p.b.Release()
		}
	})
}

// TestFrameDataGoesToDiskInPlace writes from borrowed memory with O_DIRECT, as a target does.
func TestFrameDataGoesToDiskInPlace(t *testing.T) {
	eachKind(t, 9000, Options{}, func(t *testing.T, p *pairOfLinks) {
		path := filepath.Join(t.TempDir(), "disk")
		fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("needs a file system with O_DIRECT for %s: %v", path, err)
			}
			t.Skipf("O_DIRECT on the file system of %s: %v", path, err)
		}
		defer unix.Close(fd)
		f := frame(p.macB, p.macA, 36+4096, 1)
		send(t, p.a, f)
		frames := make([][]byte, 1)
		for n := 0; n == 0; n, err = p.b.Receive(frames) {
			waitReadable(t, p.b)
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := unix.Pwrite(fd, frames[0][dataOffset:], 0)
		p.b.Release()
		if n != 4096 || err != nil {
			t.Fatalf("wrote %d bytes, %v", n, err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, f[dataOffset:]) {
			t.Errorf("the file differs from the frame, %v", err)
		}
	})
}

// fakeRing is a ring in ordinary memory that the test fills in the kernel's place.
type fakeRing struct {
	rxRing
	kernel cursor
	stamp  uint32 // of the next frames, in seconds; zero is none
}

func newFakeRing(mtu, blocks int) *fakeRing {
	request := ringGeometry(mtu, blocks*minBlockBytes, minBlockBytes)
	r := &fakeRing{}
	r.init(make([]byte, blocks*minBlockBytes), request)
	r.kernel = r.next
	return r
}

// fill puts a frame of that length, cut to snaplen, into the next slot; false when the ring is full.
func (r *fakeRing) fill(number byte, length, snaplen uint32) bool {
	slot := r.memory[r.kernel.offset : r.kernel.offset+r.slot]
	h := header(slot)
	if h.Status != unix.TP_STATUS_KERNEL {
		return false
	}
	h.Len, h.Snaplen, h.Mac = length, snaplen, frameOffset
	h.Sec = r.stamp
	slot[frameOffset] = number
	storeStatus(slot, unix.TP_STATUS_USER)
	r.advance(&r.kernel)
	return true
}

func TestRingTurnsWithoutLosingOrRepeating(t *testing.T) {
	r := newFakeRing(9000, 3) // three slots a block, and a rest
	if r.slots != 9 || r.gap == 0 {
		t.Fatalf("%d slots, gap %d: not the case to test", r.slots, r.gap)
	}
	frames := make([][]byte, 4)
	in, out := 0, 0
	for range 100 {
		for range 5 {
			if r.fill(byte(in), 60, 60) {
				in++
			}
		}
		n, truncated := r.take(frames)
		for _, f := range frames[:n] {
			if len(f) != 60 || f[0] != byte(out) || truncated != 0 {
				t.Fatalf("frame %d: %d bytes, number %d", out, len(f), f[0])
			}
			out++
		}
		if out%3 == 0 {
			r.release()
		}
	}
	if out < 100 || in-out > r.slots {
		t.Errorf("%d in, %d out", in, out)
	}
}

func TestRingNeverLendsASlotTwice(t *testing.T) {
	r := newFakeRing(9000, 2)
	for i := 0; r.fill(byte(i), 60, 60); i++ {
	}
	frames := make([][]byte, 100)
	if n, _ := r.take(frames); n != r.slots {
		t.Errorf("took %d of %d", n, r.slots)
	}
	if n, _ := r.take(frames); n != 0 {
		t.Errorf("took %d more before release", n)
	}
	r.release()
	if !r.fill(1, 60, 60) {
		t.Error("released slot is not the kernel's")
	}
}

func TestRingGivesBackBadSlotsAtOnce(t *testing.T) {
	r := newFakeRing(1500, 1)
	for range 3 * r.slots {
		r.fill(0, 9000, 1000)
		if n, truncated := r.take(make([][]byte, 2)); n != 0 || truncated != 1 || r.held != 0 {
			t.Fatalf("took %d, truncated %d, holding %d", n, truncated, r.held)
		}
	}
	r.fill(1, 60, 60)
	r.fill(2, 9000, 1000)
	r.fill(3, 60, 60)
	frames := make([][]byte, 2)
	if n, truncated := r.take(frames); n != 2 || truncated != 1 || frames[1][0] != 3 || r.held != 3 {
		t.Errorf("took %d, truncated %d, holding %d", n, truncated, r.held)
	}
}

// FuzzSlotFrame feeds slots that no kernel would write: a frame lies within its slot, or there is none.
func FuzzSlotFrame(f *testing.F) {
	f.Add(uint32(60), uint32(60), uint16(frameOffset))
	f.Add(uint32(60), uint32(1<<31), uint16(0xffff))
	f.Fuzz(func(t *testing.T, length, snaplen uint32, mac uint16) {
		slot := make([]byte, 2048)
		h := header(slot)
		h.Len, h.Snaplen, h.Mac = length, snaplen, mac
		for i := ringHeaderBytes; i < len(slot); i += 2 {
			binary.NativeEndian.PutUint16(slot[i:], uint16(i))
		}
		frame, ok := slotFrame(slot)
		if !ok {
			return
		}
		if len(frame) != int(snaplen) || cap(frame) != len(frame) || snaplen < length {
			t.Fatalf("frame of %d bytes, capacity %d, for %d of %d", len(frame), cap(frame), snaplen, length)
		}
		if !bytes.Equal(frame, slot[mac:int(mac)+len(frame)]) || mac < ringHeaderBytes {
			t.Fatal("frame is not where the header says, or overlaps it")
		}
	})
}

func TestWaitingForRoomIsBounded(t *testing.T) {
	s := sender{}
	s.init(-1)
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.ENOBUFS} {
		s.waits = 0
		for range maxWaits {
			if v := s.judge(errno); v != retryFrame {
				t.Fatalf("%v: verdict %d before the waits are used up", errno, v)
			}
		}
		if v := s.judge(errno); v != dropFrame {
			t.Errorf("%v: verdict %d after %d waits, want drop", errno, v, maxWaits)
		}
	}
}
