package target_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// until waits for something that other goroutines bring about.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// answers sends a frame and returns the replies to it and to earlier frames,
// without announcements.
func answers(rig targettest.Faults, netif string, frame []byte) (replies [][]byte) {
	rig.Send(netif, frame)
	for _, r := range rig.Collect(netif, 1) {
		if h, _ := aoe.DecodeHeader(r); h.Tag != 0 {
			replies = append(replies, r)
		}
	}
	return replies
}

// serving has the drive d at 1.0 on eth0.
func serving(t testing.TB) targettest.Faults {
	rig := newRig(t)
	rig.Interface("eth0", 4200)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 1000, false)}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: "eth0"}))
	rig.Collect("eth0", 1)
	return rig
}

// background runs an operation that must not return before it is let.
func background(f func() error) (returned func() bool, result chan error) {
	result = make(chan error, 1)
	go func() { result <- f() }()
	return func() bool { return len(result) > 0 }, result
}

// A removal waits for requests in flight; their replies come, and none later.
func TestRemovalWaitsForRequestsInFlight(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	if r := answers(rig, "eth0", readFrame(blade, 1, 5, 1)); len(r) != 0 {
		t.Fatalf("%d replies before the read", len(r))
	}
	returned, result := background(func() error { return rig.Target().Do(target.RemovePort{Addr: blade}) })
	until(t, "the port takes no requests", func() bool { return len(answers(rig, "eth0", queryFrame(blade, 2))) == 0 })
	if returned() {
		t.Fatal("the removal returned while a request was in flight")
	}
	m.Pending()[0].Finish(nil)
	must(t, <-result)
	sent := m.Sent("eth0")
	if len(sent) != 1 || string(sent[0][aoe.ATASize:]) != string(targettest.Pattern(5)) {
		t.Errorf("%d replies when the removal returned, want the read's", len(sent))
	}
	must(t, rig.Target().Do(target.RemoveDrive{Name: "d"}))
	if m.Open() != targettest.Nothing {
		t.Errorf("open after the removal: %s", m.Open())
	}
}

// A drive that is stuck keeps its ports, all of them, and they go on serving.
func TestStuckRemovalChangesNothing(t *testing.T) {
	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond))
	rig := newRig(t)
	m := rig.Machine()
	rig.Interface("eth0", 4200)
	rig.Interface("eth1", 4200)
	must(t, rig.Target().Do(target.Export{Path: rig.Disk("d", 1000, false), Addr: blade, Interface: target.EveryInterface}))
	m.Quiesce()
	m.SetMode(targettest.Held)
	answers(rig, "eth1", readFrame(blade, 1, 5, 1))
	before := state(rig)
	err := rig.Target().Do(target.RemovePort{Addr: blade})
	if !errors.Is(err, target.ErrNotDrained) || !strings.Contains(err.Error(), "1.0 on eth1") {
		t.Errorf("%v, want ErrNotDrained and which port", err)
	}
	if after := state(rig); after != before {
		t.Errorf("changed\n%s\nto\n%s", before, after)
	}
	for _, netif := range []string{"eth0", "eth1"} {
		if n := len(answers(rig, netif, queryFrame(blade, 2))); n != 1 {
			t.Errorf("%d replies on %s, which should go on serving", n, netif)
		}
	}
	m.FinishAll()
	must(t, rig.Target().Do(target.RemovePort{Addr: blade}))
	if m.Open() != targettest.Nothing {
		t.Errorf("open after the removal: %s", m.Open())
	}
}

// Close answers what is in flight and releases everything; once only.
func TestCloseDrains(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", writeFrame(blade, 1, 5, make([]byte, 512)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := rig.Target().Close(ctx); !errors.Is(err, target.ErrNotDrained) {
		t.Errorf("closing with a request in flight and no patience: %v", err)
	}
	if err := rig.Target().Do(target.Announce{}); !errors.Is(err, target.ErrClosed) {
		t.Errorf("an operation after Close: %v", err)
	}
	returned, result := background(func() error { return rig.Target().Close(context.Background()) })
	m.Quiesce()
	if returned() {
		t.Error("Close returned while a request was in flight")
	}
	m.Pending()[0].Finish(nil)
	must(t, <-result)
	if sent := m.Sent("eth0"); len(sent) != 1 || m.Open() != targettest.Nothing {
		t.Errorf("%d replies, open %s", len(sent), m.Open())
	}
	must(t, rig.Target().Close(context.Background()))
	rig.Target().InterfaceChanged(target.Interface{Name: "eth0", Index: 1, MTU: 1500, Up: true, Ethernet: true})
	rig.Target().InterfaceVanished("eth0", 1)
	if m.Open() != targettest.Nothing {
		t.Errorf("opened after Close: %s", m.Open())
	}
}

// Requests in flight finish on the store that they began on; later ones go to
// the next; the first closes when nothing uses it.
func TestRebindUnderLoad(t *testing.T) {
	defer target.SetDrainGrace(target.SetDrainGrace(20 * time.Millisecond)) // the first store stays stuck for a while
	rig := serving(t)
	m := rig.Machine()
	next := m.AddMedium("/disks/next", 2000, false)
	answers(rig, "eth0", commandFrame(blade, 1, 0xef, 0x82)) // every write durable
	m.SetMode(targettest.Held)
	answers(rig, "eth0", writeFrame(blade, 2, 5, []byte(strings.Repeat("x", 512))))
	answers(rig, "eth0", readFrame(blade, 3, 5, 1)) // waits for it
	must(t, rig.Target().Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/next"}))
	announced := rig.Collect("eth0", 1)
	if len(announced) != 1 {
		t.Errorf("%d frames, want an announcement", len(announced))
	}
	answers(rig, "eth0", readFrame(blade, 4, 5, 1))
	answers(rig, "eth0", writeFrame(blade, 5, 1500, make([]byte, 512)))
	if open := m.Open(); !strings.Contains(open, "store /disks/d") {
		t.Errorf("open: %s, want the old store", open)
	}
	if text := m.Pending()[2].String(); text != "write-durable 1500+1" {
		t.Errorf("%s: the initiator wanted every write durable", text)
	}
	m.FinishAll()
	got := map[uint32]string{}
	for _, r := range m.Sent("eth0") {
		h, _ := aoe.DecodeHeader(r)
		got[h.Tag] = string(r[aoe.ATASize:])
	}
	if got[3] != strings.Repeat("x", 512) || got[4] != string(targettest.Pattern(5)) || len(got) != 4 {
		t.Errorf("the read before Rebind has %.16q, the one after it %.16q, %d replies", got[3], got[4], len(got))
	}
	until(t, "the old store is closed", func() bool { return !strings.Contains(m.Open(), "store /disks/d") })
	if d, _ := rig.Target().Drive("d"); d.Path != "/disks/next" || d.Sectors != 2000 || next.Opened() != 1 {
		t.Errorf("%+v", d)
	}
	// The old one is free for another, and the same again is no harm.
	must(t, rig.Target().Do(target.AddDrive{Name: "old", Path: "/disks/d"}))
	must(t, rig.Target().Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/next"}))
	must(t, rig.Target().Do(target.Rebind{Addr: blade, Interface: "eth0", Path: "/disks/d"}))
	if m.Open() != fmt.Sprintf(`%d queues, %[1]d buffers, ["link eth0" "store /disks/d"]`, rigWorkers) {
		t.Errorf("open: %s", m.Open())
	}
}
