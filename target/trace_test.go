package target_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// readTrace reads until n events have come.
func readTrace(t *testing.T, tr *target.Trace, n int) (all []target.TraceEvent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(all) < n {
		events, lost, err := tr.Read(ctx, nil)
		if err != nil || lost > 0 {
			t.Fatalf("after %d events: %d lost, %v", len(all), lost, err)
		}
		all = append(all, events...)
	}
	return all
}

// A trace tells of each request once, with who sent it and what became of it.
func TestTrace(t *testing.T) {
	rig := serving(t)
	answers(rig, "eth0", readFrame(blade, 1, 0, 1)) // before anyone reads
	tr, err := rig.Target().Trace(blade)
	must(t, err)
	defer tr.Close()
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
	events := readTrace(t, tr, len(want))
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

// A reader that does not read loses events, and learns how many; one that waits
// learns that the address is gone, or that it has waited enough.
func TestTraceEnds(t *testing.T) {
	rig := serving(t)
	tr, err := rig.Target().Trace(blade)
	must(t, err)
	const many = 5000
	for range many / 50 {
		var batch [][]byte
		for range 50 {
			batch = append(batch, queryFrame(blade, 1))
		}
		rig.Machine().Inject("eth0", batch...)
		rig.Collect("eth0", len(batch))
	}
	events, lost, err := tr.Read(t.Context(), nil)
	if err != nil || len(events)+int(lost) != many || lost == 0 {
		t.Errorf("%d events and %d lost, %v: want %d, and some of them lost", len(events), lost, err, many)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := tr.Read(ctx, events); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	must(t, rig.Target().Do(target.RemovePort{Addr: blade, Interface: "eth0"}))
	if _, _, err := tr.Read(t.Context(), events); err != io.EOF {
		t.Errorf("when the address is gone: %v", err)
	}
	must(t, tr.Close())
	if _, err := rig.Target().Trace(blade); !errors.Is(err, target.ErrNoPort) {
		t.Errorf("of an address that is not there: %v", err)
	}
}

// There are only so many readers, and who closes makes room; then nothing is kept.
func TestTracesAreBounded(t *testing.T) {
	rig := serving(t)
	var open []*target.Trace
	for {
		tr, err := rig.Target().Trace(blade)
		if errors.Is(err, target.ErrTraced) {
			break
		}
		must(t, err)
		if open = append(open, tr); len(open) > 100 {
			t.Fatal("no bound")
		}
	}
	must(t, open[0].Close())
	last, err := rig.Target().Trace(blade)
	must(t, err)
	for _, tr := range append(open[1:], last) {
		must(t, tr.Close())
	}
	answers(rig, "eth0", queryFrame(blade, 1))
	if events, _, err := last.Read(t.Context(), nil); err != io.EOF {
		t.Errorf("a closed trace tells of %v, %v", events, err)
	}
}
