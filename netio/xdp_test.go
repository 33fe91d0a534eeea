package netio

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

func TestXDPAllocatesNothing(t *testing.T) {
	allocatesNothing(t, "xdp")
	p := newPair(t, 1500, Options{Kind: "xdp"})
	headers, payloads := [][]byte{frame(p.macB, p.macA, 36, 1)}, [][]byte{make([]byte, 1024)}
	frames, got := make([][]byte, 8), 0
	if allocs := testing.AllocsPerRun(200, func() {
		p.a.Send(headers, payloads)
		n, _ := p.b.Receive(frames)
		p.b.Release()
		got += n
	}); allocs != 0 || got < 100 {
		t.Errorf("%v allocations per frame in one chunk, %d frames", allocs, got)
	}
}

// TestXDPSaysHowItWorks, natively on veth, and generically where the driver has nothing better.
func TestXDPSaysHowItWorks(t *testing.T) {
	ns, _ := netiotest.Pair(t, 9000)
	for netif, mode := range map[string]string{"eth0": "native, copying", "lo": "generic, copying"} {
		var logged []string
		l := openIn(t, ns, netif, Options{Kind: "xdp", Note: func(m string) { logged = append(logged, m) }})
		if len(logged) != 1 || !strings.Contains(logged[0], netif) || !strings.Contains(logged[0], mode) {
			t.Errorf("%s logged %q, want one line with %q", netif, logged, mode)
		}
		l.Close()
	}
}

func TestXDPOnLoopback(t *testing.T) {
	ns := netiotest.New(t)
	ring, xdp := openIn(t, ns, "lo", Options{}), openIn(t, ns, "lo", Options{Kind: "xdp"})
	for i, length := range []int{60, 4132, maxMTU + 14} {
		exchange(t, ring, xdp, frame([6]byte{}, [6]byte{2}, length, i))
		exchange(t, xdp, xdp, frame([6]byte{}, [6]byte{2}, length, i))
	}
}

// TestXDPFallsBackAndSaysWhy opens a second link on an interface that can have one program.
func TestXDPFallsBackAndSaysWhy(t *testing.T) {
	p := newPair(t, 1500, Options{Kind: "xdp"})
	p.nsB.Do(func() {
		var logged []string
		o := Options{Kind: "xdp", Log: func(m string) { logged = append(logged, m) }}
		before := countFDs(t)
		l, err := Open("eth0", o)
		if err != nil {
			t.Fatal(err)
		}
		if l.Kind() != "ring" || len(logged) != 1 || !strings.Contains(logged[0], "another XDP program") {
			t.Errorf("kind %s, logged %q", l.Kind(), logged)
		}
		l.Close()
		if after := countFDs(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
		logged = nil
		p.b.Close()
		if l, err = Open("eth0", Options{Kind: "xdp", RingBytes: 1 << 12, Log: o.Log}); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Kind() != "ring" || len(logged) != 1 || !strings.Contains(logged[0], "give a larger ring") {
			t.Errorf("kind %s with 4 KiB, logged %q", l.Kind(), logged)
		}
	})
}

// TestXDPReopens as a target does when the MTU changes, many times over: the queue of a closed socket is taken for a
// moment.
func TestXDPReopens(t *testing.T) {
	p := newPair(t, 1500, Options{Kind: "xdp"})
	before := 0
	for i, mtu := range []int{1500, 9000, 1500, 3500, 3600, 16110, 68, 9000} {
		p.nsA.SetMTU("eth0", mtu) // while the program is there
		p.nsB.SetMTU("eth0", mtu)
		for _, l := range []Link{p.a, p.b} {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if fds := countFDs(t); i == 0 {
			before = fds
		} else if fds != before {
			t.Errorf("%d descriptors after the first close, %d after another", before, fds)
		}
		p.a, p.b = openIn(t, p.nsA, "eth0", Options{Kind: "xdp"}), openIn(t, p.nsB, "eth0", Options{Kind: "xdp"})
		exchange(t, p.a, p.b, frame(p.macB, p.macA, mtu+14, i))
		exchange(t, p.b, p.a, frame(p.macA, p.macB, mtu+14, i))
	}
}

// TestXDPServesEveryQueue sends to each queue of a veth, which takes a frame's queue over from the sender's.
func TestXDPServesEveryQueue(t *testing.T) {
	for _, queues := range []int{1, 2, 4} {
		for _, mtu := range []int{1500, 9000} {
			t.Run(fmt.Sprint(queues, "x", mtu), func(t *testing.T) {
				a, b := queuePair(t, queues, mtu)
				l := openIn(t, b, "eth0", Options{Kind: "xdp"})
				if n := len(l.(*xdpLink).sockets); n != queues {
					t.Fatalf("%d sockets", n)
				}
				from, to := lookupIn(t, a, "eth0"), lookupIn(t, b, "eth0")
				for queue := range queues {
					s := queueSender(t, a, from, queue)
					for i := range 300 { // more than the chunks of a queue
						f := frame(to.MAC, from.MAC, mtu+14, queue+4*i)
						if sent, err := s.send([][]byte{f}, nil); sent != 1 || err != nil {
							t.Fatalf("queue %d: sent %d, %v", queue, sent, err)
						}
						if got := receive(t, l); !bytes.Equal(got, f) {
							t.Fatalf("queue %d: another frame came", queue)
						}
					}
					if n := l.(*xdpLink).sockets[queue].rx.index; n < 300 {
						t.Errorf("socket %d got %d frames", queue, n)
					}
				}
				if drops := l.ReceiveDrops(); drops != 0 {
					t.Errorf("%d drops", drops)
				}
			})
		}
	}
}

func queuePair(t *testing.T, queues, mtu int) (a, b netiotest.Netns) {
	t.Helper()
	a, b = netiotest.New(t), netiotest.New(t)
	n, size := fmt.Sprint(queues), fmt.Sprint(mtu)
	a.Run("ip", "link", "add", "name", "eth0", "numtxqueues", n, "numrxqueues", n, "mtu", size, "type", "veth",
		"peer", "name", "eth0", "numtxqueues", n, "numrxqueues", n, "mtu", size, "netns", b.Name)
	a.Run("ip", "link", "set", "eth0", "up")
	b.Run("ip", "link", "set", "eth0", "up")
	a.AwaitRunning("eth0")
	b.AwaitRunning("eth0")
	return a, b
}

// queueSender sends through one queue of an interface; to send needs no program.
func queueSender(t *testing.T, ns netiotest.Netns, ifi Interface, queue int) *xdpSender {
	t.Helper()
	g, err := newXDPGeometry(ifi.MTU, DefaultRingBytes, 1, true, true)
	if err != nil {
		t.Fatal(err)
	}
	var s *xdpSocket
	ns.Do(func() {
		if s, err = newXDPSocket(g, g.txChunks); err == nil {
			var flags uint16
			if g.perFrame > 1 {
				flags = unix.XDP_USE_SG
			}
			err = s.bind(ifi, queue, flags)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	sender := new(xdpSender)
	sender.init(s, g, ifi.MTU)
	return sender
}

// TestXDPLeavesTheInterfaceToOthers pings and talks TCP over the pair while AoE frames flow.
func TestXDPLeavesTheInterfaceToOthers(t *testing.T) {
	p := newPair(t, 9000, Options{Kind: "xdp"})
	p.nsA.Run("ip", "addr", "add", "10.9.0.1/24", "dev", "eth0")
	p.nsB.Run("ip", "addr", "add", "10.9.0.2/24", "dev", "eth0")
	var listener net.Listener
	var err error
	p.nsB.Do(func() { listener, err = net.Listen("tcp", "10.9.0.2:7000") })
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if c, err := listener.Accept(); err == nil {
			var b [1 << 16]byte
			for n, err := c.Read(b[:]); err == nil; n, err = c.Read(b[:]) {
				c.Write(b[:n])
			}
			c.Close()
		}
	}()
	var c net.Conn
	p.nsA.Do(func() { c, err = net.Dial("tcp", "10.9.0.2:7000") })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 200 {
		message := bytes.Repeat([]byte{byte(i)}, 20000)
		if _, err := c.Write(message); err != nil {
			t.Fatal(err)
		}
		exchange(t, p.a, p.b, frame(p.macB, p.macA, 9014, i))
		exchange(t, p.b, p.a, frame(p.macA, p.macB, 60, i))
		got := make([]byte, len(message))
		for n := 0; n < len(got); {
			m, err := c.Read(got[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
		if !bytes.Equal(got, message) {
			t.Fatal("TCP brought other bytes")
		}
	}
	if _, err := os.Stat("/bin/ping"); err == nil {
		p.nsA.Run("ping", "-c", "3", "-i", "0.01", "-W", "5", "10.9.0.2")
	}
	if d := p.b.ReceiveDrops() + p.a.ReceiveDrops(); d != 0 {
		t.Errorf("%d drops", d)
	}
}
