package main_test

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// raw is the other end of the daemon's interface: it sends any frame, from
// whomever, and sees every reply, for whomever.
type raw struct {
	t        *testing.T
	fd       int
	index    int
	mac, far aoe.MAC
	probe    aoe.Addr // an export that answers raw whatever happens
	tag      uint32
	buffer   []byte
}

// newRaw opens eth0 of there, whose other end is eth0 of here.
func newRaw(t *testing.T, here, there netiotest.Netns, probe aoe.Addr) *raw {
	t.Helper()
	w := &raw{t: t, probe: probe, tag: 1 << 24, buffer: make([]byte, 1<<16)}
	w.far = aoe.MAC(lookup(t, here, "eth0").MAC)
	near := lookup(t, there, "eth0")
	w.index, w.mac = near.Index, aoe.MAC(near.MAC)
	there.Do(func() {
		var err error
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Fatal(os.NewSyscallError("socket", err))
		}
	})
	t.Cleanup(func() { unix.Close(w.fd) })
	const etherType = aoe.EtherType>>8 | aoe.EtherType&0xff<<8 // in network order: packet(7)
	for _, err := range []error{
		unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: etherType, Ifindex: w.index}),
	} {
		if err != nil {
			t.Fatalf("packet socket: %v", err)
		}
	}
	return w
}

func lookup(t *testing.T, ns netiotest.Netns, netif string) (info netio.Interface) {
	t.Helper()
	ns.Do(func() {
		var err error
		if info, err = netio.Lookup(netif); err != nil {
			t.Fatal(err)
		}
	})
	return info
}

// request is a frame of src's under a new tag.
func (w *raw) request(src aoe.MAC, addr aoe.Addr, command aoe.Command, size int) []byte {
	w.tag++
	frame := make([]byte, size)
	aoe.Header{Dst: w.far, Src: src, Version: aoe.Version, Addr: addr, Command: command, Tag: w.tag}.Put(frame)
	return frame
}

// ata is an ATA command of src's.
func (w *raw) ata(src aoe.MAC, addr aoe.Addr, a aoe.ATA, data []byte) []byte {
	frame := append(w.request(src, addr, aoe.CmdATA, aoe.ATASize), data...)
	a.Put(frame)
	return frame
}

func (w *raw) send(frame []byte) {
	w.t.Helper()
	if err := unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index}); err != nil {
		w.t.Fatalf("sending %d bytes: %v", len(frame), err)
	}
}

// exchange sends frames, few enough for the buffers of an export, and returns the
// replies by tag: those that came before the daemon answered what was sent behind
// the frames, and at least want of them.
func (w *raw) exchange(frames [][]byte, want int) map[uint32][][]byte {
	w.t.Helper()
	asked := map[uint32]bool{}
	for _, frame := range frames {
		w.send(frame)
		h, _ := aoe.DecodeHeader(frame)
		asked[h.Tag] = true
	}
	probe := w.request(w.mac, w.probe, aoe.CmdConfig, aoe.ConfigSize)
	w.send(probe)
	replies, n := map[uint32][][]byte{}, 0
	for probed := false; !probed || n < want; {
		reply := w.receive()
		if reply == nil {
			w.t.Errorf("%d replies, want %d; the probe was answered: %v", n, want, probed)
			return replies
		}
		h, ok := aoe.DecodeHeader(reply)
		switch {
		case !ok || !h.Response || h.Tag == 0: // a question or an announcement
		case h.Tag == w.tag:
			probed = true
		case !asked[h.Tag] && h.Addr != w.probe:
			w.t.Errorf("a late reply: % x", reply[:min(len(reply), aoe.ATASize)])
		default:
			replies[h.Tag] = append(replies[h.Tag], reply)
			if h.Addr != w.probe {
				n++
			}
		}
	}
	return replies
}

// receive is the next frame, or nil if none comes.
func (w *raw) receive() []byte {
	w.t.Helper()
	for end := time.Now().Add(patience); ; {
		n, _, err := unix.Recvfrom(w.fd, w.buffer, unix.MSG_DONTWAIT)
		switch {
		case err == nil:
			return append([]byte(nil), w.buffer[:n]...)
		case err != unix.EAGAIN && err != unix.EINTR:
			w.t.Fatalf("recvfrom: %v", err)
		case time.Now().After(end):
			return nil
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, 100)
	}
}

// lba48 and lba28 are the registers of an address.
func lba48(lba uint64) (r [6]byte) {
	for i := range r {
		r[i] = byte(lba >> (8 * i))
	}
	return r
}

func lba28(lba uint64) (r [6]byte) {
	r = lba48(lba & 0xfffffff)
	r[3] |= 0xe0
	return r
}
