package netio

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// kinds are the kinds of link that every test of behaviour runs on.
var kinds = []string{"ring", "raw", "xdp"}

// patience is how long a test waits for what must happen; reaching it is a failure, never a measure.
const patience = 10 * time.Second

// openIn opens a link in a namespace and closes it with the test.
func openIn(t testing.TB, ns netiotest.Netns, netif string, o Options) Link {
	t.Helper()
	var l Link
	var err error
	ns.Do(func() { l, err = Open(netif, o) })
	if err != nil {
		t.Fatal(err)
	}
	if o.Kind != "" && l.Kind() != o.Kind {
		t.Fatalf("asked for a link of kind %s, got %s", o.Kind, l.Kind())
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func lookupIn(t testing.TB, ns netiotest.Netns, netif string) Interface {
	t.Helper()
	var ifi Interface
	var err error
	ns.Do(func() { ifi, err = Lookup(netif) })
	if err != nil {
		t.Fatal(err)
	}
	return ifi
}

// frame is an AoE request of that length with a pattern that differs per number.
func frame(to, from [6]byte, length, number int) []byte {
	f := make([]byte, length)
	for i := range f {
		f[i] = byte(i*7 + number)
	}
	copy(f, to[:])
	copy(f[6:], from[:])
	f[12], f[13] = 0x88, 0xA2
	if length > aoeFlagsOffset {
		f[aoeFlagsOffset] &^= aoeResponse
	}
	return f
}

// receive polls until a frame comes and returns a copy of it.
func receive(t testing.TB, l Link) []byte {
	t.Helper()
	var frames [1][]byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		n, err := l.Receive(frames[:])
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			got := bytes.Clone(frames[0])
			l.Release()
			return got
		}
		waitReadable(t, l)
	}
	t.Fatal("no frame came")
	return nil
}

func waitReadable(t testing.TB, l Link) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}
	if _, err := unix.Poll(fds, 1000); err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
}

// send sends one frame in two parts and fails unless it went out.
func send(t testing.TB, l Link, f []byte) {
	t.Helper()
	cut := min(len(f), 36)
	if sent, err := l.Send([][]byte{f[:cut]}, [][]byte{f[cut:]}); sent != 1 || err != nil {
		t.Fatalf("sending %d bytes: sent %d, %v", len(f), sent, err)
	}
}

func TestFramesOfEverySizeBothWays(t *testing.T) {
	for _, kind := range kinds {
		for _, mtu := range []int{1500, 9000, 16110} {
			t.Run(fmt.Sprint(kind, mtu), func(t *testing.T) {
				a, b := netiotest.Pair(t, mtu)
				la, lb := openIn(t, a, "eth0", Options{Kind: kind}), openIn(t, b, "eth0", Options{Kind: kind})
				macA, macB := lookupIn(t, a, "eth0").MAC, lookupIn(t, b, "eth0").MAC
				for i, length := range []int{14, 15, 32, 36, 60, 548, 1060, mtu, mtu + 13, mtu + 14} {
					exchange(t, la, lb, frame(macB, macA, length, i))
					exchange(t, lb, la, frame(macA, macB, length, i))
				}
				if d := la.SendDrops() + lb.SendDrops() + la.ReceiveDrops() + lb.ReceiveDrops(); d != 0 {
					t.Errorf("%d frames dropped", d)
				}
			})
		}
	}
}

func exchange(t *testing.T, from, to Link, f []byte) {
	t.Helper()
	send(t, from, f)
	if got := receive(t, to); !bytes.Equal(got, f) {
		t.Fatalf("sent %d bytes, got %d, or other bytes", len(f), len(got))
	}
}
