package target_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// What is true of an interface with one worker is true of one with several.
func TestSeveralWorkers(t *testing.T) {
	defer func() { rigWorkers = 1 }()
	rigWorkers = 3
	for name, test := range map[string]func(*testing.T){
		"EveryStepMayFail": TestEveryStepMayFail, "NothingServedByAFailure": TestNothingServedByAFailure, "Refusals": TestRefusals,
		"RemovalWaits": TestRemovalWaitsForRequestsInFlight, "StuckRemoval": TestStuckRemovalChangesNothing,
		"CloseDrains": TestCloseDrains, "RebindUnderLoad": TestRebindUnderLoad,
		"LinkErrors": TestLinkErrors, "LinkErrorsThatLast": TestLinkErrorsThatLast, "Vanishes": TestInterfaceVanishesUnannounced,
		"MTUGrows": TestMTUGrows, "EveryInterface": TestEveryInterface,
	} {
		t.Run(name, test)
	}
}

func shelf(n uint16) aoe.Addr { return aoe.Addr{Shelf: n} }

// crowded has three workers on eth0, and the drives d1 to d5 at 1.0 to 5.0.
func crowded(t testing.TB) targettest.Faults {
	rig := newRigOf(t, 3)
	rig.Interface("eth0", 4200)
	for n := uint16(1); n <= 5; n++ {
		name := fmt.Sprintf("d%d", n)
		must(t, rig.Target().Do(target.AddDrive{Name: name, Path: rig.Disk(name, 100, false)}))
		must(t, rig.Target().Do(target.AddPort{Drive: name, Addr: shelf(n), Interface: "eth0"}))
	}
	rig.Collect("eth0", 5)
	return rig
}

// wantHomes fails unless addresses 1.0, 2.0, … have these homes, and frames for
// them are steered there.
func wantHomes(t *testing.T, rig targettest.Faults, want ...int) {
	t.Helper()
	addrs, devices := target.Homes(rig.Target(), "eth0")
	steered := rig.Machine().Steered("eth0")
	for i, home := range want {
		a := shelf(uint16(i + 1))
		if addrs[a] != home || steered[a] != home {
			t.Errorf("%s is at home with worker %d and steered to %d, want %d; homes %v, devices %v", a, addrs[a], steered[a], home, addrs, devices)
		}
	}
}

// allAnswer fails unless each of the first n shelves reads its own disk.
func allAnswer(t *testing.T, rig targettest.Faults, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		if r := answers(rig, "eth0", readFrame(shelf(uint16(i)), uint32(i), 7, 1)); len(r) != 1 || !bytes.Equal(r[0][aoe.ATASize:], targettest.Pattern(7)) {
			t.Errorf("%d replies to a read at shelf %d", len(r), i)
		}
	}
}

// Devices are spread evenly; the addresses of one stay together; what goes
// leaves room for what comes.
func TestHomesAreSpread(t *testing.T) {
	rig := crowded(t)
	wantHomes(t, rig, 0, 1, 2, 0, 1)
	allAnswer(t, rig, 5)
	do := rig.Target().Do
	must(t, do(target.AddDrive{Name: "again", Path: "/disks/d3"})) // another drive of a device
	must(t, do(target.AddPort{Drive: "again", Addr: shelf(6), Interface: "eth0"}))
	must(t, do(target.AddPort{Drive: "d2", Addr: shelf(7), Interface: "eth0"})) // another address of a drive
	wantHomes(t, rig, 0, 1, 2, 0, 1, 2, 1)
	if _, devices := target.Homes(rig.Target(), "eth0"); fmt.Sprint(devices) != "[2 2 1]" {
		t.Errorf("devices %v", devices)
	}
	must(t, do(target.RemovePort{Addr: shelf(2)}))
	must(t, do(target.RemovePort{Addr: shelf(5)}))
	must(t, do(target.RemovePort{Addr: shelf(7)}))
	must(t, do(target.AddPort{Drive: "d5", Addr: shelf(2), Interface: "eth0"}))
	wantHomes(t, rig, 0, 1, 2, 0)
	if steered := rig.Machine().Steered("eth0"); len(steered) != 3 { // 2.0, 3.0 and 6.0
		t.Errorf("steered: %v", steered)
	}
	if n, _ := rig.Target().Interface("eth0"); n.Workers != 3 || n.Ports != 5 {
		t.Errorf("%+v", n)
	}
}

// A frame that comes to another worker than its home is dropped, whatever it
// asks; wildcards any worker answers.
func TestStrayFramesAreDropped(t *testing.T) {
	rig := crowded(t)
	rig.Machine().Mislead(1)
	data := bytes.Repeat([]byte{1}, 512)
	for i := uint16(1); i <= 5; i++ {
		for _, f := range [][]byte{writeFrame(shelf(i), 1, 3, data), readFrame(shelf(i), 2, 3, 1), queryFrame(shelf(i), 3)} {
			if r := answers(rig, "eth0", f); len(r) != 0 {
				t.Errorf("shelf %d: an answer to a frame that came to another worker: % x", i, r[0][:36])
			}
		}
		if p, _ := rig.Target().Port(shelf(i), "eth0"); p.Stats.Dropped != 3 {
			t.Errorf("%s: %+v, want 3 dropped", p.Addr, p.Stats)
		}
		if got := rig.Sectors(fmt.Sprintf("/disks/d%d", i), 3, 1); !bytes.Equal(got, targettest.Pattern(3)) {
			t.Errorf("shelf %d was written", i)
		}
	}
	if r := answers(rig, "eth0", queryFrame(wildcard, 4)); len(r) != 5 {
		t.Errorf("%d replies to a wildcard", len(r))
	}
	rig.Machine().Mislead(0)
	allAnswer(t, rig, 5)
}

// Links that can be shared no more, or again, move everything. What is in flight
// finishes where it began; its reply is lost if that worker has no link now.
func TestHomesFollowTheLinks(t *testing.T) {
	rig := crowded(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	for i := uint16(1); i <= 5; i++ {
		answers(rig, "eth0", readFrame(shelf(i), 9, 7, 1))
	}
	m.ShareLinks(1)
	rig.Interface("eth0", 4300) // another MTU: new links
	if n, _ := rig.Target().Interface("eth0"); n.Workers != 1 {
		t.Errorf("%d workers with one link", n.Workers)
	}
	wantHomes(t, rig, 0, 0, 0, 0, 0)
	m.FinishAll()
	if r := rig.Collect("eth0", 2); len(r) != 2 { // shelves 1 and 4
		t.Errorf("%d replies to what was in flight", len(r))
	}
	m.SetMode(targettest.Inline)
	allAnswer(t, rig, 5)
	// Older kernels share an interface only while it is up: then it is tried again.
	info := m.SetInterface("eth0", 1, 4400)
	for _, up := range []bool{false, true} {
		wantHomes(t, rig, 0, 0, 0, 0, 0)
		if up {
			m.ShareLinks(3)
		}
		info.Up = up
		m.SetInfo(info)
		rig.Target().InterfaceChanged(info)
	}
	wantHomes(t, rig, 0, 1, 2, 0, 1)
	rig.Collect("eth0", 5)
	allAnswer(t, rig, 5)
}

// A driver that takes its interface down and up for each XDP program does so for
// each link: what could not be shared is not tried again, or that had no end.
func TestLinksThatCannotBeSharedStay(t *testing.T) {
	m := targettest.NewMachine(t)
	c := m.Config()
	c.Workers = 3
	m.ShareLinks(1)
	opened, open := 0, c.Parts.OpenLinks
	c.Parts.OpenLinks = func(netif string, workers int) (target.LinkGroup, error) {
		opened++
		return open(netif, workers)
	}
	tgt := target.New(c)
	defer targettest.CloseTarget(t, m, tgt)
	m.AddMedium("/disks/d", 100, false)
	info := m.SetInterface("eth0", 1, 1500)
	must(t, tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0"}))
	for i := range 6 {
		info.Up = i%2 == 1
		m.SetInfo(info)
		tgt.InterfaceChanged(info)
	}
	if opened != 1 {
		t.Errorf("links were opened %d times while the interface went down and up", opened)
	}
}

// An address whose new device has another home moves there: what came before is
// served from the old device, what comes after from the new, and nothing is
// lost though the old home was busy all the while.
func TestRebindHandsOver(t *testing.T) {
	rig := crowded(t)
	do := rig.Target().Do
	busy := target.BorrowNumber(rig.Target(), "eth0", 0)
	a, b := bytes.Repeat([]byte{'a'}, 512), bytes.Repeat([]byte{'b'}, 512)
	rig.Send("eth0", writeFrame(shelf(1), 101, 5, a))
	_, result := background(func() error { return do(target.Rebind{Addr: shelf(1), Interface: "eth0", Path: "/disks/d2"}) })
	until(t, "the address is steered to its next home", func() bool { return rig.Machine().Steered("eth0")[shelf(1)] == 1 })
	rig.Send("eth0", writeFrame(shelf(2), 102, 5, a)) // to the device itself: comes first
	rig.Send("eth0", writeFrame(shelf(1), 103, 5, b))
	busy.Return()
	must(t, <-result)
	tags := map[uint32]bool{}
	for _, r := range rig.Collect("eth0", 4) {
		h, _ := aoe.DecodeHeader(r)
		tags[h.Tag] = true
	}
	if want := map[uint32]bool{0: true, 101: true, 102: true, 103: true}; !maps.Equal(tags, want) {
		t.Errorf("replies %v, want %v", tags, want)
	}
	if got := rig.Sectors("/disks/d1", 5, 1); !bytes.Equal(got, a) {
		t.Errorf("what came before went elsewhere: the old disk has %.8q", got)
	}
	if got := rig.Sectors("/disks/d2", 5, 1); !bytes.Equal(got, b) {
		t.Errorf("what came after is not last: the new disk has %.8q", got)
	}
	wantHomes(t, rig, 1, 1, 2, 0, 1)
	if _, devices := target.Homes(rig.Target(), "eth0"); fmt.Sprint(devices) != "[1 2 1]" {
		t.Errorf("devices %v", devices)
	}
	// Where the next device has no home, nothing moves.
	rig.Disk("new", 100, false)
	must(t, do(target.Rebind{Addr: shelf(1), Interface: "eth0", Path: "/disks/new"}))
	wantHomes(t, rig, 1, 1, 2, 0, 1)
	must(t, do(target.Rebind{Addr: shelf(1), Interface: "eth0", Path: "/disks/new"}))
	if _, devices := target.Homes(rig.Target(), "eth0"); fmt.Sprint(devices) != "[1 3 1]" {
		t.Errorf("devices %v", devices)
	}
}

// A hand-over whose second step fails takes back the first, and loses nothing
// but what came meanwhile.
func TestRebindThatFailsHalfway(t *testing.T) {
	rig := crowded(t)
	do := rig.Target().Do
	must(t, do(target.AddPort{Drive: "d1", Addr: shelf(6), Interface: "eth0"}))
	before := state(rig)
	for n := range 20 {
		rig.Machine().FailAfter(n)
		err := do(target.Rebind{Addr: shelf(1), Interface: "eth0", Path: "/disks/d2"})
		step := rig.Machine().Refused()
		rig.Machine().FailAfter(-1)
		if step == "" {
			must(t, err)
			wantHomes(t, rig, 1, 1, 2, 0, 1, 1)
			return
		}
		if after := state(rig); err == nil || after != before {
			t.Fatalf("%s failed: %v\n%s\nbecame\n%s", step, err, before, after)
		}
		allAnswer(t, rig, 6)
	}
	t.Error("never succeeds")
}

// Pinned workers take the processors in turn, over all interfaces; one that is
// not there is said and served without.
func TestWorkersArePinnedInTurn(t *testing.T) {
	m := targettest.NewMachine(t)
	pinned := make(chan int, 16)
	c := m.Config()
	c.Workers, c.CPUs = 2, []int{4, 6, 7}
	m.ShareLinks(2)
	c.Parts.PinThread = func(cpu int) error {
		pinned <- cpu
		if cpu == 7 {
			return errors.New("no such processor")
		}
		return nil
	}
	tgt := target.New(c)
	defer targettest.CloseTarget(t, m, tgt)
	m.AddMedium("/disks/d", 100, false)
	for i := range 2 {
		tgt.InterfaceChanged(m.SetInterface(fmt.Sprintf("eth%d", i), i+1, 1500))
		must(t, tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: fmt.Sprintf("eth%d", i)}))
	}
	count := map[int]int{}
	for range 4 {
		count[<-pinned]++
	}
	if want := map[int]int{4: 2, 6: 1, 7: 1}; !maps.Equal(count, want) {
		t.Errorf("pinned %v, want %v", count, want)
	}
	until(t, "the failure is logged", func() bool { return strings.Contains(m.Log(), "runs on any processor") })
	must(t, tgt.Do(target.RemovePort{Addr: blade, Interface: "eth0"})) // leaves 4 and 6
	must(t, tgt.Do(target.Export{Path: "/disks/d", Addr: blade, Interface: "eth0"}))
	if a, b := <-pinned, <-pinned; a+b != 4+6 {
		t.Errorf("pinned to %d and %d, want what had become free", a, b)
	}
}
