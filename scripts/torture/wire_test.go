package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/target/aoe"
)

// rigOf moves the calling test into a rig of its own, which lasts as long as it.
func rigOf(t *testing.T) *rig {
	t.Helper()
	r, err := newRig(program(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // on the test's own goroutine
		if err := r.close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// wire is the other end of an interface of the target: it sends and sees any
// frame, whoever it is from or for.
type wire struct {
	t        testing.TB
	fd       int
	index    int
	mac, far aoe.MAC
	probe    aoe.Addr // the export that is asked, which answers the wire's own initiator
	tag      uint32
}

// other is an initiator besides the wire's own.
var other = aoe.MAC{2, 0, 0, 0, 0, 0xb}

// newWire opens the end of a line of the rig.
func newWire(t testing.TB, netif, far string, probe aoe.Addr) *wire {
	t.Helper()
	w := &wire{t: t, probe: probe, tag: 1 << 24}
	near, err := netio.Lookup(netif)
	if err != nil {
		t.Fatalf("%v", err)
	}
	there, err := netio.Lookup(far)
	if err != nil {
		t.Fatalf("%v", err)
	}
	w.index, w.mac, w.far = near.Index, near.MAC, there.MAC
	w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("%v", os.NewSyscallError("socket", err))
	}
	const etherType = aoe.EtherType>>8 | aoe.EtherType&0xff<<8 // in network order: packet(7)
	for _, err := range []error{
		unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 32<<20), // for all that others read
		unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: etherType, Ifindex: w.index}),
	} {
		if err != nil {
			t.Fatalf("packet socket: %v", err)
		}
	}
	t.Cleanup(func() { unix.Close(w.fd) })
	return w
}

// request is a frame of the wire's own initiator under a new tag; change makes
// another of it.
func (w *wire) request(addr aoe.Addr, command aoe.Command, size int) []byte {
	w.tag++
	frame := make([]byte, size)
	aoe.Header{Dst: w.far, Src: w.mac, Version: aoe.Version, Addr: addr, Command: command, Tag: w.tag}.Put(frame)
	return frame
}

func (w *wire) config(addr aoe.Addr, c aoe.Config) []byte {
	frame := w.request(addr, aoe.CmdConfig, aoe.ConfigSize+len(c.String))
	c.Put(frame)
	frame[29] &= 0x0f // as initiators send it
	return frame
}

func (w *wire) ata(addr aoe.Addr, a aoe.ATA, data []byte) []byte {
	frame := append(w.request(addr, aoe.CmdATA, aoe.ATASize), data...)
	a.Put(frame)
	return frame
}

// from gives a request another source.
func from(mac aoe.MAC, frame []byte) []byte {
	copy(frame[6:], mac[:])
	return frame
}

// toAll sends a request to the broadcast address.
func toAll(frame []byte) []byte {
	copy(frame, aoe.Broadcast[:])
	return frame
}

func (w *wire) send(frame []byte) {
	w.t.Helper()
	if err := unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index}); err != nil {
		w.t.Fatalf("sending %d bytes: %v", len(frame), err)
	}
}

// ask sends a frame and returns the replies to it: those that came before the
// target answered what was sent behind it, and at least want of them.
func (w *wire) ask(want int, frame []byte) (replies [][]byte) {
	w.t.Helper()
	w.send(frame)
	probe := w.config(w.probe, aoe.Config{})
	w.send(probe)
	for probed := false; !probed || len(replies) < want; {
		reply := w.receive()
		switch h, _ := aoe.DecodeHeader(reply); {
		case h.Tag == w.tag && h.Addr == w.probe:
			probed = true
		case h.Dst.Group(): // an announcement
		case h.Tag>>31 == 1: // to an initiator, as package initiator's tags are
		default:
			w.checkReply(frame, reply)
			replies = append(replies, reply)
		}
	}
	if len(replies) != want {
		w.t.Fatalf("%d replies to % x, want %d", len(replies), frame[:min(len(frame), aoe.ATASize)], want)
	}
	return replies
}

// one is the only reply to a frame.
func (w *wire) one(frame []byte) (aoe.Header, []byte) {
	w.t.Helper()
	reply := w.ask(1, frame)[0]
	h, _ := aoe.DecodeHeader(reply)
	return h, reply
}

// silent checks that frames are not answered.
func (w *wire) silent(frames ...[]byte) {
	w.t.Helper()
	for _, frame := range frames {
		w.ask(0, frame)
	}
}

// regs is the ATA reply to a request, and its data.
func (w *wire) regs(frame []byte) (aoe.ATA, []byte) {
	w.t.Helper()
	h, reply := w.one(frame)
	a, data, ok := aoe.DecodeATA(reply)
	if h.Failed || h.Command != aoe.CmdATA || !ok {
		w.t.Fatalf("the reply to an ATA command is % x", reply[:aoe.ATASize])
	}
	return a, data
}

// wantError checks that a request is refused with that AoE error.
func (w *wire) wantError(code aoe.ErrorCode, frame []byte) []byte {
	w.t.Helper()
	h, reply := w.one(frame)
	if !h.Failed || h.Error != code {
		w.t.Errorf("the reply to % x has error %d (%v), want %d", frame[:aoe.HeaderSize], h.Error, h.Failed, code)
	}
	return reply
}

// wantATA checks the status and error registers of a reply.
func (w *wire) wantATA(status, errorReg uint8, frame []byte) (aoe.ATA, []byte) {
	w.t.Helper()
	a, data := w.regs(frame)
	if a.Command != status || a.Feature != errorReg {
		w.t.Errorf("the reply to % x has status %#02x and error %#02x, want %#02x and %#02x",
			frame[aoe.HeaderSize:aoe.ATASize], a.Command, a.Feature, status, errorReg)
	}
	return a, data
}

// checkReply checks what must be so of every reply: row 23.
func (w *wire) checkReply(request, reply []byte) {
	w.t.Helper()
	h, _ := aoe.DecodeHeader(reply)
	if len(reply) < aoe.MinFrame {
		w.t.Errorf("a reply of %d bytes", len(reply))
	}
	if flags := reply[14]; flags != 0x18 && flags != 0x1c || flags == 0x18 && reply[15] != 0 {
		w.t.Errorf("a reply with flags %#02x and error %d", flags, reply[15])
	}
	if h.Src != w.far || !bytes.Equal(reply[:6], request[6:12]) {
		w.t.Errorf("a reply from %v to %v", h.Src, h.Dst)
	}
	if !bytes.Equal(reply[19:24], request[19:24]) || h.Addr.Wildcard() {
		w.t.Errorf("a reply to % x begins % x", request[:aoe.HeaderSize], reply[:aoe.HeaderSize])
	}
	end := len(reply)
	switch c, ok := aoe.DecodeConfig(reply); {
	case h.Command == aoe.CmdConfig && ok && c.Valid():
		end = aoe.ConfigSize + c.Length
	case h.Command == aoe.CmdATA && len(reply) == aoe.MinFrame:
		end = aoe.ATASize
	}
	if len(bytes.Trim(reply[end:], "\x00")) > 0 {
		w.t.Errorf("a reply is padded with % x", reply[end:])
	}
}

// drain forgets what was sent until now.
func (w *wire) drain() {
	b := make([]byte, 1<<16)
	for {
		if _, _, err := unix.Recvfrom(w.fd, b, unix.MSG_DONTWAIT); err != nil {
			return
		}
	}
}

// receive is the next frame.
func (w *wire) receive() []byte {
	w.t.Helper()
	ready := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}
	for end := time.Now().Add(patience); ; {
		n, err := unix.Poll(ready, int(max(time.Until(end), 0).Milliseconds()))
		if err != nil && err != unix.EINTR {
			w.t.Fatalf("poll: %v", err)
		}
		if n > 0 {
			break
		}
		if time.Now().After(end) {
			w.t.Fatalf("nothing is answered any more")
		}
	}
	b := make([]byte, 1<<16)
	n, _, err := unix.Recvfrom(w.fd, b, unix.MSG_DONTWAIT)
	if err != nil {
		w.t.Fatalf("recvfrom: %v", err)
	}
	return b[:n:n]
}

// word is a word of IDENTIFY data.
func word(data []byte, n int) uint16 { return binary.LittleEndian.Uint16(data[2*n:]) }
