package target_test

import (
	"errors"
	"syscall"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// failed reports whether the one reply is an ATA error, and which.
func failed(t *testing.T, replies [][]byte) (code uint8, is bool) {
	t.Helper()
	if len(replies) != 1 {
		t.Fatalf("%d replies, want one", len(replies))
	}
	a, _, ok := aoe.DecodeATA(replies[0])
	if !ok {
		t.Fatalf("no ATA reply: % x", replies[0])
	}
	return a.Feature, a.Command&1 != 0
}

const (
	abrt, idnf, unc = 4, 0x10, 0x40 // ATA error bits
)

// wantWrite sends a write of one sector and checks how it is answered.
func wantWrite(t *testing.T, rig targettest.Faults, addr aoe.Addr, refused bool) {
	t.Helper()
	code, is := failed(t, answers(rig, "eth0", writeFrame(addr, 7, 5, make([]byte, 512))))
	if is != refused || is && code != abrt {
		t.Errorf("a write to %s: error %v, code %#x, want refused %v", addr, is, code, refused)
	}
}

// Read-only is a drive's own, even if it shares its device, and ends as it
// began.
func TestReadOnlyIsTheDrives(t *testing.T) {
	rig := serving(t)
	do := rig.Target().Do
	other := aoe.Addr{Shelf: 2}
	must(t, do(target.AddDrive{Name: "same", Path: "/disks/d"}))
	must(t, do(target.AddPort{Drive: "same", Addr: other, Interface: "eth0"}))
	rig.Collect("eth0", 1)
	for range 2 {
		wantWrite(t, rig, blade, false)
		must(t, do(target.SetReadOnly{Drive: "d", ReadOnly: true}))
		wantWrite(t, rig, blade, true)
		wantWrite(t, rig, other, false)
		if d, _ := rig.Target().Drive("d"); !d.ReadOnly {
			t.Error("the drive calls itself writable")
		}
		if d, _ := rig.Target().Drive("same"); d.ReadOnly {
			t.Error("the other drive calls itself read-only")
		}
		must(t, do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 3}, Interface: "eth0"}))
		rig.Collect("eth0", 1)
		wantWrite(t, rig, aoe.Addr{Shelf: 3}, true)
		must(t, do(target.SetReadOnly{Drive: "d"}))
		wantWrite(t, rig, aoe.Addr{Shelf: 3}, false)
		must(t, do(target.RemovePort{Addr: aoe.Addr{Shelf: 3}}))
	}
	if err := do(target.SetReadOnly{Drive: "none"}); !errors.Is(err, target.ErrNoDrive) {
		t.Error(err)
	}
}

// A device that is open read-only is opened for writing once a drive needs it,
// and the other drives on it take no writes for that.
func TestReadOnlyDeviceBeginsToTakeWrites(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	path := rig.Disk("d", 1000, false)
	do := rig.Target().Do
	addrs := []aoe.Addr{{Shelf: 1}, {Shelf: 2}, {Shelf: 3}}
	for i, access := range []target.Access{target.AccessReadOnly, target.AccessReadOnly, target.AccessAuto} {
		name := string(rune('a' + i))
		must(t, do(target.AddDrive{Name: name, Path: path, Access: access}))
		must(t, do(target.AddPort{Drive: name, Addr: addrs[i], Interface: "eth0"}))
		rig.Collect("eth0", 1)
		wantWrite(t, rig, addrs[i], access == target.AccessReadOnly)
	}
	must(t, do(target.SetReadOnly{Drive: "a"}))
	for i, refused := range []bool{false, true, false} {
		wantWrite(t, rig, addrs[i], refused)
	}
}

// A medium that is read-only says so, and nothing has changed; when it is no
// more, only the drive that asks begins to take writes.
func TestReadOnlyMedium(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	m := rig.Machine()
	medium := m.AddMedium("/disks/d", 1000, true)
	do := rig.Target().Do
	other := aoe.Addr{Shelf: 2}
	for name, addr := range map[string]aoe.Addr{"d": blade, "e": other} {
		must(t, do(target.AddDrive{Name: name, Path: "/disks/d"}))
		must(t, do(target.AddPort{Drive: name, Addr: addr, Interface: "eth0"}))
	}
	rig.Collect("eth0", 1)
	before := state(rig)
	if err := do(target.SetReadOnly{Drive: "d"}); !errors.Is(err, syscall.EROFS) || !errors.Is(err, target.ErrStore) {
		t.Errorf("a read-only medium: %v", err)
	}
	if after := state(rig); after != before {
		t.Errorf("a refused operation changed\n%s\nto\n%s", before, after)
	}
	wantWrite(t, rig, blade, true)
	medium.SetReadOnly(false)
	must(t, do(target.SetReadOnly{Drive: "d"}))
	wantWrite(t, rig, blade, false)
	wantWrite(t, rig, other, true)
	if d, _ := rig.Target().Drive("e"); !d.ReadOnly {
		t.Error("a drive that nobody asked about calls itself writable")
	}
}

// Writes that came before are over when the drive is read-only; one that is
// stuck leaves it writable.
func TestReadOnlyWaitsForWrites(t *testing.T) {
	rig := serving(t)
	readOnly := target.SetReadOnly{Drive: "d", ReadOnly: true}
	waitsForWrites(t, rig, readOnly, func(d target.DriveInfo) bool { return d.ReadOnly }, func() { wantWrite(t, rig, blade, true) })
	must(t, rig.Target().Do(target.SetReadOnly{Drive: "d"}))
	whileAWriteIsStuck(t, rig, func() {
		if err := rig.Target().Do(readOnly); !errors.Is(err, target.ErrNotDrained) {
			t.Errorf("with a write stuck: %v", err)
		}
	})
}

// Nothing is in flight while the store is opened for writing.
func TestOpeningForWritingHoldsWhatArrives(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	m := rig.Machine()
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 1000, false), Access: target.AccessReadOnly}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	rig.Collect("eth0", 1)
	m.SetMode(targettest.Held)
	answers(rig, "eth0", readFrame(blade, 1, 5, 1))
	returned, result := background(func() error { return rig.Target().Do(target.SetReadOnly{Drive: "d"}) })
	until(t, "the change takes its turn", func() bool { return target.InOrder(rig.Target(), "d") == 2 })
	answers(rig, "eth0", readFrame(blade, 2, 9, 1))
	if n := len(m.Pending()); n != 1 || returned() {
		t.Errorf("%d reads are under way, returned %v", n, returned())
	}
	m.Pending()[0].Finish(nil)
	must(t, <-result)
	m.Quiesce()
	if n := len(m.Pending()); n != 1 {
		t.Errorf("%d reads are under way after the change, want the one that waited", n)
	}
	m.FinishAll()
}

// A drive that is down comes up as it was told to be; there is nothing of it to
// pause or to measure.
func TestLiveChangesOfDriveThatIsDown(t *testing.T) {
	soon(t)
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	do := rig.Target().Do
	must(t, do(target.AddDrive{Name: "d", Path: "/disks/d", Wait: true}))
	must(t, do(target.SetReadOnly{Drive: "d", ReadOnly: true}))
	for _, op := range []target.Operation{target.SetPaused{Drive: "d", Paused: true}, target.Resize{Drive: "d"}} {
		if err := do(op); !errors.Is(err, target.ErrStore) || !errors.Is(err, syscall.ENODEV) {
			t.Errorf("%T: %v", op, err)
		}
	}
	must(t, do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0", Wait: true}))
	rig.Disk("d", 1000, false)
	until(t, "the port is up", func() bool {
		p, _ := rig.Target().Port(blade, "eth0")
		return p.Up
	})
	rig.Collect("eth0", 1)
	wantWrite(t, rig, blade, true)
	must(t, do(target.SetReadOnly{Drive: "d"}))
	wantWrite(t, rig, blade, false)
}

// Opening the same medium anew once it can be written has its drive take writes.
func TestRebindToAMediumThatCanBeWrittenNow(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	path := "/disks/d"
	medium := rig.Machine().AddMedium(path, 1000, true)
	do := rig.Target().Do
	must(t, do(target.AddDrive{Name: "d", Path: path}))
	must(t, do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	rig.Collect("eth0", 1)
	wantWrite(t, rig, blade, true)
	medium.SetReadOnly(false)
	must(t, do(target.Rebind{Addr: blade, Interface: "eth0", Path: path}))
	rig.Collect("eth0", 1)
	wantWrite(t, rig, blade, false)
}

// A drive that takes writes when its medium does is one still after it was made
// read-only and that was taken back; while the medium takes none that is said.
func TestReadOnlyIsTakenBackToAuto(t *testing.T) {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	medium := rig.Machine().AddMedium("/disks/d", 1000, true)
	do := rig.Target().Do
	must(t, do(target.AddDrive{Name: "d", Path: "/disks/d"}))
	must(t, do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	rig.Collect("eth0", 1)
	want := func(unwritable bool) {
		t.Helper()
		if d, _ := rig.Target().Drive("d"); !d.ReadOnly || d.Unwritable != unwritable {
			t.Errorf("%+v, want it unwritable: %v", d, unwritable)
		}
	}
	want(true)
	must(t, do(target.SetReadOnly{Drive: "d", ReadOnly: true}))
	want(false)
	must(t, do(target.SetReadOnly{Drive: "d"}))
	want(true)
	wantWrite(t, rig, blade, true)
	must(t, do(target.SetReadOnly{Drive: "d", ReadOnly: true}))
	medium.SetReadOnly(false)
	must(t, do(target.SetReadOnly{Drive: "d"}))
	wantWrite(t, rig, blade, false)
	if d, _ := rig.Target().Drive("d"); d.ReadOnly || d.Unwritable {
		t.Errorf("%+v", d)
	}
	medium.SetReadOnly(true)

	rig.Machine().AddMedium("/disks/r", 1000, true)
	must(t, do(target.AddDrive{Name: "r", Path: "/disks/r", Access: target.AccessReadOnly}))
	if err := do(target.SetReadOnly{Drive: "r"}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("one that nobody wanted as its medium is: %v", err)
	}
}

// A store that was replaced while a request was under way is not opened again before that has ended: what was written late
// would undo what came meanwhile.
func TestReplacedStoreIsLeftBeforeItIsOpenedAgain(t *testing.T) {
	rig := serving(t)
	do := rig.Target().Do
	rig.Machine().AddMedium("/disks/next", 1000, false)
	rig.Machine().SetMode(targettest.Held)
	rig.Send("eth0", writeFrame(blade, 1, 0, make([]byte, 512)))
	rig.Collect("eth0", 0)
	must(t, do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/next"}))
	again := target.AddDrive{Name: "again", Path: "/disks/d", Force: true}
	if err := do(again); !errors.Is(err, target.ErrInUse) {
		t.Fatalf("opening a store that is written to still: %v", err)
	}
	rig.Machine().Pending()[0].Finish(nil)
	rig.Collect("eth0", 1)
	until(t, "the store can be opened again", func() bool { return do(again) == nil })
}
