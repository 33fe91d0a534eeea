package target_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// Ports that are added while they are gathered come up at the end: those of all
// interfaces at once, those that were removed meanwhile not at all.
func TestGather(t *testing.T) {
	const netifs = 8
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/d", 100, false)
	m.SetInterface("other", netifs+1, 1500)
	var arrived sync.WaitGroup
	arrived.Add(netifs)
	tgt := altered(t, m, func(p *target.Parts) {
		open := p.OpenLinks
		p.OpenLinks = func(netif string, workers int) (target.LinkGroup, error) {
			arrived.Done()
			all := make(chan struct{})
			go func() { arrived.Wait(); close(all) }()
			select {
			case <-all:
			case <-time.After(20 * time.Second):
				t.Errorf("%s: the links of others are not opened at the same time", netif)
			}
			return open(netif, workers)
		}
	})
	for i := range netifs {
		tgt.InterfaceChanged(m.SetInterface(fmt.Sprintf("eth%d", i), i+1, 1500))
	}
	up := func(i int, netif string) bool {
		p, _ := tgt.Port(aoe.Addr{Shelf: 1, Slot: uint8(i)}, netif)
		return p.Up
	}
	tgt.Gather(func() {
		must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d", Wait: true}))
		must(t, tgt.Do(target.AddDrive{Name: "missing", Path: "/disks/missing", Wait: true}))
		add := func(slot int, drive, netif string) {
			must(t, tgt.Do(target.AddPort{Drive: drive, Addr: aoe.Addr{Shelf: 1, Slot: uint8(slot)}, Interface: netif, Wait: true}))
		}
		for i := range netifs {
			add(i, "d", fmt.Sprintf("eth%d", i))
		}
		add(20, "d", "eth*")
		add(30, "missing", "other")
		add(40, "d", "other")
		must(t, tgt.Do(target.RemovePort{Addr: aoe.Addr{Shelf: 1, Slot: 40}}))
		if up(0, "eth0") {
			t.Error("a port is up before all are there")
		}
	})
	for i := range netifs {
		if netif := fmt.Sprintf("eth%d", i); !up(i, netif) || !up(20, "eth*") {
			t.Errorf("%s: its ports are not up", netif)
		}
	}
	if n := len(tgt.Interfaces()); n != netifs {
		t.Errorf("%d interfaces have links, want %d", n, netifs)
	}
	must(t, tgt.Do(target.RemoveBlade{Addr: aoe.Addr{Shelf: 1, Slot: 20}}))
	must(t, tgt.Do(target.RemovePort{Addr: aoe.Addr{Shelf: 1, Slot: 7}}))
	arrived.Add(1)
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 1, Slot: 50}, Interface: "eth7", Wait: true}))
	if !up(50, "eth7") {
		t.Error("a port that is added afterwards is not up")
	}
}

// An interface that cannot have links when all come up is left alone, and its port says
// why.
func TestGatherWithoutLinks(t *testing.T) {
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/d", 100, false)
	m.SetInterface("eth0", 1, 1500)
	m.SetInterface("broken", 2, 1500)
	tgt := altered(t, m, func(p *target.Parts) {
		open := p.OpenLinks
		p.OpenLinks = func(netif string, workers int) (target.LinkGroup, error) {
			if netif == "broken" {
				return nil, syscall.ENOBUFS
			}
			return open(netif, workers)
		}
	})
	tgt.Gather(func() {
		must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d", Wait: true}))
		for i, netif := range []string{"broken", "eth0"} {
			must(t, tgt.Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 1, Slot: uint8(i)}, Interface: netif, Wait: true}))
		}
	})
	if p, _ := tgt.Port(aoe.Addr{Shelf: 1, Slot: 1}, "eth0"); !p.Up {
		t.Errorf("eth0: %+v", p)
	}
	if p, _ := tgt.Port(aoe.Addr{Shelf: 1}, "broken"); p.Up || !strings.Contains(p.Down, syscall.ENOBUFS.Error()) {
		t.Errorf("broken: %+v", p)
	}
}
