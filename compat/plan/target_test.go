package plan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"vbladefs/fusectl"
	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// realRounds are fewer: a target that is closed waits for its workers.
const realRounds = 300

// TestOnATarget: a target takes the operations and changes of random plans, and
// has what they say.
func TestOnATarget(t *testing.T) {
	for seed := range uint64(realRounds) {
		r := rand.New(rand.NewPCG(seed, 3))
		old, next := named(random(r)), named(random(r))
		onTarget(t, func(engine *target.Target) {
			carryOut(t, engine, Operations(old))
			same(t, fmt.Sprintf("plan %d", seed), described(engine.State()), sorted(State(old)))
			carryOut(t, engine, Changes(old, next, func(a aoe.Addr) target.BladeInfo { b, _ := engine.Blade(a); return b }))
			same(t, fmt.Sprintf("plans %d:\n%+v\n%+v", seed, old, next), described(engine.State()), sorted(State(next)))
		})
	}
}

// TestSavedState: what State says, saved, makes the same exports.
func TestSavedState(t *testing.T) {
	for seed := range uint64(realRounds) {
		p := random(rand.New(rand.NewPCG(seed, 4)))
		saved := fusectl.Saved(State(p))
		onTarget(t, func(engine *target.Target) {
			fusectl.Replay(saved, engine, true, func(m fusectl.Mistake) { t.Fatalf("%s\n%v", saved, m) })
			same(t, fmt.Sprintf("plan %d\n%s", seed, saved), described(engine.State()), sorted(State(p)))
		})
	}
}

// onTarget calls f with a target on a machine that has what random plans name.
func onTarget(t *testing.T, f func(*target.Target)) {
	m := targettest.NewMachine(t)
	for n := range 6 {
		for k := range 2 {
			m.AddMedium(fmt.Sprintf("/p/%d/%d", n, k), 64, false)
		}
	}
	m.AddMedium("/p/shared", 64, false)
	for i, netif := range []string{"eth0", "eth1", "wlan0", "br0", "lo"} {
		m.SetInterface(netif, i+1, 1500)
	}
	engine := target.New(m.Config())
	f(engine)
	targettest.CloseTarget(t, m, engine)
}

func carryOut(t *testing.T, engine *target.Target, ops []target.Operation) {
	t.Helper()
	for i, op := range ops {
		if err := engine.Do(op); err != nil {
			t.Fatalf("operation %d: %v\n%s", i, err, show(ops))
		}
	}
}

// named is p without write policies that the target chooses.
func named(p Plan) Plan {
	for i := range p.Exports {
		if e := &p.Exports[i]; e.Cache == "" {
			e.Cache = target.CacheWriteback
		}
	}
	return p
}

// described is s as far as a plan can say it.
func described(s target.State) target.State {
	for i, d := range s.Drives {
		s.Drives[i] = target.DriveInfo{Name: d.Name, Path: d.Path, Offset: d.Offset, Length: d.Length, ReadOnly: d.ReadOnly,
			Cache: d.Cache, Model: d.Model, Serial: d.Serial, Firmware: d.Firmware, Implicit: d.Implicit, Down: d.Down}
	}
	for i, p := range s.Ports {
		s.Ports[i] = target.PortInfo{Addr: p.Addr, Interface: p.Interface, Drive: p.Drive, Buffers: p.Buffers, Sectors: p.Sectors,
			Quiet: p.Quiet, Forced: p.Forced}
	}
	return sorted(s)
}
