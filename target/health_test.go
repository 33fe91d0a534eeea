package target_test

import (
	"strings"
	"syscall"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// wantHealth checks what is said of the blade's health.
func wantHealth(t *testing.T, served *target.Target, want target.Health, reason string) target.ExportInfo {
	t.Helper()
	for _, e := range served.Exports(nil) {
		if e.Addr != blade {
			continue
		}
		if e.Health != want || (reason == "") != (e.Reason == "") || !strings.Contains(e.Reason, reason) {
			t.Errorf("it is %s, %q; want %s, %q", e.Health, e.Reason, want, reason)
		}
		return e
	}
	t.Fatalf("%s is not there", blade)
	return target.ExportInfo{}
}

// An address is as well as its drive and its ports are.
func TestHealth(t *testing.T) {
	rig := serving(t)
	served, m := rig.Target(), rig.Machine()
	wantHealth(t, served, target.HealthOK, "")
	must(t, served.Do(target.SetPaused{Drive: "d", Paused: true}))
	wantHealth(t, served, target.HealthDown, "paused")
	must(t, served.Do(target.SetPaused{Drive: "d"}))

	rig.Interface("eth1", 4200)
	must(t, served.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth1"}))
	m.RemoveInterface("eth1")
	served.InterfaceVanished("eth1", 2)
	e := wantHealth(t, served, target.HealthDegraded, "port on eth1")
	if e.Ports != 2 || e.Up != 1 || e.Sectors != 1000 || e.Drive != "d" || e.Buffers == 0 {
		t.Errorf("%+v", e)
	}
	m.RemoveInterface("eth0")
	served.InterfaceVanished("eth0", 1)
	wantHealth(t, served, target.HealthDown, "port on eth0")
}

// What failed, and who else answered, is remembered.
func TestHealthRemembers(t *testing.T) {
	rig := serving(t)
	served := rig.Target()
	rig.Interface("eth0", 4200)
	rig.Send("eth0", replyFrame(bob, blade))
	rig.Machine().Quiesce()
	target.AwaitHeard(served, "eth0")
	if e := wantHealth(t, served, target.HealthDegraded, "answers for it, too, on eth0"); e.Conflicts != 1 {
		t.Errorf("%d conflicts", e.Conflicts)
	}

	rig = serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	rig.Send("eth0", fromHost(readFrame(blade, 1, 0, 1), 1))
	m.Quiesce()
	m.Pending()[0].Finish(syscall.EIO)
	m.SetMode(targettest.Inline)
	rig.Collect("eth0", 1)
	answers(rig, "eth0", fromHost(readFrame(blade, 1, 0, 1), 2))
	if e := wantHealth(t, rig.Target(), target.HealthDegraded, "a transfer failed"); e.Stats.Errors != 1 || e.Hosts != 2 {
		t.Errorf("%+v", e)
	}
}

// What nobody can reach is down; each address has its own latencies.
func TestExports(t *testing.T) {
	rig := serving(t)
	other := aoe.Addr{Shelf: 0, Slot: 7}
	must(t, rig.Target().Do(target.AddDrive{Name: "e", Path: rig.Disk("e", 1000, false)}))
	must(t, rig.Target().Do(target.AddBlade{Drive: "e", Addr: other}))
	answers(rig, "eth0", readFrame(blade, 1, 0, 1))
	rig.Machine().Quiesce()
	var counts []uint64
	list := rig.Target().Exports(func(i int, l *target.Latencies) { counts = append(counts, l[target.ReadTransfer].Count()) })
	if len(list) != 2 || list[0].Addr != other || list[0].Health != target.HealthDown || !strings.Contains(list[0].Reason, "no port") {
		t.Fatalf("%+v", list)
	}
	if len(counts) != 2 || counts[0] != 0 || counts[1] != 1 || list[1].Stats.Reads != 1 {
		t.Errorf("reads: %v, %+v", counts, list[1].Stats)
	}
}
