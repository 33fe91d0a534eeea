package native

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// This file makes the texts for those who watch what is exported.

// ListStatus is the text of status: address, health, drive and what is not well, a line
// an address.
func ListStatus(exports []target.ExportInfo) []byte {
	var b bytes.Buffer
	for _, e := range exports {
		fmt.Fprintf(&b, "%s %s %s", FolderName(e.Addr), e.Health, text.Printable(e.Drive))
		if e.Reason != "" {
			b.WriteString(" " + text.Printable(e.Reason))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// ListExportStats is the text of stats of all addresses: an address and its NAME=VALUE,
// a line each. New names go to the end.
func ListExportStats(exports []target.ExportInfo, latencies []target.Latencies) []byte {
	b := make([]byte, 0, 512*len(exports))
	for i := range exports {
		e, s, l := &exports[i], &exports[i].Stats, &latencies[i]
		b = append(append(b, FolderName(e.Addr)...), " drive="...)
		b = append(append(b, text.Printable(e.Drive)...), " health="...)
		b = append(b, e.Health.String()...)
		for _, v := range [...]struct {
			name  string
			value uint64
		}{
			{"ports", uint64(e.Ports)}, {"up", uint64(e.Up)}, {"sectors", e.Sectors}, {"buffers", uint64(e.Buffers)},
			{"initiators", uint64(e.Hosts)}, {"conflicts", uint64(e.Conflicts)},
			{"reads", s.Reads}, {"read_sectors", s.ReadSectors}, {"writes", s.Writes}, {"write_sectors", s.WriteSectors},
			{"others", s.Others}, {"errors", s.Errors}, {"ata_errors", s.ATAErrors}, {"dropped", s.Dropped}, {"full", s.Full},
			{"in_flight", s.InFlight}, {"depth", s.Depth},
			{"read_answers", l[target.ReadTransfer].Count()}, {"read_latency_ns", uint64(l[target.ReadTransfer].Sum)},
			{"write_answers", l[target.WriteTransfer].Count()}, {"write_latency_ns", uint64(l[target.WriteTransfer].Sum)},
			{"flush_answers", l[target.FlushTransfer].Count()}, {"flush_latency_ns", uint64(l[target.FlushTransfer].Sum)},
		} {
			b = append(append(append(b, ' '), v.name...), '=')
			b = strconv.AppendUint(b, v.value, 10)
		}
		b = append(b, '\n')
	}
	return b
}

// ListLatencies is the text of latency: OPERATION NAME VALUE, a line each; of the buckets
// those that are not empty.
func ListLatencies(all *target.Latencies) []byte {
	var b bytes.Buffer
	for kind := range target.Transfers {
		l := &all[kind]
		fmt.Fprintf(&b, "%s count %d\n%[1]s sum_ns %[3]d\n%[1]s mean_ns %[4]d\n", kind, l.Count(), int64(l.Sum), int64(l.Mean()))
		for _, q := range []struct {
			name string
			q    float64
		}{{"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p999_ns", 0.999}} {
			fmt.Fprintf(&b, "%s %s %d\n", kind, q.name, int64(l.Quantile(q.q)))
		}
		for i, n := range l.Counts {
			switch {
			case n == 0:
			case i == target.LatencyBuckets-1:
				fmt.Fprintf(&b, "%s above_%d_ns %d\n", kind, int64(target.LatencyBound(i-1)), n)
			default:
				fmt.Fprintf(&b, "%s to_%d_ns %d\n", kind, int64(target.LatencyBound(i)), n)
			}
		}
	}
	return b.Bytes()
}

// ListClients is the text of the initiators of an interface at the moment now: a MAC and
// its NAME=VALUE, a line each. New names go to the end.
func ListClients(clients []target.Client, now time.Time) []byte {
	var b bytes.Buffer
	for _, c := range clients {
		fmt.Fprintf(&b, "%s seconds_ago=%d", c.Host, secondsAgo(c.Last, now))
		for _, v := range []struct {
			name string
			kind target.Transfer
		}{{"read", target.ReadTransfer}, {"write", target.WriteTransfer}, {"flush", target.FlushTransfer}} {
			fmt.Fprintf(&b, " %s_answers=%d %[1]s_latency_ns=%[3]d", v.name, c.Transfers[v.kind], int64(c.Times[v.kind]))
			if v.kind != target.FlushTransfer {
				fmt.Fprintf(&b, " %s_sectors=%d", v.name, c.Sectors[v.kind])
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}
