package target_test

import (
	"errors"
	"slices"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// eachTen is the length of a request in a file for those who look at no file.
func eachTen(*target.TraceEvent) int { return 10 }

// traceOf begins a recording and returns it.
func traceOf(t testing.TB, on *target.Target, requests int) *target.Trace {
	t.Helper()
	must(t, on.Do(target.SetTrace{Addr: blade, Requests: requests, Length: eachTen}))
	tr, ok := on.Trace(blade)
	if tr == nil || !ok {
		t.Fatal("nothing is recorded")
	}
	return tr
}

// recorded is all that tr has, of which nothing may be lost.
func recorded(t testing.TB, tr *target.Trace) []target.TraceEvent {
	t.Helper()
	events := make([]target.TraceEvent, 100)
	n, lost := tr.Read(0, 1000, events)
	if lost > 0 {
		t.Errorf("%d requests lost", lost)
	}
	return events[:n]
}

// A trace tells of each request once, with who sent it and what became of it.
func TestTrace(t *testing.T) {
	rig := serving(t)
	answers(rig, "eth0", readFrame(blade, 1, 0, 1)) // before it is recorded
	tr := traceOf(t, rig.Target(), 100)
	must(t, rig.Target().Do(target.SetHosts{Addr: blade, List: target.DenyList, Hosts: []aoe.MAC{bob}}))
	m := rig.Machine()
	answers(rig, "eth0", readFrame(blade, 1, 3, 2))
	answers(rig, "eth0", fromHost(writeFrame(blade, 1, 7, make([]byte, 512)), 7))
	answers(rig, "eth0", commandFrame(blade, 1, 0xe7, 0))
	answers(rig, "eth0", commandFrame(blade, 1, 0xec, 0))
	answers(rig, "eth0", readFrame(blade, 1, 5000, 1))
	answers(rig, "eth0", queryFrame(blade, 1))
	answers(rig, "eth0", frameOf(blade, 9, 1, 60))
	denied := queryFrame(blade, 1)
	copy(denied[6:], bob[:])
	answers(rig, "eth0", denied)
	m.SetMode(targettest.Held)
	rig.Send("eth0", readFrame(blade, 1, 1, 1))
	m.Quiesce()
	m.FinishAll()
	m.SetMode(targettest.Inline)
	rig.Collect("eth0", 1)
	type short struct {
		host    aoe.MAC
		command aoe.Command
		ata     uint8
		lba     uint64
		sectors int
		outcome target.TraceOutcome
		code    uint8
	}
	want := []short{
		{alice, 0, 0x24, 3, 2, target.TraceDone, 0},
		{host(7), 0, 0x34, 7, 1, target.TraceDone, 0},
		{alice, 0, 0xe7, 0, 0, target.TraceDone, 0},
		{alice, 0, 0xec, 0, 0, target.TraceDone, 0},
		{alice, 0, 0x24, 5000, 1, target.TraceATAError, 0x10},
		{alice, 1, 0, 0, 0, target.TraceDone, 0},
		{alice, 9, 0, 0, 0, target.TraceAoEError, uint8(aoe.ErrCommand)},
		{bob, 1, 0, 0, 0, target.TraceSilent, 0},
		{alice, 0, 0x24, 1, 1, target.TraceDone, 0},
	}
	events := recorded(t, tr)
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d: %+v", len(events), len(want), events)
	}
	for i, e := range events {
		if got := (short{e.Host, e.Command, e.ATA, e.LBA, e.Sectors, e.Outcome, e.Code}); got != want[i] {
			t.Errorf("event %d is %+v, want %+v", i, got, want[i])
		}
		if e.Interface != "eth0" || e.At.IsZero() || e.Took < 0 {
			t.Errorf("event %d: %+v", i, e)
		}
	}
}

// The last requests are kept, and readers learn how many they missed; places do not
// move when requests leave.
func TestTraceKeepsTheLast(t *testing.T) {
	tr := target.NewTrace(4, func(e *target.TraceEvent) int { return int(e.LBA) })
	events := make([]target.TraceEvent, 3)
	if n, lost := tr.Read(0, 9, events); n != 0 || lost != 0 {
		t.Errorf("before anything came: %d, %d lost", n, lost)
	}
	for lba := range uint64(10) { // request n is at 0 + 1 + … + n-1
		tr.Add(&target.TraceEvent{LBA: lba})
	}
	if requests, length, _ := tr.Stat(); requests != 10 || length != 45 {
		t.Errorf("%d requests, of length %d", requests, length)
	}
	for _, tt := range []struct {
		next, limit uint64
		lbas        []uint64
		lost        uint64
	}{{0, 10, []uint64{6, 7, 8}, 6}, {5, 8, []uint64{6, 7}, 1}, {7, 10, []uint64{7, 8, 9}, 0}, {9, 99, []uint64{9}, 0}, {10, 10, nil, 0}, {2, 5, nil, 3}} {
		n, lost := tr.Read(tt.next, tt.limit, events)
		var lbas []uint64
		for _, e := range events[:n] {
			lbas = append(lbas, e.LBA)
		}
		if !slices.Equal(lbas, tt.lbas) || lost != tt.lost {
			t.Errorf("from %d to %d: %d and %d lost, want %+v", tt.next, tt.limit, lbas, lost, tt)
		}
	}
	for _, tt := range []struct {
		place   int64
		request uint64
		begins  int64
	}{{0, 6, 15}, {15, 6, 15}, {20, 6, 15}, {21, 7, 21}, {44, 9, 36}, {45, 10, 45}, {1 << 40, 10, 45}} {
		if request, begins := tr.Find(tt.place); request != tt.request || begins != tt.begins {
			t.Errorf("at %d: request %d, which begins at %d: want %+v", tt.place, request, begins, tt)
		}
	}
}

// A recording ends when it is told to, and can be read still; the next begins from nothing;
// the blade takes it along.
func TestTraceEnds(t *testing.T) {
	rig := serving(t)
	if tr, ok := rig.Target().Trace(blade); tr != nil || !ok {
		t.Errorf("before any: %v, %v", tr, ok)
	}
	off := target.SetTrace{Addr: blade}
	must(t, rig.Target().Do(off))
	tr := traceOf(t, rig.Target(), 100)
	answers(rig, "eth0", queryFrame(blade, 1))
	must(t, rig.Target().Do(off))
	must(t, rig.Target().Do(off))
	answers(rig, "eth0", queryFrame(blade, 1))
	if again, _ := rig.Target().Trace(blade); again != tr || len(recorded(t, tr)) != 1 {
		t.Errorf("after the end there are %d requests", len(recorded(t, tr)))
	}
	next := traceOf(t, rig.Target(), 1)
	answers(rig, "eth0", queryFrame(blade, 1))
	if next == tr || len(recorded(t, tr)) != 1 || len(recorded(t, next)) != 1 {
		t.Errorf("the next one has %d requests, and the first %d", len(recorded(t, next)), len(recorded(t, tr)))
	}
	must(t, rig.Target().Do(target.RemovePort{Addr: blade, Interface: "eth0"}))
	if tr, ok := rig.Target().Trace(blade); tr != nil || ok {
		t.Errorf("when the address is gone: %v, %v", tr, ok)
	}
	if err := rig.Target().Do(off); !errors.Is(err, target.ErrNoPort) {
		t.Errorf("of an address that is not there: %v", err)
	}
}

// All recordings together are bounded, and what ends gives back what it did not need.
func TestTracesAreBounded(t *testing.T) {
	rig := serving(t)
	addr := func(i int) aoe.Addr { return aoe.Addr{Shelf: 7, Slot: uint8(i)} }
	record := func(i int) error {
		return rig.Target().Do(target.SetTrace{Addr: addr(i), Requests: target.MaxTraceRequests, Length: eachTen})
	}
	must(t, rig.Target().Do(target.AddDrive{Name: "many", Path: rig.Disk("many", 8, false)}))
	full := -1
	for i := 0; full < 0; i++ {
		must(t, rig.Target().Do(target.AddBlade{Addr: addr(i), Drive: "many"}))
		switch err := record(i); {
		case errors.Is(err, target.ErrFull):
			full = i
		case err != nil:
			t.Fatal(err)
		case i > 100:
			t.Fatal("no bound")
		}
	}
	must(t, record(0)) // in the place of itself
	must(t, rig.Target().Do(target.SetTrace{Addr: addr(1)}))
	must(t, record(full))
	for _, n := range []int{-1, target.MaxTraceRequests + 1} {
		if err := rig.Target().Do(target.SetTrace{Addr: addr(0), Requests: n}); !errors.Is(err, target.ErrRange) {
			t.Errorf("%d requests: %v", n, err)
		}
	}
}

// Recording allocates nothing.
func TestTracingAllocatesNothing(t *testing.T) {
	worker := loopRig(t)
	tr := traceOf(t, worker.Target(), 64)
	for name, frame := range map[string]func(i int) []byte{
		"read":     func(i int) []byte { return readFrame(blade, 1, 8*i, 8) },
		"refused":  func(int) []byte { return readFrame(blade, 1, 0, 200) },
		"query":    func(int) []byte { return queryFrame(blade, 1) },
		"identify": func(int) []byte { return commandFrame(blade, 1, 0xec, 0) },
	} {
		for _, async := range []bool{false, true} {
			link, queue := &loopLink{frames: repeated(96, frame)}, &loopQueue{async: async}
			before, _, _ := tr.Stat()
			worker.With(link, queue, func() {
				if n := testing.AllocsPerRun(20, func() {
					link.arm()
					for worker.Turn() {
					}
				}); n != 0 {
					t.Errorf("%s, async %v: %v allocations in a round", name, async, n)
				}
			})
			if after, _, _ := tr.Stat(); after-before != uint64(link.sent) {
				t.Errorf("%s, async %v: %d requests recorded of %d", name, async, after-before, link.sent)
			}
		}
	}
}
