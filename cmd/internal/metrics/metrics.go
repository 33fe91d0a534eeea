// Package metrics shows what the daemon does to Prometheus.
//
//	scrape ─▶ Server ─▶ collector ─▶ Source, asked once a scrape
//
// Nothing is counted here: a scrape reads the counters that workers keep anyway. Labels
// are the names of exports, drives and interfaces, which the administrator gives, and
// words of fixed lists; initiators are counted, never named, as whoever sends frames
// makes those up.
package metrics

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vbladefs/target"
)

// Source is what a collector asks; target.Target is one.
type Source interface {
	Exports(each func(int, *target.Latencies)) []target.ExportInfo
	Interfaces() []target.InterfaceInfo
	Clients(netif string) []target.Client
}

// collector makes metrics of a Source.
type collector struct {
	source  Source
	version string
	// each has histograms for each export, too.
	each bool
}

// Describe sends what there may be.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		descs <- d
	}
}

// Collect asks the source once, and sends what it says.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	s := sink{metrics}
	s.gauge(buildInfo, 1, c.version, runtime.Version())
	var all target.Latencies
	var latencies []target.Latencies
	list := c.source.Exports(func(_ int, l *target.Latencies) {
		all.Add(l)
		latencies = append(latencies, *l)
	})
	count := [3]float64{}
	for i := range list {
		count[list[i].Health]++
		s.export(&list[i], &latencies[i], c.each)
	}
	for health, n := range count {
		s.gauge(exports, n, target.Health(health).String())
	}
	for kind := range target.Transfers {
		s.histogram(requestDuration, &all[kind], 1, kind.String())
	}
	for _, netif := range c.source.Interfaces() {
		s.netif(&netif, c.source.Clients(netif.Name))
	}
}

// sink makes metrics of numbers.
type sink struct{ metrics chan<- prometheus.Metric }

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v uint64, labels ...string) {
	s.metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// exportStep makes one bucket of so many in the histograms of exports, of which there may be thirty thousand.
const exportStep = 4

// histogram shows one bucket in step of all but the last, which is that without a bound, with those between in it.
func (s sink) histogram(d *prometheus.Desc, l *target.Latency, step int, labels ...string) {
	buckets, sum := make(map[float64]uint64, target.LatencyBuckets), uint64(0)
	for i, n := range l.Counts[:target.LatencyBuckets-1] {
		sum += n
		if i%step == 0 {
			buckets[target.LatencyBound(i).Seconds()] = sum
		}
	}
	s.metrics <- prometheus.MustNewConstHistogram(d, l.Count(), l.Sum.Seconds(), buckets, labels...)
}

func (s sink) export(e *target.ExportInfo, l *target.Latencies, each bool) {
	name, drive, st := "e"+e.Addr.String(), valid(e.Drive), &e.Stats
	s.gauge(exportUp, truth(e.Health != target.HealthDown), name, drive)
	s.gauge(exportHealthy, truth(e.Health == target.HealthOK), name, drive)
	s.gauge(exportSize, float64(e.Sectors)*512, name, drive)
	s.gauge(exportPorts, float64(e.Ports), name, drive)
	s.gauge(exportPortsUp, float64(e.Up), name, drive)
	s.gauge(exportBuffers, float64(e.Buffers), name, drive)
	s.gauge(exportInFlight, float64(st.InFlight), name, drive)
	s.gauge(exportInitiators, float64(e.Hosts), name, drive)
	s.gauge(exportConflicts, float64(e.Conflicts), name, drive)
	s.counter(exportRequests, st.Reads, name, drive, "read")
	s.counter(exportRequests, st.Writes, name, drive, "write")
	s.counter(exportRequests, st.Others, name, drive, "other")
	s.counter(exportBytes, st.ReadSectors*512, name, drive, "read")
	s.counter(exportBytes, st.WriteSectors*512, name, drive, "write")
	s.counter(exportErrors, st.ATAErrors, name, drive, "ata")
	s.counter(exportErrors, st.Errors-min(st.ATAErrors, st.Errors), name, drive, "aoe")
	s.counter(exportDropped, st.Full, name, drive, "buffers")
	s.counter(exportDropped, st.Dropped-min(st.Full, st.Dropped), name, drive, "other")
	for kind := range target.Transfers {
		k := &l[kind]
		s.metrics <- prometheus.MustNewConstSummary(exportDuration, k.Count(), k.Sum.Seconds(), nil, name, drive, kind.String())
		if each && k.Count() > 0 {
			s.histogram(exportLatency, k, exportStep, name, drive, kind.String())
		}
	}
}

func (s sink) netif(n *target.InterfaceInfo, clients []target.Client) {
	name, lately := valid(n.Name), 0
	for _, c := range clients {
		if time.Since(c.Last) < time.Minute {
			lately++
		}
	}
	s.gauge(netifUp, truth(n.Up), name)
	s.gauge(netifMTU, float64(n.MTU), name)
	s.gauge(netifPorts, float64(n.Ports), name)
	s.gauge(netifWorkers, float64(n.Workers), name)
	s.gauge(netifInitiators, float64(lately), name)
	s.counter(netifFrames, n.Received.Frames, name, "received")
	s.counter(netifFrames, n.Sent.Frames, name, "sent")
	s.counter(netifBytes, n.Received.Bytes, name, "received")
	s.counter(netifBytes, n.Sent.Bytes, name, "sent")
	s.counter(netifBatches, n.Received.Batches, name, "received")
	s.counter(netifBatches, n.Sent.Batches, name, "sent")
	s.counter(netifDropped, n.ReceiveDrops, name, "received")
	s.counter(netifDropped, n.SendDrops, name, "sent")
	s.counter(netifIgnored, n.Ignored, name, "malformed")
	s.counter(netifIgnored, n.Foreign, name, "address")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// valid is s as a label may be.
func valid(s string) string { return strings.ToValidUTF8(s, "?") }
