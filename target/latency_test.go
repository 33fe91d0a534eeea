package target_test

import (
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// Each time falls into the bucket of the least bound that is not below it.
func TestLatencyBuckets(t *testing.T) {
	for _, tt := range []struct {
		took time.Duration
		want int
	}{
		{-5, 0}, {0, 0}, {1, 0}, {time.Microsecond, 0}, {time.Microsecond + 1, 1}, {2 * time.Microsecond, 1}, {2*time.Microsecond + 1, 2},
		{100 * time.Microsecond, 7}, {128 * time.Microsecond, 7}, {time.Second, 20}, {target.LatencyBound(21), 21},
		{target.LatencyBound(21) + 1, 22}, {time.Hour, 22}, {1<<63 - 1, 22},
	} {
		if got := target.BucketOf(tt.took); got != tt.want {
			t.Errorf("%v is in bucket %d, want %d", tt.took, got, tt.want)
		}
	}
	if size := target.LatenciesSize; size > 576 {
		t.Errorf("the latencies of a port take %d bytes, want no more than 576, a size class of the allocator", size)
	}
}

func TestLatencyQuantile(t *testing.T) {
	var l target.Latency
	if l.Quantile(0.5) != 0 || l.Mean() != 0 || l.Count() != 0 {
		t.Error("without transfers there is a time")
	}
	l.Counts[2], l.Counts[5], l.Sum = 90, 10, 900*time.Microsecond
	for q, want := range map[float64]time.Duration{0: 4 * time.Microsecond, 0.5: 4 * time.Microsecond, 0.9: 4 * time.Microsecond,
		0.91: 32 * time.Microsecond, 1: 32 * time.Microsecond} {
		if got := l.Quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if l.Mean() != 9*time.Microsecond || l.Count() != 100 {
		t.Errorf("mean %v of %d", l.Mean(), l.Count())
	}
}

// Transfers are counted by their kind with the time that they took, whether they were
// done at once or waited, and those that failed, too; what needs no disk is not. The
// counts outlive the interface.
func TestLatencies(t *testing.T) {
	const held = 20 * time.Millisecond
	rig := newRigOf(t, 1)
	rig.Interface("eth0", 4200)
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 1000, false)}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: blade, Interface: target.EveryInterface}))
	rig.Collect("eth0", 1)
	m := rig.Machine()
	for i := range 5 {
		answers(rig, "eth0", readFrame(blade, 1, i, 1))
	}
	answers(rig, "eth0", commandFrame(blade, 1, 0xec, 0))
	answers(rig, "eth0", readFrame(blade, 1, 5000, 1)) // beyond the end: never a transfer
	m.SetMode(targettest.Held)
	rig.Send("eth0", writeFrame(blade, 2, 0, make([]byte, 512)))
	rig.Send("eth0", commandFrame(blade, 3, 0xe7, 0))
	m.Quiesce()
	time.Sleep(held)
	m.FinishAll()
	m.SetMode(targettest.Inline)
	rig.Collect("eth0", 2)
	check := func(when string) {
		t.Helper()
		all, ok := rig.Target().Latencies(blade)
		if !ok || all[target.ReadTransfer].Count() != 5 || all[target.WriteTransfer].Count() != 1 || all[target.FlushTransfer].Count() != 1 {
			t.Fatalf("%s: %v, %+v; want 5 reads, a write and a flush", when, ok, all)
		}
		for _, kind := range []target.Transfer{target.WriteTransfer, target.FlushTransfer} {
			if l := all[kind]; l.Sum < held || l.Quantile(0.5) < held {
				t.Errorf("%s: a %s took %v, at most %v; want at least %v", when, kind, l.Sum, l.Quantile(0.5), held)
			}
		}
	}
	m.Quiesce()
	check("while it is served")
	m.RemoveInterface("eth0")
	rig.Target().InterfaceVanished("eth0", 1)
	check("after the interface has gone")
	if _, ok := rig.Target().Latencies(aoe.Addr{Shelf: 99}); ok {
		t.Error("an address that is not there has latencies")
	}
}

// An interface tells its initiators apart, with what they transferred, and remembers
// only so many.
func TestClients(t *testing.T) {
	rig := serving(t)
	for i := range 3 {
		answers(rig, "eth0", fromHost(readFrame(blade, 1, i, 1), 7))
		answers(rig, "eth0", fromHost(writeFrame(blade, 1, i, make([]byte, 1024)), 8))
		answers(rig, "eth0", fromHost(queryFrame(blade, 1), 9)) // transfers nothing
	}
	got := map[aoe.MAC]target.Client{}
	for _, c := range rig.Target().Clients("eth0") {
		got[c.Host] = c
	}
	r, w := got[host(7)], got[host(8)]
	if len(got) != 2 || r.Transfers != [target.Transfers]uint64{3, 0, 0} || r.Sectors != [target.Transfers]uint64{3, 0, 0} ||
		w.Transfers != [target.Transfers]uint64{0, 3, 0} || w.Sectors != [target.Transfers]uint64{0, 6, 0} || w.Last.Year() < 2000 ||
		w.Times[target.WriteTransfer] <= 0 {
		t.Errorf("the initiators are %+v", got)
	}
	for i := range 1000 {
		answers(rig, "eth0", fromHost(readFrame(blade, 1, 0, 1), i))
	}
	if n := len(rig.Target().Clients("eth0")); n > target.MaxClients || n < target.MaxClients/2 {
		t.Errorf("of 1000 initiators %d are remembered, want no more than %d", n, target.MaxClients)
	}
	if list := rig.Target().Clients("eth7"); list != nil {
		t.Errorf("of an interface that is not there: %v", list)
	}
}
