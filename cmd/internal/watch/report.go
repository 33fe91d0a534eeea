package watch

import (
	"encoding/json"
	"slices"
	"time"
)

// Kind is a kind of Object.
type Kind int

// The kinds of objects.
const (
	Exports Kind = iota
	Initiators
	Interfaces
	Kinds // how many there are
)

// unit is what the numbers of a column are.
type unit int

const (
	perSecond   unit = iota
	bytesSecond      // bytes a second
	nanoseconds
	plain
)

// column is a number of each row.
type column struct {
	title, key string // in a table, and in JSON
	unit       unit
	of         func(d *delta) float64
}

// table is what is shown of a kind.
type table struct {
	title                        string // and the key in JSON
	name, detail, state          string // titles of the words; empty: there is none
	nameKey, detailKey, stateKey string // of the words in JSON
	columns                      []column
}

// delta is what the counters of an object differ by between two snapshots.
type delta struct {
	seconds  float64
	now, old map[string]uint64
}

// grown is by how much a counter has grown; one that has not, but is less, began anew.
func (d *delta) grown(key string) float64 {
	now, old := d.now[key], d.old[key]
	if now < old {
		old = 0
	}
	return float64(now - old)
}

// rate is the sum of counters, a second.
func rate(keys ...string) func(*delta) float64 {
	return func(d *delta) float64 {
		sum := 0.0
		for _, key := range keys {
			sum += d.grown(key)
		}
		return sum / d.seconds
	}
}

func sectorRate(key string) func(*delta) float64 {
	return func(d *delta) float64 { return d.grown(key) * 512 / d.seconds }
}

// mean is the mean time of what was answered in between.
func mean(kind string) func(*delta) float64 {
	return func(d *delta) float64 {
		if n := d.grown(kind + "_answers"); n > 0 {
			return d.grown(kind+"_latency_ns") / n
		}
		return 0
	}
}

func present(key string) func(*delta) float64 {
	return func(d *delta) float64 { return float64(d.now[key]) }
}

var transfers = []column{
	{"R/S", "reads_per_s", perSecond, rate("read_answers")}, {"W/S", "writes_per_s", perSecond, rate("write_answers")},
	{"RMB/S", "read_bytes_per_s", bytesSecond, sectorRate("read_sectors")},
	{"WMB/S", "write_bytes_per_s", bytesSecond, sectorRate("write_sectors")},
	{"RLAT", "read_latency_ns", nanoseconds, mean("read")}, {"WLAT", "write_latency_ns", nanoseconds, mean("write")},
	{"FLAT", "flush_latency_ns", nanoseconds, mean("flush")},
}

var tables = [Kinds]table{
	Exports: {title: "exports", name: "EXPORT", detail: "DRIVE", state: "HEALTH", nameKey: "address", detailKey: "drive", stateKey: "health",
		columns: append(slices.Clone(transfers),
			column{"QUEUE", "in_flight", plain, present("in_flight")}, column{"DROP/S", "drops_per_s", perSecond, rate("dropped")},
			column{"ERR/S", "errors_per_s", perSecond, rate("errors")}, column{"HOSTS", "initiators", plain, present("initiators")})},
	Initiators: {title: "initiators", name: "INITIATOR", detail: "INTERFACE", nameKey: "mac", detailKey: "interface",
		columns: append(slices.Clone(transfers), column{"IDLE", "idle_s", plain, present("seconds_ago")})},
	Interfaces: {title: "interfaces", name: "INTERFACE", detail: "LINK", state: "STATE", nameKey: "interface", detailKey: "link", stateKey: "state",
		columns: []column{
			{"RX/S", "received_frames_per_s", perSecond, rate("received_frames")}, {"TX/S", "sent_frames_per_s", perSecond, rate("sent_frames")},
			{"RXMB/S", "received_bytes_per_s", bytesSecond, rate("received_bytes")},
			{"TXMB/S", "sent_bytes_per_s", bytesSecond, rate("sent_bytes")},
			{"DROP/S", "drops_per_s", perSecond, rate("receive_drops", "send_drops")},
			{"IGN/S", "ignored_per_s", perSecond, rate("ignored", "foreign")}, {"PORTS", "ports", plain, present("ports")}}},
}

// Row is an object with what it did in an interval.
type Row struct {
	Name, Detail, State string
	values              []float64 // of the columns of its table
}

// Report is what was done between two snapshots.
type Report struct {
	At       time.Time
	Interval time.Duration
	Rows     [Kinds][]Row
}

// Compare makes a report of two snapshots. What is not in the old one did nothing yet.
func Compare(old, now Snapshot) Report {
	r := Report{At: now.At, Interval: now.At.Sub(old.At)}
	for kind := range Kinds {
		before := make(map[[2]string]map[string]uint64, len(old.Objects[kind]))
		for _, o := range old.Objects[kind] {
			before[o.key(kind)] = o.Counters
		}
		for _, o := range now.Objects[kind] {
			was := before[o.key(kind)]
			if was == nil {
				was = o.Counters
			}
			d := delta{max(r.Interval.Seconds(), 1e-6), o.Counters, was}
			row := Row{o.Name, o.Detail, o.State, make([]float64, len(tables[kind].columns))}
			for i, c := range tables[kind].columns {
				row.values[i] = c.of(&d)
			}
			r.Rows[kind] = append(r.Rows[kind], row)
		}
	}
	return r
}

// key tells objects apart: an initiator may be on two interfaces.
func (o *Object) key(kind Kind) [2]string {
	if kind == Initiators {
		return [2]string{o.Name, o.Detail}
	}
	return [2]string{o.Name}
}

// MarshalJSON has an object for each row, with the keys that docs/watch.md lists.
func (r Report) MarshalJSON() ([]byte, error) {
	all := map[string]any{"time": r.At.UTC().Format(time.RFC3339Nano), "interval_s": r.Interval.Seconds()}
	for kind, t := range tables {
		rows := make([]map[string]any, 0, len(r.Rows[kind]))
		for _, row := range r.Rows[kind] {
			m := map[string]any{t.nameKey: row.Name, t.detailKey: row.Detail}
			if t.stateKey != "" {
				m[t.stateKey] = row.State
			}
			for i, c := range t.columns {
				m[c.key] = row.values[i]
			}
			rows = append(rows, m)
		}
		all[t.title] = rows
	}
	return json.Marshal(all)
}
