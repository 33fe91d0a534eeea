package netio

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

func TestBatchKeepsNeighboursOfBadFrames(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		total := 300 // more than one system call takes
		if p.b.Kind() == "raw" {
			total = 60 // the socket's default receive buffer holds no more
		}
		headers, payloads := make([][]byte, total), make([][]byte, total)
		for i := range headers {
			headers[i] = frame(p.macB, p.macA, 36, 0)
			headers[i][20], headers[i][21] = byte(i), byte(i>>8)
			payloads[i] = bytes.Repeat([]byte{byte(i)}, 1024)
		}
		payloads[2] = make([]byte, 1500-22+1) // one byte over the MTU
		headers[3], payloads[3] = headers[3][:13], nil
		payloads[total-1] = make([]byte, 60000)
		sent, err := p.a.Send(headers, payloads)
		if sent != total-3 || err != nil || p.a.SendDrops() != 3 {
			t.Fatalf("sent %d, %v, drops %d, want %d, nil, 3", sent, err, p.a.SendDrops(), total-3)
		}
		seen := make(map[int]bool)
		for range sent {
			f := receive(t, p.b)
			i := int(f[20]) | int(f[21])<<8
			if seen[i] || i >= len(headers) || !bytes.Equal(f, append(bytes.Clone(headers[i]), payloads[i]...)) {
				t.Fatalf("frame %d came twice or differs", i)
			}
			seen[i] = true
		}
	})
}

func TestOverrunIsCountedAndSurvived(t *testing.T) {
	eachKind(t, 1500, Options{RingBytes: 64 << 10}, func(t *testing.T, p *pairOfLinks) {
		const total = 4096
		f := [][]byte{frame(p.macB, p.macA, 1060, 0)}
		for range total {
			if sent, err := p.a.Send(f, nil); sent != 1 || err != nil {
				t.Fatal(sent, err)
			}
		}
		received := drainAll(t, p.b)
		drops := int(p.b.ReceiveDrops())
		if received == 0 || drops == 0 || received+drops > total {
			t.Errorf("received %d, dropped %d of %d", received, drops, total)
		}
		if again := int(p.b.ReceiveDrops()); again != drops {
			t.Errorf("drops were %d and are %d: not accumulated", drops, again)
		}
		exchange(t, p.a, p.b, frame(p.macB, p.macA, 1060, 1))
	})
}

// drainAll receives until nothing comes any more.
func drainAll(t *testing.T, l Link) (received int) {
	t.Helper()
	frames := make([][]byte, 16)
	fds := []unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}
	for {
		n, err := l.Receive(frames)
		if err != nil {
			t.Fatal(err)
		}
		l.Release()
		received += n
		if n > 0 {
			continue
		}
		if ready, _ := unix.Poll(fds, 100); ready == 0 {
			return received
		}
	}
}

func TestTruncatedFramesAreDroppedAndCounted(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		p.nsA.SetMTU("eth0", 9000)
		p.nsB.SetMTU("eth0", 9000)
		if err := p.a.Close(); err != nil {
			t.Fatal(err)
		}
		p.a = openIn(t, p.nsA, "eth0", Options{Kind: p.b.Kind()})
		p.onlyLast(t, frame(p.macB, p.macA, 9014, 1), frame(p.macB, p.macA, 9014, 2), frame(p.macB, p.macA, 60, 3))
		if drops := p.b.ReceiveDrops(); drops != 2 {
			t.Errorf("%d drops, want 2", drops)
		}
	})
}

// settle receives as a woken owner does until poll has nothing to report, and fails if that never comes.
func settle(t *testing.T, l Link) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(l.FD()), Events: unix.POLLIN}}
	for range 2 * healthInterval {
		n, err := unix.Poll(fds, 0)
		if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if _, err := l.Receive(make([][]byte, 1)); err != nil {
			t.Fatal(err)
		}
		l.Release()
	}
	t.Fatal("poll keeps returning: the owner would spin")
}

func TestInterfaceDownAndUp(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		for range 2 {
			p.nsB.Run("ip", "link", "set", "eth0", "down")
			settle(t, p.b)
			before := p.b.SendDrops()
			f := frame(p.macA, p.macB, 60, 0)
			if sent, err := p.b.Send([][]byte{f, f, f}, nil); sent != 0 || err != nil || p.b.SendDrops() != before+3 {
				t.Errorf("send while down: sent %d, %v, %d drops, want 0, nil, 3", sent, err, p.b.SendDrops()-before)
			}
			p.nsB.Run("ip", "link", "set", "eth0", "up")
			p.nsA.AwaitRunning("eth0")
			p.nsB.AwaitRunning("eth0")
			exchange(t, p.a, p.b, frame(p.macB, p.macA, 60, 1))
			exchange(t, p.b, p.a, frame(p.macA, p.macB, 60, 2))
		}
		// Down and up again unseen: the stale error must not cost a frame.
		p.nsB.Run("ip", "link", "set", "eth0", "down")
		p.nsB.Run("ip", "link", "set", "eth0", "up")
		p.nsA.AwaitRunning("eth0")
		p.nsB.AwaitRunning("eth0")
		exchange(t, p.b, p.a, frame(p.macA, p.macB, 60, 3))
	})
}

func TestOpenWhileDown(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			a, b := netiotest.Pair(t, 1500)
			b.Run("ip", "link", "set", "eth0", "down")
			la, lb := openIn(t, a, "eth0", Options{Kind: kind}), openIn(t, b, "eth0", Options{Kind: kind})
			settle(t, lb)
			b.Run("ip", "link", "set", "eth0", "up")
			a.AwaitRunning("eth0")
			b.AwaitRunning("eth0")
			exchange(t, la, lb, frame(lookupIn(t, b, "eth0").MAC, [6]byte{2}, 60, 1))
		})
	}
}

func TestInterfaceVanishes(t *testing.T) {
	for _, state := range []string{"up", "down"} {
		t.Run(state, func(t *testing.T) {
			eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
				p.nsB.Run("ip", "link", "set", "eth0", state)
				settle(t, p.b)
				p.nsB.Run("ip", "link", "del", "eth0")
				// The peer of a veth goes with it.
				for _, l := range []Link{p.a, p.b} {
					if err := receiveError(t, l); !errors.Is(err, ErrGone) {
						t.Errorf("Receive: %v, want ErrGone", err)
					}
					before := l.SendDrops()
					sent, err := l.Send([][]byte{make([]byte, 60), make([]byte, 60)}, nil)
					if sent != 0 || !errors.Is(err, ErrGone) || l.SendDrops() != before+2 {
						t.Errorf("Send: %d, %v, %d drops, want 0, ErrGone, 2", sent, err, l.SendDrops()-before)
					}
				}
			})
		})
	}
}

func receiveError(t *testing.T, l Link) error {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := l.Receive(make([][]byte, 1)); err != nil {
			return err
		}
		l.Release()
	}
	t.Fatal("no error came")
	return nil
}

func TestFullQueueIsWaitedForThenDropped(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		p.nsA.Run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1mbit", "burst", "2k", "limit", "3k")
		const total = 40
		headers := make([][]byte, total)
		for i := range headers {
			headers[i] = frame(p.macB, p.macA, 1060, i)
		}
		sent, err := p.a.Send(headers, nil)
		passesBy := p.a.Kind() == "xdp" // whose small frames no traffic control holds up
		if err != nil || sent == 0 || sent == total != passesBy || p.a.SendDrops() != uint64(total-sent) {
			t.Errorf("sent %d of %d, %v, drops %d", sent, total, err, p.a.SendDrops())
		}
		if received := drainAll(t, p.b); received != sent {
			t.Errorf("received %d of %d sent", received, sent)
		}
	})
}

func TestUseAfterClose(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		for range 2 {
			if err := p.b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.b.Receive(make([][]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Receive: %v, want os.ErrClosed", err)
		}
		if _, err := p.b.Send([][]byte{make([]byte, 60)}, nil); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Send: %v, want os.ErrClosed", err)
		}
		p.b.Release()
		if drops := p.b.ReceiveDrops() + p.b.SendDrops(); drops != 0 {
			t.Errorf("%d drops", drops)
		}
	})
}

func TestCountersFromOtherGoroutines(t *testing.T) {
	eachKind(t, 1500, Options{}, func(t *testing.T, p *pairOfLinks) {
		stop, stopped := make(chan struct{}), make(chan uint64)
		go func() {
			var sum uint64
			for {
				select {
				case <-stop:
					stopped <- sum
					return
				default:
					sum += p.b.ReceiveDrops() + p.a.SendDrops()
				}
			}
		}()
		for i := range 100 {
			exchange(t, p.a, p.b, frame(p.macB, p.macA, 60, i))
		}
		p.b.Close() // while the other goroutine asks
		close(stop)
		if sum := <-stopped; sum != 0 {
			t.Errorf("%d drops counted", sum)
		}
	})
}
