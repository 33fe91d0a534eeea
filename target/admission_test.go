package target_test

import (
	"fmt"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// Exports whose drives are stuck never have all of a worker's requests: a port
// with a drive of its own gets its fair share. What is too much is dropped and
// counted, and all that was taken is answered in the end.
func TestStuckExportsLeaveRequests(t *testing.T) {
	const stuck, flood = 40, 100
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	at := func(i int) aoe.Addr { return aoe.Addr{Shelf: 1, Slot: uint8(i)} }
	for i := range stuck + 1 {
		name := fmt.Sprintf("d%d", i)
		must(t, rig.Target().Do(target.AddDrive{Name: name, Path: rig.Disk(name, 1000, false)}))
		must(t, rig.Target().Do(target.AddPort{Drive: name, Addr: at(i), Interface: "eth0", Quiet: true}))
	}
	rig.Collect("eth0", stuck+1)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	tag := uint32(0)
	for range flood {
		for i := range stuck {
			tag++
			rig.Send("eth0", readFrame(at(i), tag, int(tag)%900, 1))
		}
	}
	m.Quiesce()
	taken := len(m.Pending())
	if taken < target.DefaultRequests/2 || taken >= target.DefaultRequests {
		t.Errorf("%d of %d requests are taken by %d stuck exports", taken, target.DefaultRequests, stuck)
	}
	for range 8 {
		tag++
		rig.Send("eth0", readFrame(at(stuck), tag, int(tag)%900, 1))
	}
	m.Quiesce()
	if more := len(m.Pending()) - taken; more != 8 {
		t.Errorf("%d of 8 requests of a healthy export are taken beside the stuck ones", more)
	}
	dropped := uint64(0)
	for _, p := range rig.Target().Ports() {
		dropped += p.Stats.Dropped
	}
	if want := uint64(flood*stuck - taken); dropped != want {
		t.Errorf("%d dropped, want %d", dropped, want)
	}
	m.FinishAll()
	if sent := len(m.Sent("eth0")); sent != taken+8 {
		t.Errorf("%d replies to %d requests", sent, taken+8)
	}
}

// The number of requests is a setting.
func TestRequestsAreBounded(t *testing.T) {
	m := targettest.NewMachine(t)
	c := m.Config()
	c.Requests = 64
	tgt := target.New(c)
	t.Cleanup(func() { m.SetMode(targettest.Inline); m.FinishAll(); targettest.CloseTarget(t, m, tgt) })
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 4200))
	for i := range 4 {
		m.AddMedium(fmt.Sprintf("/d%d", i), 1000, false)
		must(t, tgt.Do(target.Export{Path: fmt.Sprintf("/d%d", i), Addr: aoe.Addr{Shelf: 1, Slot: uint8(i)}, Interface: "eth0"}))
	}
	m.SetMode(targettest.Held)
	for i := range 400 {
		m.Inject("eth0", readFrame(aoe.Addr{Shelf: 1, Slot: uint8(i % 4)}, uint32(i+1), i, 1))
	}
	m.Quiesce()
	if n := len(m.Pending()); n == 0 || n > 64 {
		t.Errorf("%d requests are taken, want at most 64", n)
	}
}
