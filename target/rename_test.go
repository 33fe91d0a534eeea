package target_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// counting is a Keeper that counts what it is told.
type counting struct{ changes atomic.Int32 }

func (c *counting) Changed(then func(error)) {
	c.changes.Add(1)
	if then != nil {
		go then(nil)
	}
}

// renaming has eth0, and the drive d at 1.0 on it; the drive w, whose store is
// missing, at 2.0 on it; and d at 3.0 on every interface.
func renaming(t *testing.T) (*targettest.Machine, *target.Target, *counting) {
	m, kept := targettest.NewMachine(t), &counting{}
	c := m.Config()
	c.Keeper, c.Workers = kept, rigWorkers
	tgt := target.New(c)
	t.Cleanup(func() {
		if err := target.Disagreeing(tgt); err != nil {
			t.Error(err)
		}
		targettest.CloseTarget(t, m, tgt)
	})
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	m.AddMedium("/disks/d", 100, false)
	for _, op := range []target.Operation{
		target.AddDrive{Name: "d", Path: "/disks/d"},
		target.AddDrive{Name: "w", Path: "/disks/w", Wait: true},
		target.AddPort{Drive: "d", Addr: shelf(1), Interface: "eth0", Buffers: 7},
		target.AddPort{Drive: "w", Addr: shelf(2), Interface: "eth0"},
		target.AddPort{Drive: "d", Addr: shelf(3), Interface: target.EveryInterface},
	} {
		must(t, tgt.Do(op))
	}
	m.Quiesce()
	m.Sent("eth0")
	kept.changes.Store(0)
	return m, tgt, kept
}

// wantServed fails unless queries to these addresses, and to no other, are
// answered on an interface.
func wantServed(t *testing.T, m *targettest.Machine, netif string, addrs ...aoe.Addr) {
	t.Helper()
	m.Quiesce() // what is announced is sent
	got := map[aoe.Addr]int{}
	for _, frame := range answer(m, netif, queryFrame(wildcard, 1)) {
		h, _ := aoe.DecodeHeader(frame)
		got[h.Addr]++
	}
	for _, a := range addrs {
		if got[a] != 1 {
			t.Errorf("%d answers for %s on %s, want one", got[a], a, netif)
		}
		delete(got, a)
	}
	if len(got) > 0 {
		t.Errorf("answers on %s for %v", netif, got)
	}
}

// places lists where ports are configured: "e1.0@eth0 …" in order of creation.
func places(tgt *target.Target) string {
	var list []string
	for _, p := range tgt.Ports() {
		list = append(list, p.Addr.String()+"@"+p.Interface)
	}
	return strings.Join(list, " ")
}

func wantPlaces(t *testing.T, tgt *target.Target, want string) {
	t.Helper()
	if got := places(tgt); got != want {
		t.Errorf("ports at %s, want %s", got, want)
	}
}

// Ports go along with an interface that is renamed, those that are down too, and
// nothing waits for the old name.
func TestPortsFollowARenamedInterface(t *testing.T) {
	soon(t)
	m, tgt, kept := renaming(t)
	wantServed(t, m, "eth0", shelf(1), shelf(3))
	m.FailAfter(0) // no new link is needed
	tgt.InterfaceChanged(m.RenameInterface("eth0", "lan0"))
	m.FailAfter(-1)
	wantPlaces(t, tgt, "1.0@lan0 2.0@lan0 3.0@*")
	wantServed(t, m, "lan0", shelf(1), shelf(3))
	if p, _ := tgt.Port(shelf(1), "lan0"); !p.Up || p.Buffers != 7 || p.Stats.Others != 2 {
		t.Errorf("%+v, want it as it was", p)
	}
	if n := tgt.Interfaces(); len(n) != 1 || n[0].Name != "lan0" || n[0].Ports != 2 {
		t.Errorf("%+v", n)
	}
	if n := kept.changes.Load(); n != 1 {
		t.Errorf("the Keeper was told %d times", n)
	}
	m.AddMedium("/disks/w", 100, false)
	until(t, "the drive that waited is served", func() bool { p, _ := tgt.Port(shelf(2), "lan0"); return p.Up })
	tgt.InterfaceChanged(m.SetInterface("eth0", 2, 1500)) // another one
	wantServed(t, m, "eth0", shelf(3))
	wantServed(t, m, "lan0", shelf(1), shelf(2), shelf(3))
	m.RemoveInterface("lan0")
	tgt.InterfaceVanished("lan0", 1)
	tgt.InterfaceChanged(m.SetInterface("lan0", 3, 1500))
	wantServed(t, m, "lan0", shelf(1), shelf(2), shelf(3))
	must(t, tgt.Do(target.RemovePort{Addr: shelf(1), Interface: "lan0"}))
	wantServed(t, m, "lan0", shelf(2), shelf(3))
}

// Where a port waits for the new name already, the one that is served stays.
func TestRenamedToANameThatIsWaitedFor(t *testing.T) {
	m, tgt, _ := renaming(t)
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: shelf(1), Interface: "lan0", Buffers: 9, Wait: true}))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: shelf(4), Interface: "lan0", Wait: true}))
	tgt.InterfaceChanged(m.RenameInterface("eth0", "lan0"))
	wantPlaces(t, tgt, "1.0@lan0 2.0@lan0 3.0@* 4.0@lan0")
	wantServed(t, m, "lan0", shelf(1), shelf(3), shelf(4))
	if p, _ := tgt.Port(shelf(1), "lan0"); p.Buffers != 7 || !strings.Contains(m.Log(), "1.0 was to be served on eth0 and on lan0") {
		t.Errorf("%+v; log:\n%s", p, m.Log())
	}
}

// An interface may take the name of one that had ports and is gone: those come up
// on it. So a network card returns that is renamed after it was found.
func TestRenamedToANameThatIsGone(t *testing.T) {
	m, tgt, _ := renaming(t)
	tgt.InterfaceChanged(m.SetInterface("lan0", 2, 1500))
	for _, a := range []aoe.Addr{shelf(1), shelf(4)} {
		must(t, tgt.Do(target.AddPort{Drive: "d", Addr: a, Interface: "lan0"}))
	}
	m.RemoveInterface("lan0")
	tgt.InterfaceVanished("lan0", 2)
	tgt.InterfaceChanged(m.RenameInterface("eth0", "lan0"))
	wantPlaces(t, tgt, "1.0@lan0 2.0@lan0 3.0@* 4.0@lan0")
	wantServed(t, m, "lan0", shelf(1), shelf(3), shelf(4))

	m.RemoveInterface("lan0")
	tgt.InterfaceVanished("lan0", 1)
	tgt.InterfaceChanged(m.SetInterface("eth0", 3, 1500))
	wantServed(t, m, "eth0", shelf(3))
	tgt.InterfaceChanged(m.RenameInterface("eth0", "lan0"))
	wantServed(t, m, "lan0", shelf(1), shelf(3), shelf(4))
}

// Names that change in a circle are followed even if only the result is told.
func TestRenamedInACircle(t *testing.T) {
	m, tgt, _ := renaming(t)
	tgt.InterfaceChanged(m.SetInterface("eth1", 2, 1500))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: shelf(4), Interface: "eth1"}))
	m.RenameInterface("eth0", "x")
	one := m.RenameInterface("eth1", "eth0")
	if err := tgt.Do(target.AddPort{Drive: "d", Addr: shelf(5), Interface: "eth0"}); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("a port by a name that was another's just now: %v", err)
	}
	other := m.RenameInterface("x", "eth1")
	tgt.InterfaceChanged(one)
	tgt.InterfaceChanged(other)
	wantPlaces(t, tgt, "1.0@eth1 2.0@eth1 3.0@* 4.0@eth0")
	wantServed(t, m, "eth0", shelf(4), shelf(3))
	wantServed(t, m, "eth1", shelf(1), shelf(3))
}

// An operation may know of the new name before the notice comes.
func TestRenamedBeforeTheNotice(t *testing.T) {
	m, tgt, _ := renaming(t)
	info := m.RenameInterface("eth0", "lan0")
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: shelf(4), Interface: "lan0"}))
	wantPlaces(t, tgt, "1.0@lan0 2.0@lan0 3.0@* 4.0@lan0")
	tgt.InterfaceChanged(info)
	wantServed(t, m, "lan0", shelf(1), shelf(3), shelf(4))
	info = m.RenameInterface("lan0", "lan1")
	must(t, tgt.Do(target.RemovePort{Addr: shelf(4), Interface: "lan1"}))
	tgt.InterfaceChanged(info)
	wantServed(t, m, "lan1", shelf(1), shelf(3))
}

// A link may break on the way, and be looked for by the old name.
func TestRenamedWithABrokenLink(t *testing.T) {
	m, tgt, _ := renaming(t)
	m.BreakLink("eth0", errors.New("network is down"))
	info := m.RenameInterface("eth0", "lan0")
	until(t, "it is looked for", func() bool { return strings.Contains(m.Log(), "eth0 has vanished") })
	tgt.InterfaceChanged(info)
	wantPlaces(t, tgt, "1.0@lan0 2.0@lan0 3.0@*")
	wantServed(t, m, "lan0", shelf(1), shelf(3))
}

// A port that waits for another machine to go waits on.
func TestRenamedWhileItWaitsForItsRival(t *testing.T) {
	tgt, m := contested(t)
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0", Wait: true}))
	tgt.InterfaceChanged(m.RenameInterface("eth0", "lan0"))
	if p, ok := tgt.Port(blade, "lan0"); !ok || p.Up || !strings.Contains(p.Down, rival.String()) {
		t.Errorf("%+v", p)
	}
	if list := tgt.Conflicts(blade); len(list) != 1 || list[0].Interface != "lan0" {
		t.Errorf("%+v", list)
	}
	m.Answer("lan0", nil)
	until(t, "the port is up", func() bool { p, _ := tgt.Port(blade, "lan0"); return p.Up })
}

// A name that no command could say is not followed; what is on every interface
// stays.
func TestRenamedToWhatCannotBeNamed(t *testing.T) {
	for _, name := range []string{"#x", target.EveryInterface, "eth?", "a,b", "w*"} {
		m, tgt, _ := renaming(t)
		must(t, tgt.Do(target.AddPort{Drive: "d", Addr: shelf(4), Interface: "wan*"}))
		tgt.InterfaceChanged(m.RenameInterface("eth0", name))
		if got, want := places(tgt), "1.0@eth0 2.0@eth0 3.0@* 4.0@wan*"; got != want {
			t.Errorf("renamed to %q, ports at %s, want %s", name, got, want)
		}
		if p, _ := tgt.Port(shelf(1), "eth0"); p.Up {
			t.Errorf("renamed to %q, the port of eth0 is up", name)
		}
		wantServed(t, m, name, shelf(3))
		tgt.InterfaceChanged(m.RenameInterface(name, "eth0"))
		wantServed(t, m, "eth0", shelf(1), shelf(3))
		tgt.InterfaceChanged(m.RenameInterface("eth0", name))
		m.RemoveInterface(name)
		tgt.InterfaceVanished(name, 1)
		if p, _ := tgt.Port(shelf(3), target.EveryInterface); strings.Contains(p.Down, name+`"`) {
			t.Errorf("%q is gone: %s", name, p.Down)
		}
	}
}
