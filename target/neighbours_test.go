package target_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// bob is another target.
var bob = aoe.MAC{2, 0, 0, 0, 0, 0xb}

// listening is a rig with eth0, on which 9.9 is served, so that it is listened to,
// and a drive "d". Add waits as long as hearing for the first answers.
func listening(t *testing.T, hearing time.Duration) (*targettest.Machine, *target.Target) {
	m := targettest.NewMachine(t)
	config := m.Config()
	config.Hearing = hearing
	tgt := target.New(config)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	m.AddMedium("/disks/d", 100, false)
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 9, Slot: 9}, Interface: "eth0", Quiet: true}))
	m.Asked("eth0")
	return m, tgt
}

// answering has bob answer for addrs on an interface.
func answering(m *targettest.Machine, netif string, addrs ...aoe.Addr) {
	m.Answer(netif, func(query []byte) (frames [][]byte) {
		h, _ := aoe.DecodeHeader(query)
		for _, a := range addrs {
			if h.Addr.Matches(a) {
				frames = append(frames, replyFrame(bob, a))
			}
		}
		return frames
	})
}

// heard has frames arrive and waits until the target has looked at them.
func heard(t *testing.T, m *targettest.Machine, tgt *target.Target, netif string, frames ...[]byte) {
	t.Helper()
	m.Inject(netif, frames...)
	m.Quiesce()
	target.AwaitHeard(tgt, netif)
}

func addPort(addr aoe.Addr, netif string) target.AddPort {
	return target.AddPort{Drive: "d", Addr: addr, Interface: netif, Quiet: true}
}

// checkAnswered fails the test unless err says that bob answers.
func checkAnswered(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, target.ErrAnswered) || !strings.Contains(err.Error(), bob.String()) || !strings.Contains(err.Error(), "force") {
		t.Errorf("got %v; want that %s answers, and force", err, bob)
	}
	if err != nil && strings.Count(err.Error(), "answer") > 1 {
		t.Errorf("%v: says twice that another machine answers", err)
	}
}

// answer returns what the target sends when a frame arrives.
func answer(m *targettest.Machine, netif string, frame []byte) [][]byte {
	m.Sent(netif)
	m.Inject(netif, frame)
	m.Quiesce()
	return m.Sent(netif)
}

// The first add on an interface asks and waits, but only as long as it must.
func TestFirstAddAsks(t *testing.T) {
	m := targettest.NewMachine(t)
	config := m.Config()
	config.Hearing = 10 * time.Second // the answer ends the wait
	tgt := target.New(config)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	m.AddMedium("/disks/d", 100, false)
	for _, netif := range []string{"eth0", target.EveryInterface} {
		tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
		answering(m, "eth0", blade)
		err := tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: netif})
		checkAnswered(t, err)
		if len(tgt.Drives()) != 0 || len(tgt.Ports()) != 0 {
			t.Errorf("a refused export left %v, %v", tgt.Drives(), tgt.Ports())
		}
	}
	asked := m.Asked("eth0")
	if len(asked) == 0 {
		t.Fatal("nobody was asked")
	}
	h, ok := aoe.DecodeHeader(asked[0])
	c, ok2 := aoe.DecodeConfig(asked[0])
	if !ok || !ok2 || h.Dst != aoe.Broadcast || h.Addr != wildcard || h.Command != aoe.CmdConfig || c.Command != aoe.ConfigRead ||
		h.Version != aoe.Version || h.Tag>>31 != 1 || len(asked[0]) != aoe.MinFrame {
		t.Errorf("the query is % x", asked[0])
	}
	if err := tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0", Force: true}); err != nil {
		t.Errorf("with force: %v", err)
	}
	if p, _ := tgt.Port(blade, "eth0"); !p.Forced || !p.Up {
		t.Errorf("the forced port is %+v", p)
	}
}

// An add with force asks as well, though it does not wait: whose address it takes shows.
func TestForcedFirstAddShowsConflict(t *testing.T) {
	m := targettest.NewMachine(t)
	tgt := target.New(m.Config())
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	m.AddMedium("/disks/d", 100, false)
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	answering(m, "eth0", blade)
	must(t, tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0", Force: true}))
	m.Quiesce()
	target.AwaitHeard(tgt, "eth0")
	if list := tgt.Conflicts(blade); len(list) != 1 || list[0].Host != bob {
		t.Errorf("the conflicts are %+v, want that with %s", list, bob)
	}
}

// One query serves for any number of adds.
func TestLaterAddsDoNotAsk(t *testing.T) {
	m, tgt := listening(t, target.DefaultHearing)
	for slot := range 100 {
		must(t, tgt.Do(addPort(aoe.Addr{Shelf: 2, Slot: uint8(slot)}, "eth0")))
	}
	m.Quiesce()
	if asked := m.Asked("eth0"); len(asked) != 0 {
		t.Errorf("%d more queries for 100 ports", len(asked))
	}
}

// Announcements tell of neighbours, too; vblade's have version 0. Whether one
// that was heard long ago is still there is asked.
func TestAddAsksAgain(t *testing.T) {
	m, tgt := listening(t, 10*time.Second)
	announcement := replyFrame(bob, blade)
	announcement[14] = 0x08
	heard(t, m, tgt, "eth0", announcement)
	checkAnswered(t, tgt.Do(addPort(blade, "eth0")))
	if asked := m.Asked("eth0"); len(asked) != 0 {
		t.Errorf("%d queries about who was heard just now", len(asked))
	}
	target.Age(tgt, "eth0", time.Minute)
	answering(m, "eth0", blade)
	checkAnswered(t, tgt.Do(addPort(blade, "eth0")))
	asked := m.Asked("eth0")
	if h, _ := aoe.DecodeHeader(asked[0]); len(asked) != 1 || h.Addr != wildcard {
		t.Errorf("%d queries, the first to %s", len(asked), h.Addr)
	}
}

// Who does not answer any more holds nothing up.
func TestNeighbourGone(t *testing.T) {
	m, tgt := listening(t, time.Nanosecond)
	heard(t, m, tgt, "eth0", replyFrame(bob, blade))
	target.Age(tgt, "eth0", time.Minute)
	must(t, tgt.Do(addPort(blade, "eth0")))
	if n := target.Neighbours(tgt, "eth0"); n != 0 {
		t.Errorf("%d neighbours are left", n)
	}
}

// Whatever a machine served that has died can be taken over at once, and what
// another one serves cannot: one question a second tells which is which.
func TestTakeover(t *testing.T) {
	m, tgt := listening(t, target.DefaultHearing)
	const addresses = 1000
	at := func(i int) aoe.Addr { return aoe.Addr{Shelf: uint16(10 + i/100), Slot: uint8(i % 100)} }
	var frames [][]byte
	var live []aoe.Addr
	for i := range addresses {
		if frames = append(frames, replyFrame(bob, at(i))); i%3 == 0 {
			live = append(live, at(i))
		}
	}
	heard(t, m, tgt, "eth0", frames...)
	target.Age(tgt, "eth0", time.Minute)
	answering(m, "eth0", live...)
	m.Asked("eth0")
	began := time.Now()
	for i := range addresses {
		if err := tgt.Do(addPort(at(i), "eth0")); i%3 == 0 {
			checkAnswered(t, err)
		} else if err != nil {
			t.Fatalf("%s, the %dth: %v", at(i), i, err)
		}
	}
	if asked, most := len(m.Asked("eth0")), 1+int(time.Since(began)/time.Second); asked > most {
		t.Errorf("%d queries, want at most %d", asked, most)
	}
	if n := len(tgt.Ports()); n != 1+addresses-len(live) {
		t.Errorf("%d ports", n)
	}
}

// A port on every interface is not served on one that comes later, as long as
// somebody else answers there.
func TestEveryInterfaceMeetsNeighbour(t *testing.T) {
	m, tgt := listening(t, time.Nanosecond)
	must(t, tgt.Do(addPort(blade, target.EveryInterface)))
	must(t, tgt.Do(target.RemovePort{Addr: aoe.Addr{Shelf: 9, Slot: 9}}))
	must(t, tgt.Do(addPort(aoe.Addr{Shelf: 9, Slot: 9}, "eth0")))
	down := m.SetInterface("eth1", 2, 1500)
	down.Up = false
	m.SetInfo(down)
	tgt.InterfaceChanged(down)
	heard(t, m, tgt, "eth1", replyFrame(bob, blade))
	tgt.InterfaceChanged(m.SetInterface("eth1", 2, 1500))
	if n := len(answer(m, "eth1", queryFrame(blade, 1))); n != 0 {
		t.Errorf("%d answers where another machine answers", n)
	}
	if n := len(answer(m, "eth0", queryFrame(blade, 1))); n != 1 {
		t.Errorf("%d answers where none does", n)
	}
	list := tgt.Conflicts(blade)
	if len(list) != 1 || list[0].Host != bob || list[0].Interface != "eth1" || !strings.Contains(m.Log(), bob.String()) {
		t.Errorf("the conflicts are %+v, and the log\n%s", list, m.Log())
	}
	target.Age(tgt, "eth1", time.Minute)
	target.Look(tgt, "eth1")
	until(t, "it is served when bob has gone", func() bool { return len(answer(m, "eth1", queryFrame(blade, 1))) == 1 })
}

// Nothing but an honest config reply tells of a neighbour.
func TestRepliesThatTellNothing(t *testing.T) {
	m, tgt := listening(t, time.Nanosecond)
	tgt.InterfaceChanged(m.SetInterface("eth1", 2, 1500))
	change := func(at int, b ...byte) []byte {
		frame := replyFrame(bob, blade)
		copy(frame[at:], b)
		return frame
	}
	for name, frame := range map[string][]byte{
		"a request": change(14, 0x10), "an error": change(14, 0x1c), "version 2": change(14, 0x28),
		"any shelf": change(16, 0xff, 0xff), "any slot": change(18, 0xff), "another command": change(19, 0),
		"from a group": change(6, 3), "from nobody": change(6, 0, 0, 0, 0, 0, 0), "config command 5": change(29, 0x15),
		"long string": change(30, 4), "string over the frame": change(30, 0, 29), "no argument": replyFrame(bob, blade)[:31],
		"another type": change(12, 8, 0), "from here": replyFrame(targettest.MAC("eth0"), blade),
		"from another interface here": replyFrame(targettest.MAC("eth1"), blade),
	} {
		heard(t, m, tgt, "eth0", frame)
		if n := target.Neighbours(tgt, "eth0"); n != 0 {
			t.Fatalf("%s made %d neighbours", name, n)
		}
	}
	heard(t, m, tgt, "eth0", replyFrame(bob, blade))
	if n := target.Neighbours(tgt, "eth0"); n != 1 {
		t.Errorf("an honest reply made %d neighbours", n)
	}
}

// However many hosts claim however many addresses, the table stays in bounds.
func TestForgedReplies(t *testing.T) {
	m, tgt := listening(t, time.Nanosecond)
	for i := range 10000 {
		m.Inject("eth0", replyFrame(host(i), blade), replyFrame(host(i), aoe.Addr{Shelf: uint16(i / 200), Slot: uint8(i % 200)}))
	}
	m.Quiesce()
	target.AwaitHeard(tgt, "eth0")
	if n := target.Neighbours(tgt, "eth0"); n < 1 || n > 10000+4 {
		t.Errorf("%d neighbours", n)
	}
	if list := tgt.Conflicts(blade); list != nil {
		t.Errorf("conflicts of an address that is not served: %v", list)
	}
	if len(answer(m, "eth0", queryFrame(aoe.Addr{Shelf: 9, Slot: 9}, 5))) != 1 {
		t.Error("requests are not answered behind the flood")
	}
}

// Two interfaces of one target on one segment do not answer each other's
// queries, and do answer those of others with other tags.
func TestOwnQueriesAreNotAnswered(t *testing.T) {
	m := targettest.NewMachine(t)
	tgt := target.New(m.Config())
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	m.AddMedium("/disks/d", 100, false)
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	for i, name := range []string{"eth0", "eth1"} {
		tgt.InterfaceChanged(m.SetInterface(name, i+1, 1500))
		must(t, tgt.Do(addPort(blade, name)))
	}
	m.Quiesce()
	query := m.Asked("eth0")[0]
	if n := len(answer(m, "eth1", query)); n != 0 {
		t.Errorf("%d answers to the own query", n)
	}
	query[23]++ // the tag
	if n := len(answer(m, "eth1", query)); n != 1 {
		t.Errorf("%d answers to the query of another", n)
	}
}

func TestConflicts(t *testing.T) {
	for _, force := range []bool{false, true} {
		t.Run(fmt.Sprintf("force=%v", force), func(t *testing.T) {
			m, tgt := listening(t, time.Nanosecond)
			op := addPort(blade, "eth0")
			op.Force = force
			must(t, tgt.Do(op))
			for range 3 {
				heard(t, m, tgt, "eth0", replyFrame(bob, blade))
			}
			list := tgt.Conflicts(blade)
			if len(list) != 1 || list[0].Host != bob || list[0].Count != 3 || list[0].Interface != "eth0" || list[0].Last.IsZero() {
				t.Errorf("the conflicts are %+v", list)
			}
			level := map[bool]string{false: "level=error", true: "level=info"}[force]
			var lines []string
			for _, line := range strings.Split(m.Log(), "\n") {
				if strings.Contains(line, "conflict") {
					lines = append(lines, line)
				}
			}
			if len(lines) != 1 || !strings.Contains(lines[0], level) || !strings.Contains(lines[0], bob.String()) {
				t.Errorf("the log has %q, want one line with %s", lines, level)
			}
			if len(answer(m, "eth0", queryFrame(blade, 1))) != 1 {
				t.Error("the address is not served any more")
			}
			for i := range 1000 {
				heard(t, m, tgt, "eth0", replyFrame(host(i), blade))
			}
			if n := len(tgt.Conflicts(blade)); n != 16 {
				t.Errorf("%d conflicts are remembered, want 16", n)
			}
			if n := strings.Count(m.Log(), "conflict"); n > 40 {
				t.Errorf("%d lines are logged", n)
			}
		})
	}
}
