package native

import (
	"math"
	"strings"
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

func TestListStatus(t *testing.T) {
	got := string(ListStatus([]target.ExportInfo{
		{Addr: aoe.Addr{Slot: 1}, Drive: "a"},
		{Addr: aoe.Addr{Shelf: 1, Slot: 2}, Drive: "b", Health: target.HealthDown, Reason: "drive b is down: no\nfile"},
	}))
	if want := "e0.1 ok a\ne1.2 down b drive b is down: no?file\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestListExportStats(t *testing.T) {
	var l target.Latencies
	l[target.WriteTransfer] = target.Latency{Sum: 7}
	l[target.WriteTransfer].Counts[3] = 2
	got := string(ListExportStats([]target.ExportInfo{{Addr: aoe.Addr{Slot: 1}, Drive: "a", Ports: 2, Up: 1, Health: target.HealthDegraded,
		Stats: target.Stats{Reads: 5, Full: 9}}}, []target.Latencies{l}))
	want := "e0.1 drive=a health=degraded ports=2 up=1 sectors=0 buffers=0 initiators=0 conflicts=0 reads=5 read_sectors=0 writes=0 " +
		"write_sectors=0 others=0 errors=0 ata_errors=0 dropped=0 full=9 in_flight=0 depth=0 read_answers=0 read_latency_ns=0 " +
		"write_answers=2 write_latency_ns=7 flush_answers=0 flush_latency_ns=0\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestListLatencies(t *testing.T) {
	var all target.Latencies
	all[target.ReadTransfer].Sum = 30 * time.Microsecond
	all[target.ReadTransfer].Counts[2], all[target.ReadTransfer].Counts[target.LatencyBuckets-1] = 9, 1
	got := string(ListLatencies(&all))
	want := "read count 10\nread sum_ns 30000\nread mean_ns 3000\nread p50_ns 4000\nread p90_ns 4000\nread p99_ns 4194304000\n" +
		"read p999_ns 4194304000\nread to_4000_ns 9\nread above_2097152000_ns 1\nwrite count 0\n"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got  %q\nwant %q…", got, want)
	}
}

func TestListClients(t *testing.T) {
	now := time.Now()
	got := string(ListClients([]target.Client{{Host: aoe.MAC{2, 0, 0, 0, 0, 1}, Last: now.Add(-3 * time.Second),
		Transfers: [target.Transfers]uint64{1, 2, 3}, Times: [target.Transfers]time.Duration{4, 5, 6}, Sectors: [target.Transfers]uint64{7, 8, 0}}}, now))
	want := "02:00:00:00:00:01 seconds_ago=3 read_answers=1 read_latency_ns=4 read_sectors=7 write_answers=2 write_latency_ns=5 " +
		"write_sectors=8 flush_answers=3 flush_latency_ns=6\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAppendTrace(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	const head = "2026-01-02T03:04:05.000006Z 02:00:00:00:00:01 eth0 "
	for _, tt := range []struct {
		e    target.TraceEvent
		want string
	}{
		{target.TraceEvent{Action: "read", LBA: 8, Sectors: 2, Outcome: target.TraceDone, Took: 12345}, "read 8 2 ok 12"},
		{target.TraceEvent{Action: "write", LBA: 8, Sectors: 2, Outcome: target.TraceATAError, Code: 0x40}, "write 8 2 ata-error-0x40 -"},
		{target.TraceEvent{Action: "abort", ATA: 0xff, Outcome: target.TraceATAError, Code: 4}, "ata-0xff - - ata-error-0x04 -"},
		{target.TraceEvent{Command: aoe.CmdConfig}, "config - - silent -"},
		{target.TraceEvent{Command: aoe.CmdMaskList, Outcome: target.TraceDone}, "mask-list - - ok -"},
		{target.TraceEvent{Command: aoe.CmdReserve, Outcome: target.TraceAoEError, Code: 6}, "reserve - - aoe-error-6 -"},
		{target.TraceEvent{Command: 9, Outcome: target.TraceNoRoom}, "aoe-9 - - no-room -"},
		{target.TraceEvent{Action: "flush", Outcome: target.TraceFull}, "flush - - full -"},
	} {
		tt.e.At, tt.e.Host, tt.e.Interface = at, aoe.MAC{2, 0, 0, 0, 0, 1}, "eth0"
		if got := string(AppendTrace(nil, &tt.e)); got != head+tt.want+"\n" {
			t.Errorf("got %q, want …%q", got, tt.want)
		}
		if got, want := traceLength(&tt.e), len(head+tt.want+"\n"); got != want {
			t.Errorf("%q has length %d: want %d", tt.want, got, want)
		}
		if n := testing.AllocsPerRun(10, func() { traceLength(&tt.e) }); n != 0 {
			t.Errorf("%q: %v allocations", tt.want, n)
		}
	}
	if got := string(AppendLost(nil, 7)); got != "# 7 requests are not kept\n" {
		t.Errorf("got %q", got)
	}
	shortest := AppendTrace(nil, &target.TraceEvent{Interface: "a", Action: "read", Outcome: target.TraceDone})
	if lost := AppendLost(nil, math.MaxUint64); len(lost) > len(shortest) { // or a file would be longer than it says
		t.Errorf("%q is longer than %q", lost, shortest)
	}
}

func TestParseTrace(t *testing.T) {
	for _, tt := range []struct {
		value    string
		requests int
	}{{"1\n", target.DefaultTraceRequests}, {"1 1", 1}, {"1\t0x10\n", 16}, {"1 65536", 65536}, {"0", 0}, {" 0 \n", 0}} {
		op, err := ParseTrace(addr, tt.value)
		got, _ := op.(target.SetTrace)
		if err != nil || got.Addr != addr || got.Requests != tt.requests || (got.Length == nil) != (tt.requests == 0) {
			t.Errorf("%q: %+v, %v", tt.value, op, err)
		}
	}
	parse := func(value string) (target.Operation, error) { return ParseTrace(addr, value) }
	testParse(t, parse, []parseTest{
		{line: "", column: 1, reason: "nothing written: want 1 [REQUESTS]"},
		{line: "on", column: 1, reason: `trace "on": want 1 [REQUESTS]`},
		{line: "2", column: 1, reason: "want 1 [REQUESTS]"},
		{line: "1 0", column: 3, reason: "want 1 to 65536"},
		{line: "1 65537", column: 3, reason: "want 1 to 65536"},
		{line: "1 2 3", column: 5, reason: "one word too many"},
		{line: "0 3", column: 3, reason: "one word too many"},
	})
}
