package netio

import (
	"sync"
	"testing"
)

// overrun sends until the receiving link has lost frames, and the sending one an impossible one.
func overrun(t *testing.T, p *pairOfLinks) {
	t.Helper()
	f := [][]byte{frame(p.macB, p.macA, 1060, 0)}
	for range 4096 {
		if sent, err := p.a.Send(f, nil); sent != 1 || err != nil {
			t.Fatal(sent, err)
		}
	}
	if sent, err := p.a.Send([][]byte{make([]byte, 5)}, nil); sent != 0 || err != nil {
		t.Fatal(sent, err)
	}
}

// TestCountersOutliveTheLink asks for drops from several goroutines while the owner closes, and afterwards,
// when another link has the descriptors of the closed one. Asking for a ring's drops takes them from the
// kernel, so that asking through a reused descriptor would show on both links.
func TestCountersOutliveTheLink(t *testing.T) {
	eachKind(t, 1500, Options{RingBytes: 64 << 10}, func(t *testing.T, p *pairOfLinks) {
		o := Options{Kind: p.b.Kind(), RingBytes: 64 << 10}
		for range 3 {
			closeWhileAsked(t, p.a, p.b) // there is one xdp link at a time
			p.b, p.a = openIn(t, p.nsB, "eth0", o), openIn(t, p.nsA, "eth0", Options{Kind: o.Kind})
			overrun(t, p)
			closeWhileAsked(t, p.a, p.b)
			lastReceive, lastSend := p.b.ReceiveDrops(), p.a.SendDrops()
			if lastReceive == 0 || lastSend != 1 {
				t.Fatalf("last counts are %d and %d, want some and 1", lastReceive, lastSend)
			}
			old := *p
			p.b, p.a = openIn(t, p.nsB, "eth0", o), openIn(t, p.nsA, "eth0", Options{Kind: o.Kind})
			overrun(t, p)
			if r, s := old.b.ReceiveDrops(), old.a.SendDrops(); r != lastReceive || s != lastSend {
				t.Errorf("counts of closed links went from %d, %d to %d, %d", lastReceive, lastSend, r, s)
			}
			if p.b.ReceiveDrops() == 0 {
				t.Error("the closed link took the drops of a new one")
			}
			closeWhileAsked(t, p.a, p.b)
		}
	})
}

// closeWhileAsked closes links while other goroutines ask for their counts, which never go back.
func closeWhileAsked(t *testing.T, links ...Link) {
	t.Helper()
	var asking, started sync.WaitGroup
	stop := make(chan struct{})
	for _, l := range links {
		for range 2 {
			started.Add(1)
			asking.Go(func() {
				receive, send := l.ReceiveDrops(), l.SendDrops()
				for started.Done(); ; {
					r, s := l.ReceiveDrops(), l.SendDrops()
					if r < receive || s < send {
						t.Errorf("counts went back from %d, %d to %d, %d", receive, send, r, s)
					}
					receive, send = r, s
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
	}
	started.Wait()
	for _, l := range links {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	asking.Wait()
}
