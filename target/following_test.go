package target_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// full is a write that only a link of MTU 9000 carries.
func full(addr aoe.Addr, tag uint32) []byte { return writeFrame(addr, tag, 0, make([]byte, 16*512)) }

// A link that fails is opened again.
func TestLinkErrors(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.BreakLink("eth0", errors.New("network is down"))
	until(t, "the link is opened again", func() bool { return len(answers(rig, "eth0", queryFrame(blade, 1))) == 1 })
	if !strings.Contains(m.Log(), "network is down") {
		t.Errorf("the log does not say why:\n%s", m.Log())
	}
	// With requests in flight: they are answered on the next link.
	m.SetMode(targettest.Held)
	answers(rig, "eth0", readFrame(blade, 2, 5, 1))
	m.BreakLink("eth0", errors.New("network is down again"))
	until(t, "the link is opened again", func() bool { return len(answers(rig, "eth0", queryFrame(blade, 3))) == 1 })
	m.Pending()[0].Finish(nil)
	if sent := tagged(rig.Collect("eth0", 1)); !slices.Equal(sent, []uint32{2}) { // an announcement may come between
		t.Errorf("replies %d on the next link", sent)
	}
}

// One that cannot be opened at once is tried again; so is the question for it.
func TestLinkErrorsThatLast(t *testing.T) {
	for failing, want := range []string{"LookupInterface", "OpenLinks"} {
		t.Run(want, func(t *testing.T) {
			rig := serving(t)
			m := rig.Machine()
			m.FailAfter(failing)
			m.BreakLink("eth0", errors.New("network is down"))
			until(t, want+" fails", func() bool { return m.Refused() == want })
			until(t, "the link is opened", func() bool { return len(answers(rig, "eth0", queryFrame(blade, 1))) == 1 })
		})
	}
}

// An interface that is gone leaves its ports down; nothing is lost but it.
func TestInterfaceVanishesUnannounced(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.RemoveInterface("eth0")
	until(t, "the port is down", func() bool {
		p, ok := rig.Target().Port(blade, "eth0")
		return ok && !p.Up && strings.Contains(m.Log(), "vanished")
	})
	if err := rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 2}, Interface: "eth0"}); !errors.Is(err, target.ErrNoInterface) {
		t.Errorf("a port on an interface that is gone: %v", err)
	}
	rig.Interface("eth0", 9000)
	if n := len(answers(rig, "eth0", full(blade, 1))); n != 1 {
		t.Errorf("%d replies after its return with another MTU", n)
	}
	// The notice that the old one is gone may come late.
	rig.Target().InterfaceVanished("eth0", 77)
	if n := len(answers(rig, "eth0", full(blade, 2))); n != 1 {
		t.Errorf("%d replies after the notice that an older one is gone", n)
	}
	m.RemoveInterface("eth0")
	rig.Target().InterfaceVanished("eth0", 1)
	must(t, rig.Target().Do(target.RemovePort{Addr: blade}))
	if m.Open() != `0 queues, 0 buffers, ["store /disks/d"]` {
		t.Errorf("open: %s", m.Open())
	}
}

// A grown MTU takes a new link, also when an operation learns of it before the
// notice comes.
func TestMTUGrows(t *testing.T) {
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprintf("early=%v", early), func(t *testing.T) {
			rig := serving(t)
			m := rig.Machine()
			if n := len(answers(rig, "eth0", full(blade, 1))); n != 0 {
				t.Fatalf("%d replies to a frame over the MTU", n)
			}
			info := m.SetInterface("eth0", 1, 9000)
			if early {
				must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 2}, Interface: "eth0"}))
			}
			rig.Target().InterfaceChanged(info)
			announced := rig.Collect("eth0", 1)
			if n := len(announced); n == 0 {
				t.Error("no announcement of the sector count")
			}
			if p, _ := rig.Target().Port(blade, "eth0"); p.EffectiveSectors != 16 {
				t.Errorf("%d sectors at MTU 9000", p.EffectiveSectors)
			}
			if n := len(answers(rig, "eth0", full(blade, 2))); n != 1 {
				t.Errorf("%d replies at MTU 9000", n)
			}
		})
	}
}

// Exports on every interface: present ones, future ones, Ethernet ones alone.
func TestEveryInterface(t *testing.T) {
	rig := newRig(t)
	m := rig.Machine()
	must(t, rig.Target().Do(target.Export{Path: rig.Disk("d", 1000, false), Addr: blade, Interface: target.EveryInterface}))
	if p, ok := rig.Target().Port(blade, target.EveryInterface); !ok || p.Up || p.EffectiveSectors != 0 {
		t.Errorf("without interfaces: %+v", p)
	}
	if m.Open() != `0 queues, 0 buffers, ["store /disks/d"]` {
		t.Errorf("open without interfaces: %s", m.Open())
	}
	lo := target.Interface{Name: "lo", Index: 9, MTU: 65536, Up: true, Loopback: true}
	m.SetInfo(lo)
	rig.Target().InterfaceChanged(lo)
	for i := range 3 {
		netif := fmt.Sprintf("eth%d", i)
		rig.Interface(netif, []int{1500, 9000, 4200}[i])
		if n := len(answers(rig, netif, queryFrame(blade, 1))); n != 1 {
			t.Errorf("%d replies on %s", n, netif)
		}
	}
	if p, _ := rig.Target().Port(blade, target.EveryInterface); p.EffectiveSectors != 2 || !p.Up || p.Stats.Others != 3 {
		t.Errorf("on three: %+v", p)
	}
	if open := m.Open(); !strings.HasPrefix(open, fmt.Sprintf("%d queues, %[1]d buffers, ", 3*rigWorkers)) || strings.Contains(open, "link lo") {
		t.Errorf("open: %s", open)
	}
	// One that cannot be served now does not keep the export from the others.
	m.FailAfter(0)
	rig.Interface("eth3", 1500)
	m.FailAfter(-1)
	if n := len(answers(rig, "eth0", queryFrame(blade, 2))); n != 1 || !strings.Contains(m.Log(), "eth3 stays down") {
		t.Errorf("%d replies; log:\n%s", n, m.Log())
	}
	// It is looked at again without any notice of it.
	until(t, "eth3 is served", func() bool { return len(answers(rig, "eth3", queryFrame(blade, 3))) == 1 })
	must(t, rig.Target().Do(target.RemovePort{Addr: blade, Interface: target.EveryInterface}))
	if m.Open() != targettest.Nothing {
		t.Errorf("open: %s", m.Open())
	}
}

// The first failure of a transfer is logged, whatever was refused before it.
func TestFailuresAreLogged(t *testing.T) {
	rig := serving(t)
	for tag := range uint32(2) {
		answers(rig, "eth0", readFrame(blade, 1+tag, 2000, 1))
	}
	d := rig.Machine().AddMedium("/disks/bad", 100, false)
	d.Fail(target.OpRead, errors.New("sector is worn"))
	must(t, rig.Target().Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/bad"}))
	answers(rig, "eth0", readFrame(blade, 9, 7, 2))
	until(t, "the log names the failure", func() bool { return strings.Contains(rig.Machine().Log(), "read of 2 sectors at 7 failed on drive d") })
	if !strings.Contains(rig.Machine().Log(), "sector is worn") {
		t.Errorf("log:\n%s", rig.Machine().Log())
	}
}
