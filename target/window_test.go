package target_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// windowRig has a disk of 1000 sectors at /disks/d.
func windowRig(t *testing.T) (targettest.Faults, *targettest.Medium) {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	return rig, rig.Machine().AddMedium("/disks/d", 1000, false)
}

// addWindow adds the drive name, a part of /disks/d, and serves it at addr.
func addWindow(t *testing.T, rig targettest.Faults, name string, addr aoe.Addr, offset, length uint64) {
	t.Helper()
	must(t, rig.Target().Do(target.AddDrive{Name: name, Path: "/disks/d", Offset: offset, Length: length}))
	must(t, rig.Target().Do(target.AddPort{Drive: name, Addr: addr, Interface: "eth0"}))
	rig.Collect("eth0", 1)
}

// A part that the store does not hold is refused, with the numbers, and nothing
// stays open.
func TestWindowRefused(t *testing.T) {
	rig, _ := windowRig(t)
	for _, tt := range []struct {
		offset, length uint64
		reason         string
	}{
		{1000, 0, "offset 1000 is not in /disks/d, which has 1000 sectors"},
		{1000, 1, "offset 1000"},
		{math.MaxUint64, 2, "offset 18446744073709551615"},
		{0, 1001, "length 1001 is more than the 1000 sectors"},
		{999, 2, "length 2 is more than the 1 sectors that /disks/d has from sector 999 on"},
		{1, math.MaxUint64, "length 18446744073709551615 is more than the 999 sectors"},
	} {
		err := rig.Target().Do(target.AddDrive{Name: "w", Path: "/disks/d", Offset: tt.offset, Length: tt.length})
		if !errors.Is(err, target.ErrRange) || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%d+%d: %v, want %s", tt.offset, tt.length, err, tt.reason)
		}
	}
	if n := len(rig.Target().Drives()); n != 0 || rig.Machine().Open() != targettest.Nothing {
		t.Errorf("%d drives, open: %s", n, rig.Machine().Open())
	}
	for i, ok := range []target.AddDrive{{Offset: 999}, {Offset: 999, Length: 1}, {Length: 1000}} {
		ok.Name, ok.Path = fmt.Sprint("w", i), "/disks/d"
		must(t, rig.Target().Do(ok))
		if d := driveOf(t, rig, ok.Name); d.Offset != ok.Offset || d.Length != ok.Length || d.Sectors != 1000-ok.Offset {
			t.Errorf("%+v", d)
		}
	}
}

// A store that has grown since it was opened is asked before a part is refused.
func TestWindowOfGrownStore(t *testing.T) {
	rig, medium := windowRig(t)
	addWindow(t, rig, "all", blade, 0, 0)
	medium.Resize(2000)
	addWindow(t, rig, "w", aoe.Addr{Shelf: 2}, 1500, 500)
	if n := identified(t, rig, blade); n != 2000 {
		t.Errorf("the drive of all has %d sectors", n)
	}
	if n := identified(t, rig, aoe.Addr{Shelf: 2}); n != 500 {
		t.Errorf("the window has %d sectors", n)
	}
}

// Of a store that changes its size a part without length changes, too; one with
// a length loses what is no longer there, and has it again when it is.
func TestWindowResizes(t *testing.T) {
	rig, medium := windowRig(t)
	open, fixed := blade, aoe.Addr{Shelf: 2}
	addWindow(t, rig, "open", open, 100, 0)
	addWindow(t, rig, "fixed", fixed, 100, 300)
	for _, tt := range []struct {
		size              int
		open, fixed       uint64
		openTold, fixTold int // announcements
	}{
		{2000, 1900, 300, 1, 0}, {400, 300, 300, 1, 0}, {399, 299, 299, 1, 1}, {100, 0, 0, 1, 1}, {50, 0, 0, 0, 0}, {1000, 900, 300, 1, 1},
	} {
		medium.Resize(tt.size)
		must(t, rig.Target().Do(target.Resize{Drive: "fixed"}))
		told := map[aoe.Addr]int{}
		for _, f := range rig.Collect("eth0", 0) {
			if h, _ := aoe.DecodeHeader(f); h.Tag == 0 {
				told[h.Addr]++
			}
		}
		if told[open] != tt.openTold || told[fixed] != tt.fixTold {
			t.Errorf("size %d: announced %v, want %d and %d", tt.size, told, tt.openTold, tt.fixTold)
		}
		for addr, sectors := range map[aoe.Addr]uint64{open: tt.open, fixed: tt.fixed} {
			if n := identified(t, rig, addr); n != sectors {
				t.Errorf("size %d, %s: %d sectors, want %d", tt.size, addr, n, sectors)
			}
			if code, is := failed(t, answers(rig, "eth0", readFrame(addr, 1, int(sectors), 1))); !is || code != idnf {
				t.Errorf("size %d, %s: behind the end: %v, error %#x", tt.size, addr, is, code)
			}
			if _, is := failed(t, answers(rig, "eth0", readFrame(addr, 1, int(sectors)-1, 1))); is != (sectors == 0) {
				t.Errorf("size %d, %s: the last sector: failed %v", tt.size, addr, is)
			}
		}
	}
	if log := rig.Machine().Log(); !strings.Contains(log, "drive fixed, /disks/d, shrank from 300 to 299 sectors") {
		t.Errorf("the log does not say it:\n%s", log)
	}
}

// A drive that waits is down while its store does not hold the part, and comes up
// when it does.
func TestWindowWaits(t *testing.T) {
	soon(t)
	rig, medium := windowRig(t)
	must(t, rig.Target().Do(target.AddDrive{Name: "w", Path: "/disks/d", Offset: 900, Length: 200, Wait: true}))
	until(t, "it says why it is down", func() bool {
		return strings.Contains(driveOf(t, rig, "w").Down, "length 200 is more than the 100 sectors")
	})
	medium.Resize(1100)
	until(t, "it is up", func() bool { return driveOf(t, rig, "w").Down == "" })
	if d := driveOf(t, rig, "w"); d.Sectors != 200 {
		t.Errorf("%d sectors", d.Sectors)
	}
}

// A failed transfer is logged with the sectors of the drive, and what is swapped
// under a part must hold it.
func TestWindowUnderChange(t *testing.T) {
	rig, medium := windowRig(t)
	addWindow(t, rig, "w", blade, 500, 100)
	medium.Fail(target.OpRead, errors.New("medium error"))
	if code, is := failed(t, answers(rig, "eth0", readFrame(blade, 1, 7, 2))); !is || code != unc {
		t.Errorf("failed %v, error %#x", is, code)
	}
	medium.Fail(target.OpRead, nil)
	until(t, "the failure is logged", func() bool {
		return strings.Contains(rig.Machine().Log(), "read of 2 sectors at 7 failed on drive w")
	})
	rig.Machine().AddMedium("/disks/small", 599, false)
	rig.Machine().AddMedium("/disks/large", 600, false)
	rebind := target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/small"}
	if err := rig.Target().Do(rebind); !errors.Is(err, target.ErrRange) || !strings.Contains(err.Error(), "99 sectors") {
		t.Error(err)
	}
	rebind.Path = "/disks/large"
	must(t, rig.Target().Do(rebind))
	if n := identified(t, rig, blade); n != 100 {
		t.Errorf("%d sectors", n)
	}
	err := rig.Target().Do(target.Export{Path: "/disks/large", Addr: blade, Interface: target.EveryInterface})
	if !errors.Is(err, target.ErrAddressTaken) || !strings.Contains(err.Error(), "a part of /disks/large") {
		t.Errorf("all of a disk at the address of a part of it: %v", err)
	}
}
