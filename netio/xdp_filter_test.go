package netio

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// tap is a plain packet socket for everything: what XDP passes on.
type tap struct{ fd int }

func newTap(t *testing.T, ns netiotest.Netns) tap {
	t.Helper()
	ifi := lookupIn(t, ns, "eth0")
	var fd int
	var err error
	ns.Do(func() {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: ifi.Index})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return tap{fd}
}

// next returns the next frame with that byte at its end.
func (s tap) next(t *testing.T, mark byte) []byte {
	t.Helper()
	for {
		if f := s.nextAny(t); f[len(f)-1] == mark {
			return f
		}
	}
}

func (s tap) nextAny(t *testing.T) []byte {
	t.Helper()
	b := make([]byte, 2000)
	fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(patience.Milliseconds())); n != 1 {
		t.Fatal("no frame came", err)
	}
	n, _, err := unix.Recvfrom(s.fd, b, 0)
	if err != nil || n == 0 {
		t.Fatal("empty frame", err)
	}
	return b[:n]
}

// TestXDPPassesOnWhatIsNotForUs looks at what the network stack gets while a link is open.
func TestXDPPassesOnWhatIsNotForUs(t *testing.T) {
	p := newPair(t, 1500, Options{Kind: "xdp"})
	stack := newTap(t, p.nsB)
	reply := frame(p.macB, p.macA, 60, 1)
	reply[aoeFlagsOffset] |= aoeResponse
	ipv4 := frame(p.macB, p.macA, 60, 2)
	ipv4[12], ipv4[13] = 0x08, 0x00
	for i, f := range [][]byte{
		reply, ipv4, frame([6]byte{2, 9, 9, 9, 9, 9}, p.macA, 60, 3), frame([6]byte{1, 0, 0x5e, 0, 0, 1}, p.macA, 60, 4),
		tagged(frame(p.macB, p.macA, 60, 5), 5), tagged(reply, 0),
	} {
		mark := byte(200 + i)
		f[len(f)-1] = mark
		send(t, p.a, f)
		got := stack.next(t, mark)
		if !bytes.Equal(got, f) && len(got) != len(f)-4 { // the kernel takes tags off
			t.Errorf("frame %d: the stack got % x", i, got[:24])
		}
		nothingMore(t, p.b)
	}
	ours := frame(p.macB, p.macA, 60, 6)
	ours[59] = 222
	send(t, p.a, ours)
	if got := receive(t, p.b); !bytes.Equal(got, ours) {
		t.Error("another frame came")
	}
	ipv4[59] = 223
	send(t, p.a, ipv4)
	for got := []byte(nil); !bytes.Equal(got, ipv4); {
		if got = stack.nextAny(t); bytes.Equal(got, ours) {
			t.Error("the stack got our frame, too")
		}
	}
}

// TestXDPShares has an initiator's and a target's link on one interface, in either order.
func TestXDPShares(t *testing.T) {
	for _, replies := range []bool{false, true} {
		p := newPair(t, 1500, Options{Kind: "xdp", Replies: replies})
		other := openIn(t, p.nsB, "eth0", Options{Kind: "ring", Replies: !replies})
		target, initiator := p.b, other
		if replies {
			target, initiator = other, p.b
		}
		request, reply := frame(p.macB, p.macA, 60, 1), frame(p.macB, p.macA, 60, 2)
		reply[aoeFlagsOffset] |= aoeResponse
		send(t, p.a, reply)
		exchange(t, p.a, target, request)
		if got := receive(t, initiator); !bytes.Equal(got, reply) {
			t.Error("the initiator got another frame than the reply")
		}
	}
}

// TestXDPFollowsTheMAC changes the interface's address while the owner sleeps, and then sends with it.
func TestXDPFollowsTheMAC(t *testing.T) {
	p := newPair(t, 1500, Options{Kind: "xdp"})
	p.nsB.Run("ip", "link", "set", "eth0", "address", "02:00:00:00:77:01")
	p.macB = [6]byte{2, 0, 0, 0, 0x77, 1}
	exchange(t, p.b, p.a, frame(p.macA, p.macB, 60, 1))
	exchange(t, p.a, p.b, frame(p.macB, p.macA, 60, 2))
	p.nsB.Run("ip", "link", "set", "eth0", "address", "02:00:00:00:77:02")
	p.macB[5] = 2
	settle(t, p.b)
	for range healthInterval {
		if _, err := p.b.Receive(make([][]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	exchange(t, p.a, p.b, frame(p.macB, p.macA, 60, 3))
}

// TestXDPKnowsStrippedTags sends frames whose tag goes beside the frame and not in it, as an interface that strips
// tags delivers them: one of a VLAN, which passes, and one with a priority only.
func TestXDPKnowsStrippedTags(t *testing.T) {
	for _, c := range []struct {
		tag  int32
		ours bool
	}{{5, false}, {1<<13 | 4000, false}, {1 << 13, true}} {
		p := newPair(t, 1500, Options{Kind: "xdp"})
		from := openIn(t, p.nsA, "eth0", Options{Kind: "ring"}) // an xdp link would pass by the tag
		pushTag(t, p.nsA, c.tag)
		stack := newTap(t, p.nsB)
		f := frame(p.macB, p.macA, 60, 1)
		f[59] = 201
		send(t, from, f)
		if c.ours {
			if got := receive(t, p.b); !bytes.Equal(got, f) {
				t.Errorf("tag %#x: another frame came", c.tag)
			}
			continue
		}
		stack.next(t, 201)
		nothingMore(t, p.b)
	}
}

// pushTag gives every frame that eth0 sends a VLAN tag.
func pushTag(t *testing.T, ns netiotest.Netns, tag int32) {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Dual MIT/GPL", Instructions: asm.Instructions{
		asm.Mov.Imm(asm.R2, onWire(unix.ETH_P_8021Q)),
		asm.Mov.Imm(asm.R3, tag),
		asm.FnSkbVlanPush.Call(),
		asm.Mov.Imm(asm.R0, 0), // TCX_PASS
		asm.Return(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	index := lookupIn(t, ns, "eth0").Index
	var hook link.Link
	ns.Do(func() {
		hook, err = link.AttachTCX(link.TCXOptions{Program: program, Attach: ebpf.AttachTCXEgress, Interface: index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hook.Close() })
}

// TestXDPStampIsNow looks at the time that the program wrote before a frame, and lets it grow old.
func TestXDPStampIsNow(t *testing.T) {
	p := newPair(t, 1500, Options{Kind: "xdp"})
	l := p.b.(*xdpLink)
	for i := range 3 {
		send(t, p.a, frame(p.macB, p.macA, 60, i))
		waitReadable(t, p.b)
		q := &l.rx.queues[0]
		d := *q.socket.rx.entry(q.socket.rx.index)
		stamp := q.socket.memory[d.Addr-xdpStampBytes:]
		var now unix.Timespec
		unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
		written := int64(binary.NativeEndian.Uint64(stamp))
		if written == 0 || written > now.Nano() {
			t.Fatalf("stamped %d at %d", written, now.Nano())
		}
		if i == 1 {
			binary.NativeEndian.PutUint64(stamp, uint64(written-maxWaitNanos-1e9))
		}
		frames := make([][]byte, 1)
		n, err := p.b.Receive(frames)
		p.b.Release()
		if want := 1 - i%2; n != want || err != nil {
			t.Errorf("frame %d: received %d, %v, want %d", i, n, err, want)
		}
		if binary.NativeEndian.Uint64(stamp) != 0 {
			t.Error("the stamp of a released chunk stays")
		}
	}
	if drops := p.b.ReceiveDrops(); drops != 1 {
		t.Errorf("%d drops, want the stale one", drops)
	}
}
