package target_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// A blade stays when a port of it is refused, and goes with its last port; the
// drive of an export goes with its last blade.
func TestBladesAndTheirDrives(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 1500)
	do := rig.Target().Do
	path := rig.Disk("d", 100, false)
	must(t, do(target.AddDrive{Name: "d", Path: path}))
	must(t, do(target.AddBlade{Drive: "d", Addr: blade}))
	if rig.Target().Served() || rig.Machine().Open() != `0 queues, 0 buffers, ["store /disks/d"]` {
		t.Errorf("served %v, open %s", rig.Target().Served(), rig.Machine().Open())
	}
	must(t, do(target.EditHosts{Addr: blade, List: target.DenyList, Host: alice}))
	rig.Machine().FailAfter(1)
	if err := do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}); err == nil {
		t.Error("nothing was refused")
	}
	rig.Machine().FailAfter(-1)
	if b, _ := rig.Target().Blade(blade); !slices.Equal(b.Deny, []aoe.MAC{alice}) {
		t.Errorf("%+v", b)
	}
	// An export finds it, if it is the same device.
	if err := do(target.Export{Path: rig.Disk("other", 100, false), Addr: blade, Interface: "eth0", Unique: true}); !errors.Is(err, target.ErrAddressTaken) {
		t.Error(err)
	}
	must(t, do(target.Export{Path: path, Addr: blade, Interface: "eth0", Unique: true}))
	if s := rig.Target().State(); len(s.Drives) != 1 || len(s.Blades) != 1 || len(s.Ports) != 1 || !s.Served {
		t.Errorf("%+v", s)
	}
	must(t, do(target.RemovePort{Addr: blade}))
	if s := rig.Target().State(); len(s.Drives) != 1 || len(s.Blades) != 0 {
		t.Errorf("%+v", s)
	}

	// An implicit drive with a second address goes with that, too.
	must(t, do(target.Export{Path: "/disks/other", Addr: blade, Interface: "eth0"}))
	name := rig.Target().Drives()[1].Name
	two := aoe.Addr{Shelf: 2}
	must(t, do(target.AddBlade{Drive: name, Addr: two}))
	must(t, do(target.RemoveBlade{Addr: blade}))
	if _, ok := rig.Target().Drive(name); !ok {
		t.Error("a drive has gone that an address leads to")
	}
	must(t, do(target.RemoveBlade{Addr: two}))
	if _, ok := rig.Target().Drive(name); ok || strings.Contains(rig.Machine().Open(), "other") {
		t.Error("the drive of an export is there without address")
	}
}

// RemoveBlade waits for the requests of all its ports, or changes nothing.
func TestRemoveBladeDrains(t *testing.T) {
	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	rig := serving(t)
	m := rig.Machine()
	rig.Interface("eth1", 4200)
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth1"}))
	m.Quiesce()
	m.SetMode(targettest.Held)
	answers(rig, "eth1", readFrame(blade, 1, 5, 1))
	before := state(rig)
	if err := rig.Target().Do(target.RemoveBlade{Addr: blade}); !errors.Is(err, target.ErrNotDrained) {
		t.Error(err)
	}
	if after := state(rig); after != before {
		t.Errorf("changed\n%s\nto\n%s", before, after)
	}
	m.FinishAll()
	must(t, rig.Target().Do(target.RemoveBlade{Addr: blade}))
	if s := rig.Target().State(); len(s.Blades)+len(s.Ports) != 0 || len(s.Drives) != 1 {
		t.Errorf("%+v", s)
	}
}

// A snapshot that is taken while exports come and go shows whole exports only.
func TestStateIsOfOneMoment(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 1500)
	path := rig.Disk("d", 100, false)
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 200 {
				a := aoe.Addr{Shelf: uint16(w), Slot: uint8(i % 3)}
				_ = rig.Target().Do(target.Export{Path: path, Addr: a, Interface: "eth0"})
				_ = rig.Target().Do(target.RemovePort{Addr: a})
			}
		})
	}
	over := make(chan struct{})
	go func() { writers.Wait(); close(over) }()
	for snapshots := 0; ; snapshots++ {
		if err := whole(rig.Target().State()); err != nil {
			t.Error(err)
			break
		}
		select {
		case <-over:
			if snapshots < 2 {
				t.Errorf("%d snapshots", snapshots)
			}
			return
		default:
		}
	}
	<-over
}

// whole says what a state of exports has of one in part only.
func whole(s target.State) error {
	drives, blades := map[string]int{}, map[aoe.Addr]string{}
	for _, b := range s.Blades {
		blades[b.Addr] = b.Drive
		drives[b.Drive]++
	}
	if len(s.Drives) != len(drives) {
		return fmt.Errorf("%d drives, and blades of %d", len(s.Drives), len(drives))
	}
	for _, d := range s.Drives {
		if drives[d.Name] != 1 || d.Ports != 1 {
			return fmt.Errorf("drive %s has %d blades and %d ports", d.Name, drives[d.Name], d.Ports)
		}
	}
	for _, p := range s.Ports {
		if blades[p.Addr] != p.Drive {
			return fmt.Errorf("the port at %s is of drive %s, its blade of %q", p.Addr, p.Drive, blades[p.Addr])
		}
	}
	if len(s.Ports) != len(s.Blades) {
		return fmt.Errorf("%d ports, %d blades", len(s.Ports), len(s.Blades))
	}
	return nil
}
