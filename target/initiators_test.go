package target_test

import (
	"maps"
	"slices"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// Hosts are told apart and counted; wildcards, and hosts that are shut out, are
// not.
func TestInitiators(t *testing.T) {
	rig := serving(t)
	must(t, rig.Target().Do(target.SetHosts{Addr: blade, List: target.DenyList, Hosts: []aoe.MAC{bob}}))
	for range 3 {
		answers(rig, "eth0", readFrame(blade, 1, 0, 1))
		answers(rig, "eth0", fromHost(queryFrame(blade, 1), 7))
		answers(rig, "eth0", fromHost(commandFrame(blade, 1, 0xec, 0), 7))
		answers(rig, "eth0", fromHost(queryFrame(wildcard, 1), 8))
		denied := queryFrame(blade, 1)
		copy(denied[6:], bob[:])
		answers(rig, "eth0", denied)
	}
	counts := map[aoe.MAC]uint64{}
	for _, i := range rig.Target().Initiators(blade) {
		counts[i.Host] += i.Requests
		if i.Interface != "eth0" || i.Last.Year() < 2000 {
			t.Errorf("%+v", i)
		}
	}
	if len(counts) != 2 || counts[alice] != 3 || counts[host(7)] != 6 {
		t.Errorf("the initiators are %v", counts)
	}
	if list := rig.Target().Initiators(aoe.Addr{Shelf: 7}); list != nil {
		t.Errorf("of an address that is not served: %v", list)
	}
}

// Of a batch, which is counted by the run, every request counts once, for who sent it.
func TestInitiatorsOfABatch(t *testing.T) {
	rig := serving(t)
	var batch [][]byte
	for i := range 60 {
		batch = append(batch, fromHost(queryFrame(blade, 1), i/20%2*i%3)) // runs, and hosts in turn
	}
	want := map[aoe.MAC]uint64{}
	for _, frame := range batch {
		want[aoe.MAC(frame[6:12])]++
	}
	rig.Machine().Inject("eth0", batch...)
	rig.Collect("eth0", len(batch))
	got := map[aoe.MAC]uint64{}
	for _, i := range rig.Target().Initiators(blade) {
		got[i.Host] += i.Requests
	}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// Who asks is known while the reply waits for the drive.
func TestInitiatorWhoWaits(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	rig.Send("eth0", readFrame(blade, 1, 0, 1))
	m.Quiesce()
	if list := rig.Target().Initiators(blade); len(list) != 1 || list[0].Host != alice || list[0].Requests != 1 {
		t.Errorf("the initiators are %v, want one request of %v", list, alice)
	}
	m.FinishAll()
	rig.Collect("eth0", 1)
}

// A flood of forged sources neither grows the list nor drives out who works.
func TestForgedInitiators(t *testing.T) {
	rig := serving(t)
	for range 100 {
		rig.Send("eth0", queryFrame(blade, 1))
	}
	for i := range 10000 {
		rig.Send("eth0", fromHost(queryFrame(blade, 1), i))
		if i%100 == 0 {
			rig.Send("eth0", queryFrame(blade, 1))
			rig.Machine().Quiesce()
		}
	}
	rig.Collect("eth0", 0)
	list := rig.Target().Initiators(blade)
	if len(list) > 17 {
		t.Errorf("%d initiators are remembered", len(list))
	}
	for _, i := range list {
		if i.Host == alice && i.Requests > 0 {
			return
		}
	}
	t.Errorf("who works is not among %v", list)
}

// Who works is silent between two requests, while others may be forged. Who is
// silent for more than a minute is forgotten for any.
func TestForgedBetweenSeconds(t *testing.T) {
	rig := serving(t)
	worker := target.Borrow(rig.Target(), "eth0")
	defer worker.Return()
	flood := func(second uint32) {
		for i := range 100 {
			worker.Hear(blade, host(i), second)
		}
	}
	known := func() bool {
		return slices.ContainsFunc(rig.Target().Initiators(blade), func(i target.Initiator) bool { return i.Host == alice })
	}
	for range 2 {
		worker.Hear(blade, alice, 1000)
	}
	for _, second := range []uint32{1000, 1001, 1060} {
		if flood(second); !known() {
			t.Fatalf("%d s later who works is not known any more", second-1000)
		}
	}
	if flood(1061); known() {
		t.Error("who was silent for 61 s has kept its place from those that were not")
	}
}
