package engine

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// wire is the other end of an interface: it sends and sees any AoE frame,
// whoever it is from or for.
type wire struct {
	t     testing.TB
	fd    int
	index int
	tag   uint32
}

// etherTypeWire is the EtherType as packet(7) wants it, in network order.
const etherTypeWire = aoe.EtherType>>8 | aoe.EtherType&0xff<<8

func openWire(t testing.TB, ns netiotest.Netns, netif string) *wire {
	t.Helper()
	w := &wire{t: t}
	ns.Do(func() {
		info, err := netio.Lookup(netif)
		if err != nil {
			t.Fatal(err)
		}
		w.index = info.Index
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(w.fd) })
		to := unix.SockaddrLinklayer{Protocol: etherTypeWire, Ifindex: w.index}
		for _, err := range []error{
			unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
			unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20),
			unix.Bind(w.fd, &to),
		} {
			if err != nil {
				t.Fatal(os.NewSyscallError("packet socket", err))
			}
		}
	})
	return w
}

// send puts a frame on the wire, unless it is none that a wire carries.
func (w *wire) send(frame []byte) {
	w.t.Helper()
	err := unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index})
	if err != nil && err != unix.EMSGSIZE && err != unix.EINVAL {
		w.t.Fatal(os.NewSyscallError("sendto", err))
	}
}

// Waiting for frames: how long for one that must come, and for one that must
// not from an interface that answers nothing at all.
const (
	forFrame   = 20 * time.Second
	forSilence = 50 * time.Millisecond
)

// A mark is an export that answers only to one host, the wire itself: its
// answer tells that its worker is done with all that was sent before.
const markShelf = 65000

func mark(i int) aoe.Addr { return aoe.Addr{Shelf: markShelf, Slot: uint8(200 + i)} }

var markHost = aoe.MAC{0x02, 0xff, 0, 0, 0, 1}

// collect returns the frames that the target has sent because of all that was
// done before, at least want of them unless it takes too long. Each worker has
// a mark; mute tells that the target serves nothing here.
func (w *wire) collect(want, marks int, mute bool) [][]byte {
	w.t.Helper()
	var frames [][]byte
	keep := func(frame []byte) (h aoe.Header) {
		if h, _ = aoe.DecodeHeader(frame); h.Addr.Shelf != markShelf {
			frames = append(frames, frame)
		}
		return h
	}
	if mute {
		for frame := w.receive(forSilence); frame != nil; frame = w.receive(forSilence) {
			keep(frame)
		}
		return frames
	}
	// Twice: a worker that looked for operations just before the first is sure
	// to look again before the second.
	for i := range 2 * marks {
		asked := mark(i % marks)
		w.tag++
		query := make([]byte, aoe.MinFrame)
		aoe.Header{Dst: aoe.Broadcast, Src: markHost, Version: aoe.Version, Addr: asked, Command: aoe.CmdConfig, Tag: w.tag}.Put(query)
		w.send(query)
		for answered := false; !answered; {
			frame := w.receive(forFrame)
			if frame == nil {
				w.t.Fatal("the target does not answer any more")
			}
			h := keep(frame)
			answered = h.Addr == asked && h.Tag == w.tag
		}
	}
	for len(frames) < want { // transfers that the disk has not finished
		frame := w.receive(forFrame)
		if frame == nil {
			break
		}
		keep(frame)
	}
	return frames
}

// receive returns the next frame that comes within wait, or nil.
func (w *wire) receive(wait time.Duration) []byte {
	w.t.Helper()
	ready := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
	for end := time.Now().Add(wait); ; {
		n, err := unix.Poll(ready, int(max(time.Until(end), 0).Milliseconds()))
		if err != nil && err != unix.EINTR {
			w.t.Fatal(os.NewSyscallError("poll", err))
		}
		if n > 0 {
			break
		}
		if !time.Now().Before(end) {
			return nil
		}
	}
	b := make([]byte, 1<<16)
	n, _, err := unix.Recvfrom(w.fd, b, unix.MSG_DONTWAIT)
	if err != nil {
		w.t.Fatal(os.NewSyscallError("recvfrom", err))
	}
	return b[:n:n]
}
