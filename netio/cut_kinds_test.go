package netio

import (
	"os"
	"strconv"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// cutter is what target asks of a link that takes another's place.
type cutter interface {
	Link
	Stamp(on bool) error
	Skip()
	Only(from, until int64)
	Alone() bool
	Arrived() bool
}

// Frames that come while a link of one kind takes the place of one of another come
// once each; VBLADEFS_CUTS says how often each kind follows the other.
func TestCutBetweenKinds(t *testing.T) {
	rounds := 3
	if given, err := strconv.Atoi(os.Getenv("VBLADEFS_CUTS")); err == nil {
		rounds = given
	}
	for _, kind := range []string{"raw", "xdp"} {
		t.Run(kind, func(t *testing.T) {
			here, there := netiotest.Pair(t, 1500)
			from := openIn(t, there, "eth0", Options{Kind: "ring"})
			open := func(kind string) (l cutter) {
				var err error
				here.Do(func() {
					var opened Link
					if opened, err = Open("eth0", Options{Kind: kind, RingBytes: 4 << 20}); err == nil {
						l = opened.(cutter)
					}
				})
				if err != nil || l.Kind() != kind {
					t.Fatalf("a %s link: %v", kind, err)
				}
				return l
			}
			mac, own := lookupIn(t, here, "eth0").MAC, lookupIn(t, there, "eth0").MAC
			keepStamps(t, here, from, mac, own)
			c := &collector{t: t, came: map[uint32]int{}}
			stop, sent := make(chan struct{}), make(chan uint32, 1)
			link := open("ring")
			go c.numbered(from, mac, own, stop, sent)
			for range rounds {
				for _, to := range []string{kind, "ring"} {
					c.serve(link, 5*time.Millisecond)
					link = c.follow(link, func() cutter { return open(to) })
				}
			}
			c.serve(link, 20*time.Millisecond)
			close(stop)
			n := <-sent
			c.rest(n, link)
			t.Logf("%d frames in %d cuts", n, 2*rounds)
			c.checkOnce(t, n)
			link.Close()
		})
	}
}

func (c *collector) serve(l Link, lasts time.Duration) {
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		c.take(l)
	}
}

// follow has a link that is opened take the place of l, as cut.go says.
func (c *collector) follow(l cutter, open func() cutter) cutter {
	if err := l.Stamp(true); err != nil {
		c.t.Fatal(err)
	}
	opened := make(chan cutter, 1)
	go func() { opened <- open() }()
	var to cutter
	for to == nil {
		select {
		case to = <-opened:
		default:
			c.serve(l, time.Millisecond)
		}
	}
	if err := to.Stamp(true); err != nil {
		c.t.Fatal(err)
	}
	for range 30 {
		c.serve(l, time.Millisecond)
		to.Skip()
	}
	for c.take(l) > 0 {
	}
	moment, before := c.moment()
	l.Only(0, moment.UnixNano())
	for c.take(l) > 0 || !c.has(before) || !l.Arrived() {
		if to.Alone() { // it may have some of them
			c.take(to)
		}
		if time.Since(moment) > patience {
			c.t.Logf("what came to the %s link does not arrive", l.Kind())
			break
		}
	}
	from := moment.UnixNano()
	if l.Alone() {
		from = 0
	}
	to.Only(from, 0)
	if err := l.Close(); err != nil {
		c.t.Error(err)
	}
	if n := l.ReceiveDrops(); n > 0 {
		c.t.Logf("the %s link had no room for %d frames", l.Kind(), n)
	}
	return to
}

// The library for raw links still has its socket where rawSocket looks, and that
// stamps frames.
func TestRawSocket(t *testing.T) {
	p := newPair(t, 1500, Options{Kind: "raw"})
	socket, err := rawSocket(p.b.(*rawLink).conn)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().UnixNano()
	var stamp int64
	if failed := socket.Control(func(fd uintptr) { stamp, err = lastStamp(fd) }); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	exchange(t, p.a, p.b, frame(p.macB, p.macA, 100, 1))
	if failed := socket.Control(func(fd uintptr) { stamp, err = lastStamp(fd) }); failed != nil || err != nil {
		t.Fatal(failed, err)
	}
	if now := time.Now().UnixNano(); stamp < before || stamp > now {
		t.Errorf("a frame of between %d and %d has stamp %d", before, now, stamp)
	}
	if _, err := rawSocket(nil); err == nil {
		t.Error("no connection has a socket")
	}
}

// A raw link asks for no stamps once nobody wants them: the next one's moment has passed, or nothing came of it.
func TestRawStampsEnd(t *testing.T) {
	p := newPair(t, 1500, Options{Kind: "raw"})
	l := p.b.(*rawLink)
	for _, c := range []struct {
		name  string
		does  func() error
		after bool
	}{
		{"wanted", func() error { return l.Stamp(true) }, true},
		{"not any more", func() error { return l.Stamp(false) }, false},
		{"wanted again", func() error { return l.Stamp(true) }, true},
		{"with a bound, not any more", func() error { l.Only(time.Now().UnixNano(), 0); return l.Stamp(false) }, true},
		{"without one, not any more", func() error { l.Only(0, 0); return l.Stamp(false) }, false},
	} {
		if err := c.does(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := l.rx.cut.stamps(); got != c.after {
			t.Errorf("%s: asks for stamps: %t, want %t", c.name, got, c.after)
		}
	}
}
