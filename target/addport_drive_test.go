package target_test

import (
	"errors"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// TestAddPortOfBlade adds a port to what an address leads to already.
func TestAddPortOfBlade(t *testing.T) {
	rig := targettest.MemoryRig(t)
	rig.Interface("eth0", 1500)
	tgt, addr := rig.Target(), aoe.Addr{Shelf: 1}
	if err := tgt.Do(target.AddPort{Addr: addr, Interface: "eth0"}); !errors.Is(err, target.ErrNoPort) {
		t.Errorf("without a blade: got %v", err)
	}
	for _, op := range []target.Operation{
		target.AddDrive{Name: "d", Path: rig.Disk("d", 8, false)},
		target.AddBlade{Addr: addr, Drive: "d"},
		target.AddPort{Addr: addr, Interface: "eth0"},
	} {
		if err := tgt.Do(op); err != nil {
			t.Fatal(err)
		}
	}
	if p, ok := tgt.Port(addr, "eth0"); !ok || p.Drive != "d" {
		t.Errorf("got %+v, %v", p, ok)
	}
}
