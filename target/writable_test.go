package target_test

import (
	"errors"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/targettest"
)

// unwritable has the drive o, which takes writes if its medium does, at 1.0 on
// eth0; the medium does not. The drive r needs one that does, and waits.
func unwritable(t *testing.T) (*targettest.Machine, *target.Target, *targettest.Medium, *counting) {
	soon(t)
	m, kept := targettest.NewMachine(t), &counting{}
	c := m.Config()
	c.Keeper = kept
	tgt := target.New(c)
	t.Cleanup(func() { targettest.CloseTarget(t, m, tgt) })
	tgt.InterfaceChanged(m.SetInterface("eth0", 1, 1500))
	medium := m.AddMedium("/disks/d", 100, true)
	must(t, tgt.Do(target.AddDrive{Name: "o", Path: "/disks/d"}))
	must(t, tgt.Do(target.AddPort{Drive: "o", Addr: blade, Interface: "eth0"}))
	must(t, tgt.Do(target.AddDrive{Name: "r", Path: "/disks/d", Access: target.AccessReadWrite, Wait: true}))
	kept.changes.Store(0)
	return m, tgt, medium, kept
}

func drive(tgt *target.Target, name string) target.DriveInfo {
	d, _ := tgt.Drive(name)
	d.Stats = target.Stats{}
	return d
}

// A drive that comes up has its device take writes; that the others on it go on
// to take none is kept.
func TestWhatAComingDriveChangesIsKept(t *testing.T) {
	_, tgt, medium, kept := unwritable(t)
	if o := drive(tgt, "o"); !o.ReadOnly || !o.Unwritable {
		t.Errorf("%+v", o)
	}
	medium.SetReadOnly(false)
	until(t, "r is up", func() bool { return drive(tgt, "r").Down == "" })
	if o := drive(tgt, "o"); !o.ReadOnly || o.Unwritable || drive(tgt, "r").ReadOnly {
		t.Errorf("%+v", o)
	}
	if kept.changes.Load() == 0 {
		t.Error("the Keeper was not told")
	}
}

// What an attempt undoes, as it fails, is what it did itself.
func TestFailedAttemptLeavesReadOnlyAlone(t *testing.T) {
	m, tgt, medium, _ := unwritable(t)
	m.SetMode(targettest.Held)
	m.Inject("eth0", readFrame(blade, 1, 5, 1))
	m.Quiesce()
	until(t, "the attempt waits for the read", func() bool { return target.InOrder(tgt, "o") == 2 })
	_, result := background(func() error { return tgt.Do(target.SetReadOnly{Drive: "o", ReadOnly: true}) })
	time.Sleep(50 * time.Millisecond) // it is under way, or waits for its turn: both must end well
	m.FinishAll()
	must(t, <-result)
	m.SetMode(targettest.Inline)
	if o := drive(tgt, "o"); !o.ReadOnly || o.Unwritable {
		t.Errorf("%+v, want it read-only as it was told to be", o)
	}
	medium.SetReadOnly(false)
	until(t, "r is up", func() bool { return drive(tgt, "r").Down == "" })
	if o := drive(tgt, "o"); !o.ReadOnly {
		t.Errorf("%+v", o)
	}
}

// An add that is refused has not made the device writable before.
func TestRefusedAddOpensNothingForWriting(t *testing.T) {
	_, tgt, medium, _ := unwritable(t)
	must(t, tgt.Do(target.RemoveDrive{Name: "r"}))
	medium.SetReadOnly(false)
	before := drive(tgt, "o")
	for _, c := range []struct {
		op   target.AddDrive
		want error
	}{
		{target.AddDrive{Name: "x", Path: "/disks/d", Cache: target.CacheDurable}, target.ErrInUse},
		{target.AddDrive{Name: "x", Path: "/disks/d", Offset: 100}, target.ErrRange},
	} {
		if err := tgt.Do(c.op); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.op, err)
		}
		if after := drive(tgt, "o"); after != before {
			t.Errorf("a refused add changed\n%+v\nto\n%+v", before, after)
		}
	}
}
