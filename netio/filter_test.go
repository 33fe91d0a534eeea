package netio

import (
	"bytes"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// eachKind runs a test on two links of each kind, joined by a veth pair.
func eachKind(t *testing.T, mtu int, o Options, test func(t *testing.T, p *pairOfLinks)) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			o.Kind = kind
			test(t, newPair(t, mtu, o))
		})
	}
}

// newPair opens two links of the options' kind, joined by a veth pair.
func newPair(t *testing.T, mtu int, o Options) *pairOfLinks {
	a, b := netiotest.Pair(t, mtu)
	return &pairOfLinks{
		nsA: a, nsB: b,
		a: openIn(t, a, "eth0", Options{Kind: o.Kind}), b: openIn(t, b, "eth0", o),
		macA: lookupIn(t, a, "eth0").MAC, macB: lookupIn(t, b, "eth0").MAC,
	}
}

// pairOfLinks are two links that hear each other; b has the options of the test.
type pairOfLinks struct {
	nsA, nsB   netiotest.Netns
	a, b       Link
	macA, macB [6]byte
}

// tagged puts an 802.1Q tag into a frame.
func tagged(f []byte, vid byte) []byte {
	return slices.Insert(bytes.Clone(f), 12, 0x81, 0x00, 0x00, vid)
}

// onlyLast sends the frames and fails unless b receives the last one and no other.
func (p *pairOfLinks) onlyLast(t *testing.T, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		send(t, p.a, f)
	}
	if got := receive(t, p.b); !bytes.Equal(got, frames[len(frames)-1]) {
		t.Errorf("got a frame that the filter must reject: % x", got[:min(len(got), 24)])
	}
	nothingMore(t, p.b)
}

func nothingMore(t *testing.T, l Link) {
	t.Helper()
	var frames [1][]byte
	if n, err := l.Receive(frames[:]); n != 0 || err != nil {
		t.Errorf("received %d more frames, %v: % x", n, err, frames[0][:min(len(frames[0]), 24)])
	}
	l.Release()
}

func TestFilterRejectsWhatIsNotForUs(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		p.nsB.Run("ip", "link", "set", "eth0", "promisc", "on")
		wanted := frame(p.macB, p.macA, 60, 1)
		ipv4 := bytes.Clone(wanted)
		ipv4[12], ipv4[13] = 0x08, 0x00
		other := frame([6]byte{2, 9, 9, 9, 9, 9}, p.macA, 60, 2)
		multicast := frame([6]byte{1, 0, 0x5e, 0, 0, 1}, p.macA, 60, 3)
		vlan := tagged(frame(p.macB, p.macA, 60, 4), 5)
		p.onlyLast(t, ipv4, other, multicast, vlan, wanted)
		nothingMore(t, p.a) // not its own frames either
	})
}

func TestFilterPassesBroadcastAndPriorityTag(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		broadcast := frame([6]byte{255, 255, 255, 255, 255, 255}, p.macA, 60, 1)
		p.onlyLast(t, broadcast)
		untagged := frame(p.macB, p.macA, 60, 2)
		send(t, p.a, tagged(untagged, 0))
		if got := receive(t, p.b); !bytes.Equal(got, untagged) {
			t.Errorf("frame with a priority tag came as % x", got)
		}
	})
}

func TestFilterRepliesOnly(t *testing.T) {
	eachKind(t, 1500, Options{Replies: true}, func(t *testing.T, p *pairOfLinks) {
		request, reply := frame(p.macB, p.macA, 60, 1), frame(p.macB, p.macA, 60, 2)
		request[14], reply[14] = 0x10, 0x18
		p.onlyLast(t, request, frame(p.macB, p.macA, 14, 3), reply)
	})
}

// TestFilterRejectsFramesOfSubInterfaces uses a macvlan, which hands frames up as a VLAN does.
func TestFilterRejectsFramesOfSubInterfaces(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		p.nsB.Run("ip", "link", "add", "link", "eth0", "name", "sub0", "type", "macvlan", "mode", "bridge")
		p.nsB.Run("ip", "link", "set", "sub0", "up")
		p.nsB.AwaitRunning("sub0")
		sub := openIn(t, p.nsB, "sub0", Options{Kind: p.b.Kind()})
		toSub := frame(lookupIn(t, p.nsB, "sub0").MAC, p.macA, 60, 1)
		p.onlyLast(t, toSub, frame(p.macB, p.macA, 60, 2))
		if got := receive(t, sub); !bytes.Equal(got, toSub) {
			t.Errorf("the sub-interface got % x", got)
		}
	})
}

// TestFilterRejectsTagsItself attaches the filter to a tap on everything, which sees tagged frames before
// the kernel marks them as for another host.
func TestFilterRejectsTagsItself(t *testing.T) {
	a, b := netiotest.Pair(t, 1500)
	from, ifi := openIn(t, a, "eth0", Options{}), lookupIn(t, b, "eth0")
	var tap int
	b.Do(func() {
		filter, err := filterProgram(ifi.Index, false)
		if err != nil {
			t.Fatal(err)
		}
		if tap, err = newPacketSocket(filter); err != nil {
			t.Fatal(err)
		}
		all := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: ifi.Index}
		if err := unix.Bind(tap, all); err != nil {
			t.Fatal(err)
		}
	})
	defer unix.Close(tap)
	everyone := [6]byte{255, 255, 255, 255, 255, 255}
	send(t, from, tagged(frame(everyone, [6]byte{2}, 60, 1), 5))
	priority := frame(everyone, [6]byte{2}, 60, 2)
	send(t, from, tagged(priority, 0))

	fds := []unix.PollFd{{Fd: int32(tap), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(patience.Milliseconds())); n != 1 {
		t.Fatal("no frame came", err)
	}
	got := make([]byte, 2000)
	n, _, err := unix.Recvfrom(tap, got, 0)
	if err != nil || !bytes.Equal(got[:n], priority) {
		t.Errorf("the first frame to pass is % x, %v; want the one with VID 0", got[:min(n, 24)], err)
	}
}
