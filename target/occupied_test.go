package target_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// place is an address on the interface with an index.
type place struct {
	index int
	addr  aoe.Addr
}

// registry is the claims of one process among others.
type registry struct {
	mu     sync.Mutex
	others map[place]string
	own    map[place]bool
}

func (r *registry) Take(index int, addr aoe.Addr) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.others[place{index, addr}] == "" {
		r.own[place{index, addr}] = true
	}
	return r.others[place{index, addr}]
}

func (r *registry) Holder(index int, addr aoe.Addr) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.others[place{index, addr}]
}

func (r *registry) Free(index int, addr aoe.Addr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.own[place{index, addr}] {
		panic(fmt.Sprintf("%d, %v is not its own", index, addr))
	}
	delete(r.own, place{index, addr})
}

// other has another process take, or leave, blade on an interface.
func (r *registry) other(index int, who string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.others[place{index, blade}] = who
}

// has checks what is claimed of blade.
func (r *registry) has(t *testing.T, want ...int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, index := range want {
		if !r.own[place{index, blade}] {
			t.Errorf("claimed are %v, want interface %d among them", r.own, index)
		}
	}
	if len(r.own) != len(want) {
		t.Errorf("claimed are %v, want %v only", r.own, want)
	}
}

// among has the drive d, and eth0 with index 1, in one of several processes.
func among(t *testing.T) (*target.Target, *targettest.Machine, *registry) {
	m := targettest.NewMachine(t)
	r := &registry{others: map[place]string{}, own: map[place]bool{}}
	c := m.Config()
	c.Parts.Claims = r
	tgt := target.New(c)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	m.AddMedium("/disks/d", 1000, false)
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	return tgt, m, r
}

// No port is made at an address that another process serves, whatever makes it, but
// with force; what was refused leaves nothing, and what is removed claims nothing.
func TestOccupiedAddressIsRefused(t *testing.T) {
	tgt, m, r := among(t)
	tgt.InterfaceChanged(m.SetInterface("eth1", 2, 1500))
	r.other(1, "process 7 (other)")
	for _, op := range []target.Operation{
		target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"},
		target.AddPort{Drive: "d", Addr: blade, Interface: target.EveryInterface},
		target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0"},
		target.Export{Path: "/disks/d", Addr: blade, Interface: target.EveryInterface},
	} {
		if err := tgt.Do(op); !errors.Is(err, target.ErrClaimed) || !strings.Contains(err.Error(), "e1.0 on eth0, by process 7 (other): end that one first") {
			t.Errorf("%+v: %v", op, err)
		}
		if s := tgt.State(); len(s.Ports)+len(s.Blades) != 0 || len(s.Drives) != 1 || m.Open() != `0 queues, 0 buffers, ["store /disks/d"]` {
			t.Errorf("%+v has left %+v, open %s", op, s, m.Open())
		}
		r.has(t)
	}
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth1"}))
	r.has(t, 2)
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0", Force: true}))
	r.has(t, 2)
	if p, _ := tgt.Port(blade, "eth0"); !p.Up || !strings.Contains(m.Log(), "process 7 (other) serves it, too") {
		t.Errorf("%+v; the log is %s", p, m.Log())
	}
	must(t, tgt.Do(target.RemovePort{Addr: blade}))
	r.has(t)
	r.other(1, "")
	must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: target.EveryInterface}))
	r.has(t, 1, 2)
	must(t, tgt.Do(target.RemovePort{Addr: blade}))
	r.has(t)
}

// A port that waits comes up when the other process has ended.
func TestPortWaitsForAnotherProcess(t *testing.T) {
	for _, netif := range []string{"eth0", target.EveryInterface} {
		t.Run(netif, func(t *testing.T) {
			t.Parallel()
			tgt, m, r := among(t)
			r.other(1, "process 7 (other)")
			must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: netif, Wait: true}))
			if p, ok := tgt.Port(blade, netif); !ok || p.Up || !strings.Contains(m.Log(), "a port waits") {
				t.Errorf("%+v; the log is %s", p, m.Log())
			}
			r.has(t)
			r.other(1, "")
			until(t, "the port is up", func() bool { p, _ := tgt.Port(blade, netif); return p.Up && p.Down == "" })
			r.has(t, 1)
		})
	}
}

// Claims are of the interface, and not of its name; one that was made anew may be
// another process's by then.
func TestClaimsFollowTheInterface(t *testing.T) {
	for _, netif := range []string{"eth0", target.EveryInterface} {
		t.Run(netif, func(t *testing.T) {
			t.Parallel()
			tgt, m, r := among(t)
			must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: netif}))
			m.SetInterface("eth0", 1, 9000)
			info := m.SetInterface("eth0", 1, 9000)
			info.Up = false
			tgt.InterfaceChanged(info)
			r.has(t, 1)
			m.RemoveInterface("eth0")
			tgt.InterfaceVanished("eth0", 1)
			r.has(t)
			tgt.InterfaceChanged(m.SetInterface("eth0", 2, 1500))
			r.has(t, 2)
			r.other(3, "process 7 (other)")
			tgt.InterfaceChanged(m.SetInterface("eth0", 3, 1500)) // no notice that it was gone
			r.has(t)
			if p, _ := tgt.Port(blade, netif); p.Up || !strings.Contains(m.Log(), "e1.0 on eth0, by process 7 (other)") {
				t.Errorf("%+v; the log is %s", p, m.Log())
			}
			r.other(3, "")
			until(t, "the port is up", func() bool { p, _ := tgt.Port(blade, netif); return p.Up })
			r.has(t, 3)
		})
	}
}
