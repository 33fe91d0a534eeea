package main

import (
	"slices"
	"strings"
	"time"

	"vbladefs/cmd/internal/bytesize"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/aoe/initiator/ledger"
)

// result is the report of one run; --json prints it as it stands. Rates are of
// the measured time, counts of faults are of the whole run.
type result struct {
	Target struct {
		Address         string `json:"address"` // as given, if there are several
		Exports         int    `json:"exports"`
		MAC             string `json:"mac"`
		Netif           string `json:"netif"`
		Link            string `json:"link"`
		MTU             int    `json:"mtu"`
		SizeBytes       int64  `json:"size_bytes"`
		Buffers         int    `json:"buffers"`
		SectorsPerFrame int    `json:"sectors_per_frame"`
		Model           string `json:"model"`
		Serial          string `json:"serial"`
	} `json:"target"`
	Workload struct {
		RW             string  `json:"rw"`
		BlockBytes     int64   `json:"block_bytes"`
		Depth          int     `json:"depth"`
		WindowFrames   int     `json:"window_frames"`
		SpanBytes      int64   `json:"span_bytes"`
		RuntimeSeconds float64 `json:"runtime_seconds"`
		Rate           float64 `json:"rate_iops,omitempty"`
		Seed           uint64  `json:"seed"`
		Retransmit     string  `json:"retransmit"`
		Overlap        bool    `json:"overlap"`
	} `json:"workload"`
	direction
	Read  direction `json:"read"`
	Write direction `json:"write"`
	Loss  struct {
		Retransmits  uint64 `json:"retransmits"`
		Timeouts     uint64 `json:"timeouts"`
		ReceiveDrops uint64 `json:"receive_drops"`
		SendDrops    uint64 `json:"send_drops"`
		Late         uint64 `json:"late"`
		Duplicate    uint64 `json:"duplicate"`
		Unexpected   uint64 `json:"unexpected"`
	} `json:"loss"`
	Frames struct {
		Sent       uint64 `json:"sent"`
		Received   uint64 `json:"received"`
		Deviations uint64 `json:"deviations"`
	} `json:"frames"`
	Errors struct {
		Total     uint64            `json:"total"`
		Malformed uint64            `json:"malformed"`
		ATA       uint64            `json:"ata"`
		AoE       uint64            `json:"aoe"`
		AoECodes  map[string]uint64 `json:"aoe_codes,omitempty"`
		First     []string          `json:"first,omitempty"`
	} `json:"errors"`
	Verify    *verification `json:"verify,omitempty"`
	TargetCPU *targetCPU    `json:"target_cpu,omitempty"`
	// BenchBusy is the share of the measured time that aoebench had work: at 1
	// it is the bottleneck.
	BenchBusy   float64 `json:"bench_busy"`
	Interrupted bool    `json:"interrupted"`
	OK          bool    `json:"ok"`
}

// direction is the speed of reads, writes or both.
type direction struct {
	IOs     uint64   `json:"ios"`
	IOPS    float64  `json:"iops"`
	MBs     float64  `json:"mb_per_second"` // of 10^6 bytes
	Latency *latency `json:"latency_us,omitempty"`
}

// latency is in microseconds.
type latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

type verification struct {
	Checked uint64             `json:"sectors_checked"`
	Unknown uint64             `json:"sectors_unknown"` // of them, not written by this run
	Bad     uint64             `json:"bad_sectors"`
	Kinds   map[string]uint64  `json:"bad_kinds,omitempty"`
	First   []ledger.BadSector `json:"first_bad,omitempty"`
}

type targetCPU struct {
	PID     int     `json:"pid"` // the first
	NsPerIO float64 `json:"ns_per_io"`
	Cores   float64 `json:"cores"` // busy on average
}

func (b *bench) result() *result {
	r := &result{}
	elapsed := b.after.at - b.before.at
	r.describe(b, elapsed)
	var all histogram
	all.merge(&b.m.reads)
	all.merge(&b.m.writes)
	r.direction = speed(&all, elapsed, b.o.block)
	r.Read, r.Write = speed(&b.m.reads, elapsed, b.o.block), speed(&b.m.writes, elapsed, b.o.block)
	r.count(b)
	r.Verify = b.verification()
	if elapsed > 0 {
		r.BenchBusy = 1 - float64(b.after.spun-b.before.spun)/float64(elapsed)
	}
	if len(b.o.pids) > 0 && b.cpuErr == nil && all.count > 0 && elapsed > 0 {
		cpu := b.after.cpu - b.before.cpu
		r.TargetCPU = &targetCPU{PID: b.o.pids[0], NsPerIO: float64(cpu) / float64(all.count), Cores: float64(cpu) / float64(elapsed)}
	}
	r.Interrupted = b.stop.Load()
	r.OK = r.Errors.Total == 0 && r.Errors.Malformed == 0 && all.count > 0 && (r.Verify == nil || r.Verify.Bad == 0)
	return r
}

func (r *result) describe(b *bench, elapsed time.Duration) {
	x := b.exports[0]
	t, w := &r.Target, &r.Workload
	t.Address, t.Exports, t.MAC, t.Netif, t.Link = x.Addr.String(), len(b.exports), x.MAC.String(), b.o.netif, b.link.Kind()
	if t.Exports > 1 {
		t.Address = strings.TrimPrefix(b.o.exports, "e")
	}
	t.SizeBytes, t.Buffers, t.SectorsPerFrame = x.Size(), x.Buffers, x.SectorsPerFrame
	t.Model, t.Serial = x.Identity.Model, x.Identity.Serial
	w.RW, w.BlockBytes, w.Depth, w.WindowFrames = b.o.rw, int64(b.o.block), b.o.depth, b.window()
	w.SpanBytes, w.RuntimeSeconds, w.Rate = int64(b.blocks)*int64(b.o.block), elapsed.Seconds(), b.o.rate
	w.Seed, w.Retransmit, w.Overlap = b.o.seed, b.o.retransmit.String(), b.o.overlap
}

// window is the most frames that may be outstanding.
func (b *bench) window() int {
	if b.o.window > 0 {
		return b.o.window
	}
	fewest := slices.MinFunc(b.exports, func(x, y *initiator.Export) int { return x.Buffers - y.Buffers })
	return max(fewest.Buffers, 1)
}

// frames is how many frames one I/O takes.
func (b *bench) frames() int {
	return (int(b.o.block)/aoe.SectorSize + b.exports[0].SectorsPerFrame - 1) / b.exports[0].SectorsPerFrame
}

func speed(h *histogram, elapsed time.Duration, block bytesize.Size) direction {
	d := direction{IOs: h.count}
	if h.count == 0 || elapsed <= 0 {
		return d
	}
	us := func(v time.Duration) float64 { return float64(v) / 1e3 }
	d.IOPS = float64(h.count) / elapsed.Seconds()
	d.MBs = d.IOPS * float64(block) / 1e6
	d.Latency = &latency{Mean: us(h.mean()), P50: us(h.percentile(0.5)), P99: us(h.percentile(0.99)),
		P999: us(h.percentile(0.999)), Max: us(h.max)}
	return d
}

func (r *result) count(b *bench) {
	c := b.engine.Counters()
	r.Frames.Sent, r.Frames.Received, r.Frames.Deviations = c.Sent, c.Received, c.Deviations
	l := &r.Loss
	l.Retransmits, l.Timeouts, l.Late, l.Duplicate, l.Unexpected = c.Retransmits, c.Timeouts, c.Late, c.Duplicate, c.Unexpected
	l.ReceiveDrops, l.SendDrops = b.link.ReceiveDrops(), b.link.SendDrops()
	e := &r.Errors
	e.Total, e.Malformed, e.ATA, e.AoE, e.First = b.m.errors, c.Malformed, c.ATAErrors, c.AoEErrorTotal(), b.m.first
	for code, n := range c.AoEErrors {
		if n > 0 {
			if e.AoECodes == nil {
				e.AoECodes = map[string]uint64{}
			}
			e.AoECodes[aoe.ErrorCode(code).String()] = n
		}
	}
}

func (b *bench) verification() *verification {
	l := b.ledger
	if l == nil {
		return nil
	}
	v := &verification{Checked: l.Checked, Unknown: l.Unknown, Bad: l.BadTotal(), First: l.Reports}
	for k, n := range l.Bad {
		if n > 0 {
			if v.Kinds == nil {
				v.Kinds = map[string]uint64{}
			}
			v.Kinds[ledger.BadNames[k]] = n
		}
	}
	return v
}
