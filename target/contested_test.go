package target_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// rival is another machine that answers for 1.0.
var rival = aoe.MAC{2, 0, 0, 0, 0, 0xbb}

func rivalAnswers([]byte) [][]byte {
	b := make([]byte, aoe.MinFrame)
	aoe.Header{Dst: aoe.Broadcast, Src: rival, Version: aoe.Version, Response: true, Addr: blade, Command: aoe.CmdConfig}.Put(b)
	aoe.Config{Buffers: 16, Sectors: 2}.Put(b)
	return [][]byte{b}
}

// contested has the drive d, and a rival for 1.0 on eth0.
func contested(t *testing.T) (*target.Target, *targettest.Machine) {
	m := targettest.NewMachine(t)
	c := m.Config()
	c.Hearing = 100 * time.Millisecond
	tgt := target.New(c)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	m.AddMedium("/disks/d", 1000, false)
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	m.Answer("eth0", rivalAnswers)
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	return tgt, m
}

// No port is made at an address that another machine answers for, whatever makes
// it, but with force.
func TestContestedAddressIsRefused(t *testing.T) {
	tgt, m := contested(t)
	for _, op := range []target.Operation{
		target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"},
		target.AddPort{Drive: "d", Addr: blade, Interface: target.EveryInterface},
		target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0"},
		target.Export{Path: "/disks/d", Addr: blade, Interface: target.EveryInterface},
	} {
		if err := tgt.Do(op); !errors.Is(err, target.ErrAnswered) || !strings.Contains(err.Error(), rival.String()) {
			t.Errorf("%+v: %v", op, err)
		}
		if s := tgt.State(); len(s.Ports)+len(s.Blades) != 0 || len(s.Drives) != 1 || s.Served || m.Open() != `0 queues, 0 buffers, ["store /disks/d"]` {
			t.Errorf("%+v has left %+v, open %s", op, s, m.Open())
		}
	}
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 2}, Interface: "eth0"}))
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0", Force: true}))
	if p, _ := tgt.Port(blade, "eth0"); !p.Up || !p.Forced {
		t.Errorf("%+v", p)
	}
	for _, seen := range []string{"before", "before and after"} { // the port was there
		if list := tgt.Conflicts(blade); len(list) != 1 || list[0].Host != rival || list[0].Interface != "eth0" || list[0].Count == 0 || list[0].Last.IsZero() {
			t.Errorf("the conflicts are %+v, with replies %s", list, seen)
		}
		heard(t, m, tgt, "eth0", rivalAnswers(queryFrame(blade, 1))...)
	}
}

// A port that waits comes up when the other machine has gone.
func TestPortWaitsForItsRival(t *testing.T) {
	tgt, m := contested(t)
	add := target.AddPort{Drive: "d", Addr: blade, Interface: "eth0", Wait: true}
	down := func() {
		t.Helper()
		if p, ok := tgt.Port(blade, "eth0"); !ok || p.Up || !strings.Contains(p.Down, rival.String()) {
			t.Errorf("%+v", p)
		}
	}
	must(t, tgt.Do(add))
	down()
	must(t, tgt.Do(target.RemovePort{Addr: blade}))
	if m.Open() != `0 queues, 0 buffers, ["store /disks/d"]` {
		t.Errorf("a port that waited has left open %s", m.Open())
	}
	must(t, tgt.Do(add))
	down()
	m.RemoveInterface("eth0")
	tgt.InterfaceVanished("eth0", 1)
	if p, _ := tgt.Port(blade, "eth0"); !strings.Contains(p.Down, "no such interface") {
		t.Errorf("%+v", p)
	}
	info := m.SetInterface("eth0", 2, 1500)
	m.Answer("eth0", rivalAnswers)
	tgt.InterfaceChanged(info)
	down()
	m.Answer("eth0", nil)
	until(t, "the port is up", func() bool { p, _ := tgt.Port(blade, "eth0"); return p.Up && p.Down == "" })
	if n := strings.Count(m.Log(), "a port waits"); n != 3 {
		t.Errorf("logged %d times that it waits:\n%s", n, m.Log())
	}
}
