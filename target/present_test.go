package target_test

import (
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// Of an interface that is served the kernel is not asked for each port that is
// restored; and what a notice says too late holds for that port as for the others.
func TestServedInterfaceIsNotLookedUpAgain(t *testing.T) {
	m := targettest.NewMachine(t)
	config := m.Config()
	lookups, lookup := 0, config.Parts.LookupInterface
	config.Parts.LookupInterface = func(name string) (target.Interface, error) {
		lookups++
		return lookup(name)
	}
	tgt := target.New(config)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	info := m.SetInterface("eth0", 1, 1500)
	tgt.InterfaceChanged(info)
	m.AddMedium("/disks/d", 100, false)
	must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	restore := func(slot uint8) target.PortInfo {
		t.Helper()
		a := aoe.Addr{Slot: slot}
		must(t, tgt.Do(target.AddPort{Drive: "d", Addr: a, Interface: "eth0", Wait: true}))
		p, _ := tgt.Port(a, "eth0")
		return p
	}
	for slot := range uint8(50) {
		if p := restore(slot); !p.Up {
			t.Fatalf("%+v", p)
		}
	}
	if lookups > 3 {
		t.Errorf("the kernel was asked %d times for one interface", lookups)
	}
	m.RemoveInterface("eth0")
	restore(50) // the notice is on its way
	tgt.InterfaceVanished("eth0", 1)
	restore(51)
	for _, p := range tgt.Ports() {
		if p.Up || p.Down == "" {
			t.Fatalf("%+v on an interface that has vanished", p)
		}
	}
	tgt.InterfaceChanged(m.SetInterface("eth0", 2, 9000))
	for _, p := range tgt.Ports() {
		if !p.Up || p.EffectiveSectors != 16 {
			t.Fatalf("%+v on an interface that has returned", p)
		}
	}
}
