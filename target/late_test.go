package target_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// stampedLink is a link in memory that can take the place of another, or another its.
// Its worker owns it but for what mu guards.
type stampedLink struct {
	in          []stampedFrame
	from, until int64
	whenCut     func(moment int64) // called when it brings what comes from a moment on
	closed      bool

	mu  *sync.Mutex // guards out
	out *[]uint32   // tags of the replies, in order
}

type stampedFrame struct {
	frame []byte
	stamp int64
}

func (l *stampedLink) Receive(frames [][]byte) (n int, err error) {
	for _, f := range l.in {
		if f.stamp >= l.from && (l.until == 0 || f.stamp < l.until) {
			frames[n] = f.frame
			n++
		}
	}
	l.in = nil
	return n, nil
}

func (l *stampedLink) Send(headers, payloads [][]byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, header := range headers {
		if h, _ := aoe.DecodeHeader(header); h.Response && h.Tag != 0 {
			*l.out = append(*l.out, h.Tag)
		}
	}
	return len(headers), nil
}

func (l *stampedLink) Only(from, until int64) {
	l.from, l.until = from, until
	if from != 0 && l.whenCut != nil {
		l.whenCut(from)
	}
}

func (l *stampedLink) Release()             {}
func (l *stampedLink) FD() int              { return -1 }
func (l *stampedLink) ReceiveDrops() uint64 { return 0 }
func (l *stampedLink) SendDrops() uint64    { return 0 }
func (l *stampedLink) Kind() string         { return "stamped" }
func (l *stampedLink) Close() error         { l.closed = true; return nil }
func (l *stampedLink) Stamp(bool) error     { return nil }
func (l *stampedLink) Skip()                { l.in = nil }
func (l *stampedLink) Alone() bool          { return false }
func (l *stampedLink) Arrived() bool        { return true }

// stampedGroup is a stampedLink by itself.
type stampedGroup struct {
	t       *testing.T
	link    *stampedLink
	standIn bool
}

func (g stampedGroup) StandIn() bool                  { return g.standIn }
func (g stampedGroup) Links() []target.Link           { return []target.Link{g.link} }
func (g stampedGroup) Steer(uint16, uint8, int) error { return nil }
func (g stampedGroup) Settle() error                  { return nil }
func (g stampedGroup) Start() error                   { return nil }

func (g stampedGroup) Close() error {
	if !g.link.closed {
		g.t.Error("a group was closed before its link")
	}
	return nil
}

// wokenQueue is a queue that sleeps as long as it was told.
type wokenQueue struct{ target.Queue }

func (q wokenQueue) Wait(fd int, most time.Duration) error {
	if most < 0 {
		return q.Queue.Wait(fd, most)
	}
	time.Sleep(most)
	return nil
}

// What came before a link took another's place, and reaches both after that, is served,
// once, and before what came later.
func TestLateFrames(t *testing.T) {
	for name, replace := range map[string]func(*target.Target){
		"a stand-in is replaced": (*target.Target).ReplaceStandIns,
		"a carrier comes": func(on *target.Target) {
			h, err := on.Hold(context.Background())
			must(t, err)
			must(t, h.Carry(func([]target.Link) bool { return false }))
			must(t, h.Rest(context.Background()))
			h.GoOn(false)
			h.Release()
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := targettest.NewMachine(t)
			var mu sync.Mutex
			var out []uint32
			old, coming := &stampedLink{mu: &mu, out: &out}, &stampedLink{mu: &mu, out: &out}
			coming.whenCut = func(moment int64) {
				for _, l := range []*stampedLink{old, coming} {
					l.in = append(l.in, stampedFrame{bytes.Clone(readFrame(blade, 1, 5, 1)), moment - 1},
						stampedFrame{bytes.Clone(readFrame(blade, 2, 5, 1)), moment})
				}
			}
			config := m.Config()
			next := old
			open := func(string) (target.LinkGroup, error) {
				g := stampedGroup{t, next, next == old}
				next = coming
				return g, nil
			}
			config.Parts.OpenLinks = func(netif string, _ int) (target.LinkGroup, error) { return open(netif) }
			config.Parts.OpenCarrier = open
			inner := config.Parts.OpenQueue
			config.Parts.OpenQueue = func() (target.Queue, error) { q, err := inner(); return wokenQueue{q}, err }
			on := target.New(config)
			defer targettest.CloseTarget(t, m, on)
			on.InterfaceChanged(m.SetInterface("eth0", 1, 4200))
			m.AddMedium("/disks/d", 1000, false)
			must(t, on.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
			must(t, on.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))

			replace(on)
			on.Alive()
			if !old.closed {
				t.Error("the old link is open still")
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(out, []uint32{1, 2}) {
				t.Errorf("replies to requests %v, want one to each of 1 and 2, in this order", out)
			}
		})
	}
}
