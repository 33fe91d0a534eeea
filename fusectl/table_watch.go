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
	name: "trace", about: "each request while it is read, which waits for the next: cat it; for root alone", private: true,
	gives: "TIME MAC INTERFACE OPERATION LBA SECTORS OUTCOME MICROSECONDS, a line a request",
	open: func(t *tree, s subject) (stream, error) {
		trace, err := t.engine.Trace(s.addr)
		if err != nil {
			return nil, err
		}
		return &traceStream{trace: trace}, nil
	},
}

var clientsFile = &file{
	name: "initiators", about: "initiators that read or wrote over it, latest first, up to 256 for each worker", long: true,
	gives: "MAC NAME=VALUE..., a line a host",
	read: func(t *tree, s subject) ([]byte, bool) {
		_, ok := t.engine.Interface(s.netif)
		return native.ListClients(t.engine.Clients(s.netif), time.Now()), ok
	},
}
