package netio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// openGroup opens a group of n links in a namespace and closes it with the test.
func openGroup(t testing.TB, ns netiotest.Netns, n int, o Options) *Group {
	t.Helper()
	var g *Group
	var err error
	ns.Do(func() { g, err = OpenGroup("eth0", n, o) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeGroup(t, g) })
	return g
}

func closeGroup(t testing.TB, g *Group) {
	t.Helper()
	for _, l := range g.Links() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// requireSeveral fails unless g has n links: where several can be had is not the test's subject.
func requireSeveral(t testing.TB, g *Group, n int) {
	t.Helper()
	if len(g.Links()) == n {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs a kernel with PACKET_FANOUT_EBPF and CAP_BPF: there are %d links", len(g.Links()))
	}
	t.Skipf("%d links of %d: no PACKET_FANOUT_EBPF or CAP_BPF here", len(g.Links()), n)
}

// aoeFrame is a frame for an address, with a tag.
func aoeFrame(to [6]byte, shelf uint16, slot uint8, tag uint32) []byte {
	f := make([]byte, 60)
	copy(f, to[:])
	copy(f[6:], []byte{2, 0, 0, 0, 0, 1})
	f[12], f[13], f[14] = 0x88, 0xA2, 0x10
	binary.BigEndian.PutUint16(f[16:], shelf)
	f[18], f[19] = slot, 1
	binary.BigEndian.PutUint32(f[20:], tag)
	return f
}

func frameTag(f []byte) uint32 { return binary.BigEndian.Uint32(f[20:]) }

// drain returns what waits in a link now.
func drain(t testing.TB, l Link) (got [][]byte) {
	t.Helper()
	var frames [64][]byte
	for {
		n, err := l.Receive(frames[:])
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames[:n] {
			got = append(got, bytes.Clone(f))
		}
		l.Release()
		if n == 0 {
			return got
		}
	}
}

// groupRig is a group on one end of a wire and a sender on the other.
type groupRig struct {
	t     *testing.T
	ns    netiotest.Netns
	from  Link
	to    [6]byte
	group *Group
}

func newGroupRig(t *testing.T, n int) *groupRig {
	a, b := netiotest.Pair(t, 1500)
	r := &groupRig{t: t, ns: b, from: openIn(t, a, "eth0", Options{}), to: lookupIn(t, b, "eth0").MAC, group: openGroup(t, b, n, Options{})}
	requireSeveral(t, r.group, n)
	return r
}

func (r *groupRig) steer(shelf uint16, slot uint8, i int) {
	r.t.Helper()
	if err := r.group.Steer(shelf, slot, i); err != nil {
		r.t.Fatal(err)
	}
}

func (r *groupRig) start() {
	r.t.Helper()
	if err := r.group.Start(); err != nil {
		r.t.Fatal(err)
	}
}

// comesTo sends a frame and fails unless it comes to link want, whole, and to no other.
func (r *groupRig) comesTo(want int, f []byte) {
	r.t.Helper()
	send(r.t, r.from, f)
	for i, l := range r.group.Links() {
		got := drain(r.t, l)
		if n := len(got); i != want && n != 0 || i == want && (n != 1 || !bytes.Equal(got[0], f)) {
			r.t.Fatalf("frame for %x: link %d got %d frames, want it on link %d", f[16:19], i, n, want)
		}
	}
}

// steeredTo is where a test steers the i-th of its addresses.
func steeredTo(i int) (shelf uint16, slot uint8, link int) {
	return uint16(i * 7 / 255), uint8(i % 255), i % 3
}

// TestGroupSteersEveryAddress has as many addresses as the largest target.
func TestGroupSteersEveryAddress(t *testing.T) {
	r := newGroupRig(t, 3)
	const addresses = 10000
	for i := range addresses {
		shelf, slot, link := steeredTo(i)
		r.steer(shelf, slot, link)
	}
	r.start()
	for i := range addresses {
		shelf, slot, link := steeredTo(i)
		r.comesTo(link, aoeFrame(r.to, shelf, slot, uint32(i)))
	}
}

func TestGroupGivesTheRestToTheFirst(t *testing.T) {
	r := newGroupRig(t, 3)
	r.steer(1, 2, 2)
	r.steer(256, 1, 1)
	r.start()
	everyone := [6]byte{255, 255, 255, 255, 255, 255}
	for _, f := range [][]byte{
		aoeFrame(everyone, 0xffff, 0xff, 1), aoeFrame(everyone, 1, 0xff, 2), aoeFrame(everyone, 0xffff, 2, 3), // wildcards
		aoeFrame(r.to, 1, 3, 4), aoeFrame(r.to, 2, 1, 5), aoeFrame(r.to, 513, 1, 6), aoeFrame(r.to, 1, 0, 7), // no such address
		aoeFrame(r.to, 1, 2, 8)[:14], aoeFrame(r.to, 1, 2, 9)[:18], aoeFrame(r.to, 1, 2, 10)[:19], // without a whole one
	} {
		r.comesTo(0, f)
	}
	r.comesTo(2, aoeFrame(r.to, 1, 2, 11))
	r.comesTo(2, aoeFrame(r.to, 1, 2, 11)[:20])
	r.comesTo(1, aoeFrame(everyone, 256, 1, 12))
	send(t, r.from, tagged(aoeFrame(r.to, 1, 2, 13), 0)) // with a priority
	if got := drain(t, r.group.Links()[2]); len(got) != 1 || frameTag(got[0]) != 13 {
		t.Errorf("a frame with a priority tag did not come to its link: %d frames", len(got))
	}
	r.steer(1, 2, 0)
	r.steer(1, 2, 0) // forgotten already
	r.comesTo(0, aoeFrame(r.to, 1, 2, 14))
	if err := r.group.Steer(1, 2, 3); err == nil || !strings.Contains(err.Error(), "there are 3") {
		t.Errorf("steering to link 3 of 3: %v", err)
	}
}

// TestGroupIsSteeredAlikeAfterDownAndUp: the kernel takes the sockets out of the group and in again.
func TestGroupIsSteeredAlikeAfterDownAndUp(t *testing.T) {
	r := newGroupRig(t, 4)
	for i := range 4 {
		r.steer(1, uint8(i), i)
	}
	r.start()
	for range 3 {
		r.ns.Run("ip", "link", "set", "eth0", "down")
		r.ns.Run("ip", "link", "set", "eth0", "up")
		r.ns.AwaitRunning("eth0")
		for _, l := range r.group.Links() {
			drain(t, l) // and clears what poll would report
		}
		for i := range 4 {
			r.comesTo(i, aoeFrame(r.to, 1, uint8(i), 1))
		}
	}
}

func TestGroupOnAnInterfaceThatIsDown(t *testing.T) {
	a, b := netiotest.Pair(t, 1500)
	b.Run("ip", "link", "set", "eth0", "down")
	var said string
	g := openGroup(t, b, 2, Options{Log: func(m string) { said = m }})
	if err := g.Steer(1, 1, len(g.Links())-1); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	b.Run("ip", "link", "set", "eth0", "up")
	b.AwaitRunning("eth0")
	last := g.Links()[len(g.Links())-1]
	f := aoeFrame(lookupIn(t, b, "eth0").MAC, 1, 1, 1)
	send(t, openIn(t, a, "eth0", Options{}), f)
	if got := drain(t, last); len(got) != 1 {
		t.Errorf("%d frames came to link %d", len(got), len(g.Links())-1)
	}
	if len(g.Links()) == 1 && said == "" {
		t.Error("one link only, without a word")
	}
}

// TestGroupFallsBackToOneLink: what cannot be shared is served by one, and says why.
func TestGroupFallsBackToOneLink(t *testing.T) {
	for name, c := range map[string]struct {
		kind, says string
		before     func(t *testing.T)
	}{
		"raw":    {"raw", "kind raw", func(*testing.T) {}},
		"no bpf": {"ring", "CAP_BPF", dropBPF},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := netiotest.Pair(t, 1500)
			var said []string
			var g *Group
			b.Do(func() {
				c.before(t)
				before := countFDs(t)
				single, err := Open("eth0", Options{Kind: c.kind})
				if err != nil {
					t.Fatal(err)
				}
				each := countFDs(t) - before
				if err := single.Close(); err != nil {
					t.Error(err)
				}
				if g, err = OpenGroup("eth0", 3, Options{Kind: c.kind, Log: func(m string) { said = append(said, m) }}); err != nil {
					t.Fatal(err)
				}
				if n := countFDs(t) - before; n != each {
					t.Errorf("%d descriptors, want the %d of one link", n, each)
				}
			})
			t.Cleanup(func() { closeGroup(t, g) })
			if len(g.Links()) != 1 || g.Links()[0].Kind() != c.kind {
				t.Fatalf("%d links, the first of kind %s", len(g.Links()), g.Links()[0].Kind())
			}
			if len(said) != 1 || !strings.Contains(said[0], c.says) || !strings.Contains(said[0], "one link and not 3") {
				t.Errorf("said %q, want one line with %q", said, c.says)
			}
			if err := g.Steer(1, 1, 0); err != nil {
				t.Error(err)
			}
			if err := g.Steer(1, 1, 1); err == nil {
				t.Error("steers to a second link")
			}
			if err := g.Settle(); err != nil {
				t.Error(err)
			}
			if err := g.Start(); err != nil {
				t.Error(err)
			}
			f := aoeFrame(lookupIn(t, b, "eth0").MAC, 1, 1, 1)
			send(t, openIn(t, a, "eth0", Options{}), f)
			if got := receive(t, g.Links()[0]); !bytes.Equal(got, f) {
				t.Errorf("got % x", got)
			}
		})
	}
}

// dropBPF takes from the calling thread, for good, what it needs to load programs.
func dropBPF(t *testing.T) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	for _, c := range []uint{unix.CAP_BPF, unix.CAP_SYS_ADMIN} {
		data[c/32].Effective &^= 1 << (c % 32)
		data[c/32].Permitted &^= 1 << (c % 32)
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile("/proc/sys/kernel/unprivileged_bpf_disabled"); err == nil && string(b) == "0\n" {
		const lack = "this kernel lets anyone load programs: set the sysctl kernel.unprivileged_bpf_disabled to 2"
		if os.Getenv("CI") == "true" {
			t.Fatal(lack)
		}
		t.Skip(lack)
	}
}

func TestGroupRefuses(t *testing.T) {
	ns := netiotest.New(t)
	ns.Do(func() {
		before := countFDs(t)
		for _, c := range []struct {
			netif string
			n     int
			says  string
		}{
			{"lo", 0, "want 1 to 256"}, {"lo", 257, "want 1 to 256"}, {"eth9", 2, "no such network interface"},
		} {
			if g, err := OpenGroup(c.netif, c.n, Options{}); g != nil || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %d links: %v, %v, want %q", c.netif, c.n, g, err, c.says)
			}
		}
		if after := countFDs(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// TestGroupLeavesNothingBehind takes an interface that vanishes between Lookup and bind, and one that works.
func TestGroupLeavesNothingBehind(t *testing.T) {
	ns := netiotest.New(t)
	ns.Do(func() {
		ifi, err := Lookup("lo")
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC() // nothing of another test is closed while this one counts
		before := countFDs(t)
		gone := ifi
		gone.Index = 1 << 20
		if g, err := openRings(gone, 3, Options{RingBytes: 64 << 10}); g != nil || err == nil {
			t.Errorf("opened on an interface that is gone: %v, %v", g, err)
		}
		g, err := openRings(ifi, 3, Options{RingBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Links()[0].Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			closeGroup(t, g) // again, and links that are closed
		}
		if err := g.Settle(); err != nil {
			t.Error(err)
		}
		if after := countFDs(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// BenchmarkGroupSteer is what an attached export costs.
func BenchmarkGroupSteer(b *testing.B) {
	_, there := netiotest.Pair(b, 1500)
	g := openGroup(b, there, 2, Options{})
	requireSeveral(b, g, 2)
	for i := 0; b.Loop(); i++ {
		if err := g.Steer(uint16(i>>8), uint8(i), 1); err != nil && i < maxSteered {
			b.Fatal(fmt.Errorf("address %d: %w", i, err))
		}
	}
}
