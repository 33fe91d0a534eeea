package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// random is a plan that Validate likes, of names, addresses and all else that the
// next random plan is likely to have as well.
func random(r *rand.Rand) Plan {
	var p Plan
	addrs, drives := r.Perm(6), r.Perm(8)
	shared := []target.Cache{target.CacheDirect, target.CacheDurable}[r.IntN(2)]
	for _, n := range r.Perm(6)[:r.IntN(6)] {
		e := Export{Name: fmt.Sprint("n", n), Drive: fmt.Sprint("d", n), Path: fmt.Sprint("/p/", n, "/", r.IntN(2)),
			Addr: aoe.Addr{Shelf: 1, Slot: uint8(addrs[n])}, Interfaces: someInterfaces(r), Buffers: uint16(r.IntN(2) * 16),
			Access: target.Access(r.IntN(3)), Loud: r.IntN(4) == 0, Quiet: r.IntN(4) == 0}
		if r.IntN(8) == 0 {
			e.Drive = fmt.Sprint("x", drives[n])
		}
		if r.IntN(8) == 0 {
			e.Offset, e.Length = 2, uint64(r.IntN(3))
		}
		e.Cache = []target.Cache{"", target.CacheDirect, target.CacheDurable}[r.IntN(3)]
		if r.IntN(4) == 0 {
			e.Path, e.Cache = "/p/shared", shared
		}
		e.Model, e.Serial, e.Firmware = pick(r, "", "m", strings.Repeat("M", 50)), pick(r, "", "s", strings.Repeat("S", 30)), uint16(r.IntN(2))
		e.Accept, e.Deny, e.Masks = someHosts(r), someHosts(r), someHosts(r)
		for i := range e.Lists {
			if r.IntN(3) == 0 {
				e.Lists[i] = &target.AccessList{Name: pick(r, "a", "b"), Accept: r.IntN(2) == 0,
					Rows: []target.AccessRow{{Host: aoe.MAC{5: byte(r.IntN(2))}, Accept: true}}}
			}
		}
		p.Exports = append(p.Exports, e)
	}
	for i := range 3 {
		if r.IntN(2) == 0 {
			p.Limits = append(p.Limits, target.MTULimit{Interface: fmt.Sprint("eth", i), MTU: 1500 + r.IntN(2)})
		}
	}
	return p
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func someInterfaces(r *rand.Rand) []string {
	var list []string
	for len(list) == 0 || r.IntN(2) == 0 {
		list = append(list, pick(r, "eth0", "eth0", "eth1", "eth1", "wlan0", "e*", "eth?", "*", "wlan0, br*", "lo"))
	}
	return list
}

func someHosts(r *rand.Rand) []aoe.MAC {
	var list []aoe.MAC
	for range r.IntN(3) {
		list = append(list, aoe.MAC{4: byte(len(list)), 5: byte(r.IntN(2))})
	}
	return list
}

const rounds = 5000

// TestOperationsMakeTheState: operations of a plan are all accepted, in their
// order, and make what State says.
func TestOperationsMakeTheState(t *testing.T) {
	for seed := range uint64(rounds) {
		p := random(rand.New(rand.NewPCG(seed, 1)))
		if err := Validate(p); err != nil {
			t.Fatal(err)
		}
		m := newModel()
		m.do(t, Operations(p))
		same(t, fmt.Sprintf("plan %d", seed), m.state(), sorted(State(p)))
		if ops := Changes(p, p, nil); len(ops) != 0 {
			t.Fatalf("plan %d: nothing changes, yet there is to do:\n%s", seed, show(ops))
		}
		for _, e := range p.Exports {
			m.do(t, e.Removal())
		}
		if left := m.state(); len(left.Drives)+len(left.Blades)+len(left.Ports) > 0 {
			t.Fatalf("plan %d: removed, there remain %+v", seed, left)
		}
		one := newModel()
		for _, e := range p.Exports {
			one.do(t, e.Operations())
		}
		p.Limits = nil
		same(t, "each by itself", one.state(), started(t, p).state())
	}
}

func started(t *testing.T, p Plan) *model {
	m := newModel()
	m.do(t, Operations(p))
	return m
}

// TestChangesMakeTheNext: what Changes makes of one plan is the other, with what
// initiators left at its addresses; and only what must stop stops.
func TestChangesMakeTheNext(t *testing.T) {
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 2))
		old, next := random(r), random(r)
		m := started(t, old)
		for addr, b := range m.blades { // as initiators do
			b.Config, b.Reserve = []byte("of "+b.Drive), []aoe.MAC{{1, addr.Slot}}
			if addr.Slot%2 == 0 {
				b.Masks = []aoe.MAC{{2, addr.Slot}}
			}
			m.blades[addr] = b
		}
		want := withKept(m, old, next)
		watch(t, m, old, next)
		m.do(t, Changes(old, next, func(a aoe.Addr) target.BladeInfo { return m.blades[a] }))
		same(t, fmt.Sprintf("plans %d:\n%+v\n%+v", seed, old, next), m.state(), want)
	}
}

// withKept is the state of next with what initiators did in m, which has old.
func withKept(m *model, old, next Plan) target.State {
	s := sorted(State(next))
	for _, o := range old.Exports {
		for _, n := range next.Exports {
			for i := range s.Blades {
				b, was := &s.Blades[i], m.blades[o.Addr]
				if o.Name != n.Name || b.Addr != n.Addr {
					continue
				}
				b.Config, b.Reserve = was.Config, was.Reserve
				if slices.Equal(o.Masks, n.Masks) {
					b.Masks = was.Masks
				}
			}
		}
	}
	return sorted(s)
}

// watch holds that exports that go on are served after every operation: those
// that do not move at their address, all others but one at either.
func watch(t *testing.T, m *model, old, next Plan) {
	served := func(e *Export) bool { return len(m.ports[e.Addr]) > 0 && m.blades[e.Addr].Drive == e.Drive }
	pairs := compare(old, next, func(aoe.Addr) target.BladeInfo { return target.BladeInfo{} }).pairs
	m.after = func(op target.Operation) {
		missing := 0
		for _, p := range pairs {
			switch {
			case served(p.old) || served(p.new):
			case p.moved():
				missing++
			case !p.remade():
				t.Fatalf("%T%+v: %s, which stays at %s, is not served", op, op, p.new.Name, p.new.Addr)
			}
		}
		if missing > 1 {
			t.Fatalf("%T%+v: %d moving exports are not served", op, op, missing)
		}
	}
}
