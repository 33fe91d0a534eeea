package netio

import (
	"encoding/binary"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// waiting is how many frames may be on their way: fewer than any link here has room for, so that none is dropped however
// long its owner waits for a processor.
const waiting = 200

// numbered sends frames with the numbers 0, 1, … until stop is closed, no faster than c takes them, and returns how many.
func (c *collector) numbered(from Link, to, own [6]byte, stop chan struct{}, sent chan uint32) {
	n := uint32(0)
	for {
		select {
		case <-stop:
			sent <- n
			return
		default:
		}
		if n < c.taken.Load()+waiting {
			f := frame(to, own, 1000, 0)
			binary.BigEndian.PutUint32(f[40:], n)
			c.sending.Lock()
			if one, _ := from.Send([][]byte{f}, nil); one == 1 {
				n++
				c.sent = n
			}
			c.sending.Unlock()
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// collector takes numbered frames, by turns from the links that it is given.
type collector struct {
	t     *testing.T
	came  map[uint32]int
	first uint32        // all before it came
	taken atomic.Uint32 // the length of came

	sending sync.Mutex
	sent    uint32 // guarded by sending
}

// moment is now, and how many frames were sent before it. They are stamped by then, but may not have come: a veth pair
// stamps a frame before it queues it (net/core/dev.c netif_rx), and a busy machine may leave it there for milliseconds.
func (c *collector) moment() (time.Time, uint32) {
	c.sending.Lock()
	defer c.sending.Unlock()
	return time.Now(), c.sent
}

// has tells whether the first n frames came.
func (c *collector) has(n uint32) bool {
	for c.first < n && c.came[c.first] > 0 {
		c.first++
	}
	return c.first >= n
}

func (c *collector) take(l Link) (n int) {
	c.t.Helper()
	frames := make([][]byte, 64)
	n, err := l.Receive(frames)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range frames[:n] {
		c.came[binary.BigEndian.Uint32(f[40:])]++
	}
	c.taken.Store(uint32(len(c.came)))
	l.Release()
	return n
}

// rest takes what is on its way still when n frames have been sent.
func (c *collector) rest(n uint32, links ...Link) {
	for end := time.Now().Add(patience); !c.has(n) && time.Now().Before(end); {
		for _, l := range links {
			c.take(l)
		}
	}
	for _, l := range links {
		c.take(l) // what comes twice
	}
}

// keepStamps has frames stamped until the test ends, as the kernel begins with that when it has time, and returns once it
// has begun. from sends to the interface with address to.
func keepStamps(t *testing.T, here netiotest.Netns, from Link, to, own [6]byte) {
	t.Helper()
	l := openGroupIn(t, here, "eth0", Options{RingBytes: 1 << 20}).(*ringLink)
	t.Cleanup(func() { _ = l.Close() })
	if err := l.Stamp(true); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if n, err := from.Send([][]byte{frame(to, own, 1000, 0)}, nil); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		slot := l.rx.memory[l.rx.next.offset:][:l.rx.slot]
		for loadStatus(slot)&unix.TP_STATUS_USER == 0 && time.Now().Before(end) {
			time.Sleep(20 * time.Microsecond)
		}
		if header(slot).Status&unix.TP_STATUS_TS_SOFTWARE != 0 {
			return
		}
		l.Skip()
		if time.Now().After(end) {
			t.Fatal("frames are not stamped when they come in")
		}
	}
}

// Frames that come while one link takes another's place, again and again, come once
// each: a link of another size, several in the place of one, and one in that of several.
func TestCutLosesNothing(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	from := openIn(t, there, "eth0", Options{Kind: "raw"})
	stop, sent := make(chan struct{}), make(chan uint32, 1)
	open := func(n int) *Group {
		var g *Group
		var err error
		here.Do(func() { g, err = OpenGroup("eth0", n, Options{RingBytes: 2 << 20}) })
		if err == nil {
			err = g.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Links()) != n {
			lack := "links cannot be shared here: this needs PACKET_FANOUT_EBPF and CAP_BPF"
			if os.Getenv("CI") == "true" {
				t.Fatal(lack)
			}
			t.Skip(lack)
		}
		return g
	}
	cutters := func(g *Group) (list []*ringLink) {
		for _, l := range g.Links() {
			list = append(list, l.(*ringLink))
		}
		return list
	}
	to, own := lookupIn(t, here, "eth0").MAC, lookupIn(t, there, "eth0").MAC
	keepStamps(t, here, from, to, own)
	group := open(1)
	c := &collector{t: t, came: map[uint32]int{}}
	go c.numbered(from, to, own, stop, sent)
	serve := func(g *Group, lasts time.Duration) {
		for end := time.Now().Add(lasts); time.Now().Before(end); {
			for _, l := range g.Links() {
				c.take(l)
			}
		}
	}
	for _, links := range []int{1, 3, 2, 1, 1} {
		serve(group, 20*time.Millisecond)
		if err := cutters(group)[0].Stamp(true); err != nil {
			t.Fatal(err)
		}
		next := make(chan *Group)
		go func() { next <- open(links) }()
		var to *Group
		for to == nil {
			select {
			case to = <-next:
			default:
				serve(group, time.Millisecond)
			}
		}
		for range 30 {
			serve(group, time.Millisecond)
			for _, l := range cutters(to) {
				l.Skip()
			}
		}
		moment, before := c.moment()
		for _, l := range cutters(group) {
			l.Only(0, moment.UnixNano())
		}
		for !c.has(before) && time.Since(moment) < patience {
			serve(group, time.Millisecond)
		}
		for _, l := range cutters(to) {
			l.Only(moment.UnixNano(), 0)
		}
		for _, l := range group.Links() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := group.Close(); err != nil {
			t.Error(err)
		}
		group = to
	}
	serve(group, 20*time.Millisecond)
	close(stop)
	n := <-sent
	c.rest(n, group.Links()...)
	c.checkOnce(t, n)
	for _, l := range group.Links() {
		l.Close()
	}
	group.Close()
}

// checkOnce says which of the first n frames did not come, or came again.
func (c *collector) checkOnce(t *testing.T, n uint32) {
	t.Helper()
	lost, twice := 0, 0
	for i := range n {
		switch c.came[i] {
		case 0:
			lost++
		case 1:
		default:
			twice++
		}
	}
	if lost+twice > 0 || n < 100 {
		t.Errorf("of %d frames %d were lost, %d came twice", n, lost, twice)
	}
}

// While anybody wants stamps, two links have the same one of a frame.
func TestStampsAreOne(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	from := openIn(t, there, "eth0", Options{Kind: "raw"})
	var links [2]*ringLink
	for i := range links {
		links[i] = openGroupIn(t, here, "eth0", Options{RingBytes: 1 << 20}).(*ringLink)
		defer links[i].Close()
	}
	if err := links[0].Stamp(true); err != nil {
		t.Fatal(err)
	}
	f := frame(lookupIn(t, here, "eth0").MAC, lookupIn(t, there, "eth0").MAC, 1000, 0)
	for end := time.Now().Add(patience); ; {
		if n, err := from.Send([][]byte{f}, nil); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		var stamps [2]int64
		once := true
		for i, l := range links {
			slot := l.rx.memory[l.rx.next.offset:][:l.rx.slot]
			for loadStatus(slot)&unix.TP_STATUS_USER == 0 {
				if time.Now().After(end) {
					t.Fatal("no frame comes")
				}
			}
			h := header(slot)
			stamps[i] = int64(h.Sec)*1e9 + int64(h.Nsec)
			once = once && h.Status&unix.TP_STATUS_TS_SOFTWARE != 0
			l.Skip()
		}
		if once {
			if stamps[0] != stamps[1] {
				t.Errorf("stamps %v", stamps)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("frames are not stamped when they come in")
		}
	}
}

// A bound is none any more when it is old, or when the clock was set back behind it.
func TestBoundEnds(t *testing.T) {
	const from = int64(1000e9)
	for _, tt := range []struct {
		now, stamp int64
		elsewhere  bool
	}{{from + 5, from - 1, true}, {from + 5, from, false}, {from + boundLasts, from - 1, true}, {from + boundLasts + 1, from - 1, false}, {from - 1, from - 2, false}} {
		r := rxRing{from: from}
		if r.elsewhere(tt.now, tt.stamp) != tt.elsewhere {
			t.Errorf("at %+d a frame of %+d: elsewhere is %v", tt.now-from, tt.stamp-from, !tt.elsewhere)
		}
	}
}
