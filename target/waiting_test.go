package target_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// soon has drives that are down tried again at once.
func soon(t *testing.T) {
	delay, wait := target.SetReopening(time.Millisecond, 20*time.Millisecond)
	t.Cleanup(func() { target.SetReopening(delay, wait) })
}

// waitingRig has the drive d, whose store is missing, at 1.0 on eth0.
func waitingRig(t *testing.T) targettest.Faults {
	soon(t)
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: "/disks/d", Wait: true}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	return rig
}

func driveOf(t *testing.T, rig targettest.Faults, name string) target.DriveInfo {
	t.Helper()
	d, ok := rig.Target().Drive(name)
	if !ok {
		t.Fatalf("there is no drive %s", name)
	}
	return d
}

// A drive whose store is missing is down, with the reason, and so are its ports;
// what is set meanwhile holds when it comes up, by itself.
func TestDriveWaitsForItsStore(t *testing.T) {
	rig := waitingRig(t)
	m := rig.Machine()
	if d := driveOf(t, rig, "d"); !strings.Contains(d.Down, "/disks/d: no such file") || d.Sectors != 0 || d.Cache != target.CacheDirect {
		t.Errorf("%+v", d)
	}
	if p, _ := rig.Target().Port(blade, "eth0"); p.Up || !strings.Contains(p.Down, "drive d is down") || !strings.Contains(p.Down, "no such file") {
		t.Errorf("%+v", p)
	}
	if n := len(answers(rig, "eth0", queryFrame(blade, 1))); n != 0 || m.Open() != targettest.Nothing {
		t.Errorf("%d answers for a drive that is down; open: %s", n, m.Open())
	}
	for _, op := range []target.Operation{
		target.SetModel{Drive: "d", Model: "m"}, target.SetSerial{Drive: "d", Serial: "s"},
		target.SetFirmware{Drive: "d", Firmware: 7}, target.SetCache{Drive: "d", Cache: target.CacheDurable},
		target.SetReadOnly{Drive: "d", ReadOnly: true}, target.Announce{},
	} {
		if err := rig.Target().Do(op); err != nil {
			t.Errorf("%T: %v", op, err)
		}
	}
	for _, op := range []target.Operation{target.SetPaused{Drive: "d", Paused: true}, target.Resize{Drive: "d"}} {
		if err := rig.Target().Do(op); err == nil || !strings.Contains(err.Error(), "drive d is down") {
			t.Errorf("%T: %v", op, err)
		}
	}
	medium := m.AddMedium("/disks/d", 1000, false)
	until(t, "the drive is up", func() bool { return driveOf(t, rig, "d").Down == "" })
	want := target.DriveInfo{Name: "d", Path: "/disks/d", Sectors: 1000, ReadOnly: true, Auto: true, Cache: target.CacheDurable,
		Model: "m", Serial: "s", Major: 7, Minor: 8, Firmware: 7, Ports: 1}
	until(t, "the port is up", func() bool { p, _ := rig.Target().Port(blade, "eth0"); return p.Up && p.Down == "" })
	until(t, "it is announced", func() bool { return driveOf(t, rig, "d").Stats.Announces == 1 })
	if d := driveOf(t, rig, "d"); d.Stats.Announces != 1 {
		t.Errorf("%d announcements", d.Stats.Announces)
	} else if d.Stats = (target.Stats{}); d != want {
		t.Errorf("%+v,\nwant %+v", d, want)
	}
	if medium.Cache() != target.CacheDurable || medium.Opened() != 1 {
		t.Errorf("opened %d times, last with %s", medium.Opened(), medium.Cache())
	}
	if n := len(answers(rig, "eth0", queryFrame(blade, 2))); n != 1 {
		t.Errorf("%d answers", n)
	}
	if n := strings.Count(m.Log(), "no such file"); n != 1 {
		t.Errorf("the reason was logged %d times:\n%s", n, m.Log())
	}
}

// A drive that is down can be removed, and given another store.
func TestDriveThatIsDownIsNoTrap(t *testing.T) {
	rig := waitingRig(t)
	rig.Disk("next", 500, false)
	must(t, rig.Target().Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/next"}))
	if d := driveOf(t, rig, "d"); d.Down != "" || d.Path != "/disks/next" || d.Sectors != 500 {
		t.Errorf("%+v", d)
	}
	if n := len(answers(rig, "eth0", queryFrame(blade, 1))); n != 1 {
		t.Errorf("%d answers", n)
	}
	must(t, rig.Target().Do(target.AddDrive{Name: "gone", Path: "/disks/gone", Wait: true}))
	must(t, rig.Target().Do(target.AddPort{Drive: "gone", Addr: aoe.Addr{Shelf: 2}, Interface: target.EveryInterface}))
	if err := rig.Target().Do(target.RemoveDrive{Name: "gone"}); !errors.Is(err, target.ErrInUse) || !strings.Contains(err.Error(), "e2.0") {
		t.Error(err)
	}
	must(t, rig.Target().Do(target.SetKeep{Drive: "gone"}))
	must(t, rig.Target().Do(target.RemovePort{Addr: aoe.Addr{Shelf: 2}}))
	if _, ok := rig.Target().Drive("gone"); ok {
		t.Error("a drive that is not to be kept is there without ports")
	}
	gone := rig.Machine().AddMedium("/disks/gone", 100, false)
	must(t, rig.Target().Do(target.AddDrive{Name: "marker", Path: "/disks/marker", Wait: true}))
	rig.Disk("marker", 100, false)
	until(t, "another drive is up", func() bool { return driveOf(t, rig, "marker").Down == "" })
	if gone.Opened() != 0 {
		t.Error("the store of a drive that was removed is opened")
	}
}

// A store that hangs holds up neither operations nor other drives, and is
// closed when it opens for nobody.
func TestStoreThatHangs(t *testing.T) {
	soon(t)
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	m := rig.Machine()
	for _, name := range []string{"slow", "slower", "fast"} {
		rig.Disk(name, 100, false)
	}
	releaseSlow, releaseSlower := m.Hang("/disks/slow"), m.Hang("/disks/slower")
	for _, name := range []string{"slow", "slower", "late"} {
		must(t, rig.Target().Do(target.AddDrive{Name: name, Path: "/disks/" + name, Wait: true}))
	}
	must(t, rig.Target().Do(target.AddDrive{Name: "fast", Path: "/disks/fast"}))
	if d := driveOf(t, rig, "slow"); !strings.Contains(d.Down, "does not answer") {
		t.Errorf("%+v", d)
	}
	rig.Disk("late", 100, false)
	until(t, "a drive that was missing is up", func() bool { return driveOf(t, rig, "late").Down == "" })
	must(t, rig.Target().Do(target.RemoveDrive{Name: "slower"}))
	releaseSlow()
	releaseSlower()
	until(t, "the drive is up", func() bool { return driveOf(t, rig, "slow").Down == "" })
	until(t, "only what is needed is open", func() bool {
		return m.Open() == `0 queues, 0 buffers, ["store /disks/fast" "store /disks/late" "store /disks/slow"]`
	})
}

// A port waits for its interface.
func TestPortWaitsForItsInterface(t *testing.T) {
	rig := newRig(t)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 1000, false)}))
	two := aoe.Addr{Shelf: 2}
	if err := rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth9"}); !errors.Is(err, target.ErrNoInterface) {
		t.Errorf("without waiting: %v", err)
	}
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth9", Wait: true}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: aoe.Addr{Shelf: 3}, Interface: "eth9", Wait: true, Quiet: true}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: two, Interface: target.EveryInterface}))
	down := func(a aoe.Addr, netif, why string) {
		t.Helper()
		if p, ok := rig.Target().Port(a, netif); !ok || p.Up || !strings.Contains(p.Down, why) {
			t.Errorf("%+v, want it down because %q", p, why)
		}
	}
	down(blade, "eth9", `no such interface: "eth9"`)
	down(two, target.EveryInterface, "no Ethernet interface")
	rig.Interface("eth9", 1500)
	if frames := rig.Collect("eth9", 2); len(frames) != 2 {
		t.Errorf("%d announcements, want those of two ports", len(frames))
	}
	for _, a := range []aoe.Addr{blade, two, {Shelf: 3}} {
		if n := len(answers(rig, "eth9", queryFrame(a, 1))); n != 1 {
			t.Errorf("%d answers at %s", n, a)
		}
	}
	info := rig.Machine().SetInterface("eth9", 1, 500)
	rig.Target().InterfaceChanged(info)
	down(blade, "eth9", "MTU 500")
	info.MTU, info.Up = 1500, false
	rig.Machine().SetInfo(info)
	rig.Target().InterfaceChanged(info)
	down(blade, "eth9", "eth9 is down")
	rig.Machine().RemoveInterface("eth9")
	rig.Target().InterfaceVanished("eth9", 1)
	down(blade, "eth9", `no such interface: "eth9"`)
	down(two, target.EveryInterface, "no Ethernet interface")
	rig.Interface("eth9", 1500)
	if p, _ := rig.Target().Port(blade, "eth9"); !p.Up || p.Down != "" {
		t.Errorf("%+v", p)
	}
	// One that waits can be removed, and does not come back.
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth8", Wait: true}))
	must(t, rig.Target().Do(target.RemovePort{Addr: blade, Interface: "eth8"}))
	rig.Interface("eth8", 1500)
	if n := len(answers(rig, "eth8", queryFrame(blade, 1))); n != 0 {
		t.Errorf("%d answers on an interface that it was removed from", n)
	}
}

// Whatever cannot be opened, an operation that waits succeeds, and what it asked
// for comes up.
func TestWaitingThroughEveryStep(t *testing.T) {
	soon(t)
	for n := 0; ; n++ {
		rig := newRig(t)
		rig.Interface("eth0", 1500)
		path := rig.Disk("d", 100, false)
		rig.Machine().FailAfter(n)
		must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: path, Wait: true}))
		must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0", Wait: true}))
		until(t, "the port is up", func() bool {
			p, _ := rig.Target().Port(blade, "eth0")
			return p.Up
		})
		if n := len(answers(rig, "eth0", queryFrame(blade, 2))); n != 1 {
			t.Errorf("%d answers after %q had failed", n, rig.Machine().Refused())
		}
		if rig.Machine().Refused() == "" {
			if n < 5 {
				t.Errorf("only %d steps", n)
			}
			return
		}
	}
}

func TestWaiting(t *testing.T) {
	for _, tt := range []struct{ op, want target.Operation }{
		{target.AddDrive{Name: "d"}, target.AddDrive{Name: "d", Wait: true, Cache: target.CacheDirect}},
		{target.AddDrive{Cache: target.CacheDurable}, target.AddDrive{Wait: true, Cache: target.CacheDurable}},
		{target.AddPort{Drive: "d", Quiet: true}, target.AddPort{Drive: "d", Quiet: true, Wait: true}},
		{target.AddBlade{Drive: "d"}, target.AddBlade{Drive: "d"}},
	} {
		if got := target.Waiting(tt.op); got != tt.want {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
	}
}

// A port that cannot be on an interface, for a reason of its own, keeps no other
// one off it, and is tried again.
func TestOnePortHoldsNoOther(t *testing.T) {
	for n, held := 0, false; !held; n++ {
		rig := newRig(t)
		must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 100, false)}))
		for s := range uint16(3) {
			must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: shelf(s), Interface: "eth0", Wait: true}))
		}
		up := func() (n int) {
			for _, p := range rig.Target().Ports() {
				if p.Up {
					n++
				}
			}
			return n
		}
		rig.Machine().FailAfter(n)
		rig.Interface("eth0", 1500)
		if held = rig.Machine().Refused() == "Steer"; held && up() != 2 {
			t.Errorf("%d ports are up when one of three cannot be steered to its worker", up())
		}
		rig.Machine().FailAfter(-1)
		until(t, "all are up", func() bool { return up() == 3 })
		if n > 50 {
			t.Fatal("nothing was steered")
		}
	}
}
