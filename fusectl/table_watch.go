package fusectl

import (
	"time"

	"vbladefs/compat/native"
	"vbladefs/target"
)

// This file has the files for those who watch what is exported: everything at once, for
// programs that look at thousands of exports, and what one export takes and does.

var statusFile = &file{
	name: "status", about: "whether each address is well; `vbladefs status` makes an exit code of it", long: true,
	gives: "ADDRESS ok|degraded|down DRIVE [REASON], a line an address",
	read:  func(t *tree, _ subject) ([]byte, bool) { return native.ListStatus(t.engine.Exports(nil)), true },
}

var exportStatsFile = &file{
	name: "stats", about: "the counters of all addresses", long: true,
	gives: "ADDRESS NAME=VALUE..., a line an address",
	read: func(t *tree, _ subject) ([]byte, bool) {
		var latencies []target.Latencies
		exports := t.engine.Exports(func(_ int, l *target.Latencies) { latencies = append(latencies, *l) })
		return native.ListExportStats(exports, latencies), true
	},
}

var latencyFile = &file{
	name: "latency", about: "how long reads, writes and flushes took, from frame to reply", long: true,
	gives: "OPERATION NAME VALUE, a line each: count, sum_ns, mean_ns, pN_ns, and of each bucket to_TIME_ns how many took no longer, and longer than those of the one before",
	read: func(t *tree, s subject) ([]byte, bool) {
		all, ok := t.engine.Latencies(s.addr)
		return native.ListLatencies(&all), ok
	},
}

var traceFile = &file{
	name: "trace", about: "records the last requests to the address, until the export goes; not saved; for root alone", private: true,
	takes: []string{native.TraceGrammar}, value: true,
	gives: "TIME MAC INTERFACE OPERATION LBA SECTORS OUTCOME MICROSECONDS, a line a request; tail -f works",
	parse: func(_ *tree, s subject, line, _ string) (target.Operation, error) {
		return native.ParseTrace(s.addr, line)
	},
	trace: func(t *tree, s subject) (*target.Trace, bool) { return t.engine.Trace(s.addr) },
}

var clientsFile = &file{
	name: "initiators", about: "initiators that read or wrote over it, latest first, up to 256 for each worker", long: true,
	gives: "MAC NAME=VALUE..., a line a host",
	read: func(t *tree, s subject) ([]byte, bool) {
		_, ok := t.engine.Interface(s.netif)
		return native.ListClients(t.engine.Clients(s.netif), time.Now()), ok
	},
}
