package target_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// A paused device is asked for nothing: its ATA commands go unanswered, on
// every drive, and its config queries do not. Others go on, and so does it when
// the initiator repeats itself after the pause.
func TestPause(t *testing.T) {
	rig := serving(t)
	do := rig.Target().Do
	same, apart := aoe.Addr{Shelf: 2}, aoe.Addr{Shelf: 3}
	must(t, do(target.AddDrive{Name: "same", Path: "/disks/d"}))
	must(t, do(target.AddPort{Drive: "same", Addr: same, Interface: "eth0"}))
	must(t, do(target.AddDrive{Name: "apart", Path: rig.Disk("apart", 1000, false)}))
	must(t, do(target.AddPort{Drive: "apart", Addr: apart, Interface: "eth0"}))
	rig.Collect("eth0", 2)
	before := string(rig.Sectors("/disks/d", 5, 1))
	must(t, do(target.SetPaused{Drive: "d", Paused: true}))
	must(t, do(target.SetPaused{Drive: "same", Paused: true})) // it is already
	data := make([]byte, 512)
	for i, f := range [][]byte{writeFrame(blade, 1, 5, data), writeFrame(same, 1, 5, data), readFrame(blade, 1, 5, 1),
		commandFrame(blade, 1, 0xec, 0), commandFrame(blade, 1, 0xe7, 0), commandFrame(blade, 1, 0xef, 0x82)} {
		if r := answers(rig, "eth0", f); len(r) != 0 {
			t.Errorf("command %d is answered with % x", i, r)
		}
	}
	if len(answers(rig, "eth0", queryFrame(blade, 1))) != 1 {
		t.Error("a config query goes unanswered")
	}
	wantWrite(t, rig, apart, false)
	if string(rig.Sectors("/disks/d", 5, 1)) != before {
		t.Error("a write has reached the store")
	}
	for name, want := range map[string]bool{"d": true, "same": true, "apart": false} {
		if d, _ := rig.Target().Drive(name); d.Paused != want {
			t.Errorf("%s is paused: %v", name, d.Paused)
		}
	}
	if p, _ := rig.Target().Port(blade, "eth0"); p.Stats.Dropped != 5 {
		t.Errorf("%d requests are counted as dropped, want 5", p.Stats.Dropped)
	}
	must(t, do(target.SetPaused{Drive: "same"}))
	wantWrite(t, rig, blade, false)
	if string(rig.Sectors("/disks/d", 5, 1)) != string(data) {
		t.Error("the repeated write has not reached the store")
	}
}

// What was in flight, or waited for that, has finished and is flushed when the
// pause begins.
func TestPauseWaitsAndFlushes(t *testing.T) {
	rig := serving(t)
	var medium *targettest.Medium
	waitsForWrites(t, rig, target.SetPaused{Drive: "d", Paused: true}, func(d target.DriveInfo) bool { return d.Paused }, func() {
		medium = rig.Machine().Pending()[0].Medium
		medium.Log()
		answers(rig, "eth0", writeFrame(blade, 3, 9, make([]byte, 512)))
	})
	if log := medium.Log(); len(log) != 3 || log[2] != "flush" || log[0] != "write 5+1" || log[1] != "write 5+1" {
		t.Errorf("the store saw %q, want two writes and a flush", log)
	}
}

// A pause that cannot be has changed nothing.
func TestPauseThatFails(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	do := rig.Target().Do
	refused := func(what string, want error) {
		t.Helper()
		if err := do(target.SetPaused{Drive: "d", Paused: true}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if d, _ := rig.Target().Drive("d"); d.Paused {
			t.Errorf("%s: the drive is paused", what)
		}
	}
	m.FailAfter(0)
	refused("a flush that fails", syscall.ENOMEM)
	m.FailAfter(-1)
	whileAWriteIsStuck(t, rig, func() { refused("a write that is stuck", target.ErrNotDrained) })
	if err := do(target.SetPaused{Drive: "none", Paused: true}); !errors.Is(err, target.ErrNoDrive) {
		t.Error(err)
	}
}

// A paused drive keeps its device; one that is paused can go.
func TestPausedDriveIsNotRebound(t *testing.T) {
	rig := serving(t)
	do := rig.Target().Do
	rig.Disk("next", 1000, false)
	must(t, do(target.SetPaused{Drive: "d", Paused: true}))
	rebind := target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/next"}
	if err := do(rebind); !errors.Is(err, target.ErrInUse) {
		t.Errorf("a paused drive: %v", err)
	}
	must(t, do(target.SetCache{Drive: "d", Cache: target.CacheDurable}))
	must(t, do(target.SetReadOnly{Drive: "d", ReadOnly: true}))
	must(t, do(target.SetPaused{Drive: "d"}))
	must(t, do(rebind))
	must(t, do(target.SetPaused{Drive: "d", Paused: true}))
	must(t, do(target.RemovePort{Addr: blade}))
	must(t, do(target.RemoveDrive{Name: "d"}))
}

// A drive that is paused goes on at once, whatever others wait for; who is pausing
// it at that moment is told.
func TestResumingWaitsForNobody(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	do := rig.Target().Do
	must(t, do(target.SetPaused{Drive: "d", Paused: true}))
	rig.Disk("slow", 100, false)
	release := m.Hang("/disks/slow")
	_, opened := background(func() error { return do(target.AddDrive{Name: "slow", Path: "/disks/slow"}) })
	until(t, "somebody opens a store", func() bool { return target.Opening(rig.Target()) })
	_, resumed := background(func() error { return do(target.SetPaused{Drive: "d"}) })
	select {
	case err := <-resumed:
		must(t, err)
	case <-time.After(10 * time.Second):
		t.Error("resuming waits for a store that hangs")
		release()
		<-resumed
	}
	release()
	must(t, <-opened)

	m.SetMode(targettest.Held)
	answers(rig, "eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
	_, paused := background(func() error { return do(target.SetPaused{Drive: "d", Paused: true}) })
	until(t, "it is being paused", func() bool { d, _ := rig.Target().Drive("d"); return d.Paused })
	must(t, do(target.SetPaused{Drive: "d"}))
	m.FinishAll()
	if err := <-paused; !errors.Is(err, target.ErrInUse) {
		t.Errorf("paused though it goes on: %v", err)
	}
}

// Close while a drive is paused, held up by a change, or waited for: neither
// waits for the other.
func TestCloseAmongLiveChanges(t *testing.T) {
	m := targettest.NewMachine(t)
	m.AddMedium("/disks/d", 1000, false)
	m.SetInterface("eth0", 1, 4200)
	for name, op := range map[string]target.Operation{
		"pausing":   target.SetPaused{Drive: "d", Paused: true},
		"read-only": target.SetReadOnly{Drive: "d", ReadOnly: true},
		"cache":     target.SetCache{Drive: "d", Cache: target.CacheDurable},
	} {
		tgt := target.New(m.Config())
		must(t, tgt.Do(target.AddDrive{Name: "d", Path: "/disks/d"}))
		must(t, tgt.Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
		m.SetMode(targettest.Held)
		m.Inject("eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
		m.Quiesce()
		_, result := background(func() error { return tgt.Do(op) })
		closed := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			closed <- tgt.Close(ctx)
		}()
		time.Sleep(10 * time.Millisecond) // whichever comes first, both end
		m.FinishAll()
		m.SetMode(targettest.Inline)
		must(t, <-closed)
		if err := <-result; err != nil && !errors.Is(err, target.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		if open := m.Open(); open != targettest.Nothing {
			t.Errorf("%s: left open: %s", name, open)
		}
	}
}
