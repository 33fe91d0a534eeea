package netio

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// openGroupIn is OpenGroup of one link in a namespace.
func openGroupIn(t *testing.T, ns netiotest.Netns, netif string, o Options) Link {
	t.Helper()
	var g *Group
	var err error
	ns.Do(func() { g, err = OpenGroup(netif, 1, o) })
	if err != nil {
		t.Fatal(err)
	}
	return g.Links()[0]
}

// passOn gives a link to another owner, as another process would get it.
func passOn(t *testing.T, l Link) *Inherited {
	t.Helper()
	shared, fds, ok := Share(l)
	if !ok || len(shared) != 1 {
		t.Fatal("the link cannot be shared")
	}
	s, fd := shared[0], fds[0]
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	in := &Inherited{}
	if err := json.Unmarshal(text, &in.Shared); err != nil {
		t.Fatal(err)
	}
	if in.FD, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	return in
}

// Frames that come while a link goes from one owner to the next, again and again,
// come once each and in order, wherever in the ring it stands.
func TestInheritLosesNothing(t *testing.T) {
	here, there := netiotest.Pair(t, 1500)
	from, to := openIn(t, there, "eth0", Options{Kind: "raw"}), openGroupIn(t, here, "eth0", Options{RingBytes: 256 << 10})
	first := to.(*ringLink)
	mac, own := lookupIn(t, here, "eth0").MAC, lookupIn(t, there, "eth0").MAC
	want := uint32(0)
	took := func(most uint32) {
		t.Helper()
		frames := make([][]byte, 7)
		for end := time.Now().Add(patience); most > 0; {
			n, err := to.Receive(frames[:min(7, most)])
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames[:n] {
				if got := binary.BigEndian.Uint32(f[40:]); got != want {
					t.Fatalf("frame %d came, want %d", got, want)
				}
				want++
				most--
			}
			to.Release()
			if time.Now().After(end) {
				t.Fatalf("frame %d does not come", want)
			}
		}
	}
	sent := uint32(0)
	for range 60 {
		for range 31 {
			f := frame(mac, own, 1000, 0)
			binary.BigEndian.PutUint32(f[40:], sent)
			if n, err := from.Send([][]byte{f}, nil); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			sent++
		}
		took(sent - want - 13)
		in := passOn(t, to)
		old := to
		to = openGroupIn(t, here, "eth0", Options{RingBytes: 256 << 10, Inherit: []Inherited{*in}, Log: func(m string) { t.Error(m) }})
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		took(5)
	}
	took(sent - want)
	defer to.Close()
	if sent < 2*uint32(to.(*ringLink).rx.slots) {
		t.Errorf("%d frames do not go round a ring of %d slots twice", sent, to.(*ringLink).rx.slots)
	}
	if first == to {
		t.Error("the link has not changed its owner")
	}
}

// What is not what is wanted stands in for it, and what cannot go on is opened anew.
func TestInheritSomethingElse(t *testing.T) {
	here, _ := netiotest.Pair(t, 1500)
	for name, c := range map[string]struct {
		change  func(*Options, *Inherited)
		standIn bool
		says    string
	}{
		"the same":          {func(*Options, *Inherited) {}, false, ""},
		"another ring":      {func(o *Options, _ *Inherited) { o.RingBytes *= 2 }, true, ""},
		"another kind":      {func(o *Options, _ *Inherited) { o.Kind = "raw" }, true, ""},
		"another MTU":       {func(_ *Options, in *Inherited) { in.MTU = 9000 }, true, ""},
		"another interface": {func(_ *Options, in *Inherited) { in.Index++ }, false, "another interface"},
		"a foreign shape":   {func(_ *Options, in *Inherited) { in.Slot = 1 }, false, "that is none"},
		"no such slot":      {func(_ *Options, in *Inherited) { in.Next = 1 << 30 }, false, "that is none"},
		"another length":    {func(_ *Options, in *Inherited) { in.Blocks *= 2; in.SlotsIn *= 2 }, false, "mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			old := openGroupIn(t, here, "eth0", Options{RingBytes: 1 << 20})
			defer old.Close()
			before, said := countFDs(t), ""
			in := passOn(t, old)
			o := Options{RingBytes: 1 << 20, Log: func(m string) { said += m }}
			c.change(&o, in)
			o.Inherit = []Inherited{*in}
			var g *Group
			var err error
			here.Do(func() { g, err = OpenGroup("eth0", 1, o) })
			if err != nil {
				t.Fatal(err)
			}
			if g.StandIn() != c.standIn || c.says == "" && said != "" || !strings.Contains(said, c.says) || said != "" && !strings.Contains(said, "eth0") {
				t.Errorf("a stand-in: %v, said %q, want %q", g.StandIn(), said, c.says)
			}
			if err := g.Links()[0].Close(); err != nil {
				t.Error(err)
			}
			if after := countFDs(t); after != before {
				t.Errorf("%d descriptors, then %d", before, after)
			}
		})
	}
}

func TestShareRefuses(t *testing.T) {
	here, _ := netiotest.Pair(t, 1500)
	if _, _, ok := Share(openIn(t, here, "eth0", Options{Kind: "raw"})); ok {
		t.Error("a raw link was shared")
	}
}
