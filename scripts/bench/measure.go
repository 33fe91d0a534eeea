package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// load is what a row of the table does to every contender.
type load struct {
	RW    string `json:"rw"`
	Block string `json:"block"`
	Depth int    `json:"depth"`
	Rate  int    `json:"rate_iops,omitempty"` // 0 for as many as go
}

// measurement is one contender under one load, once.
type measurement struct {
	Row         string  `json:"row"`
	Contender   string  `json:"contender"`
	Round       int     `json:"round"`
	Load        load    `json:"load"`
	IOPS        float64 `json:"iops"`
	P50         float64 `json:"p50_us"`
	P99         float64 `json:"p99_us"`
	CPU         float64 `json:"cpu_us_per_io"` // of the target
	Cores       float64 `json:"target_cores"`  // busy on average
	BenchBusy   float64 `json:"bench_busy"`    // near 1, aoebench is the limit
	Retransmits uint64  `json:"retransmits"`
	Disturbed   float64 `json:"disturbed"` // share of its time that aoebench, which spins, had no processor
	Neighbour   float64 `json:"neighbour_iops,omitempty"`
}

// aoebenchReport is what we read of aoebench's report.
type aoebenchReport struct {
	IOPS    float64 `json:"iops"`
	Latency struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
	} `json:"latency_us"`
	Loss struct {
		Retransmits uint64 `json:"retransmits"`
	} `json:"loss"`
	TargetCPU struct {
		NsPerIO float64 `json:"ns_per_io"`
		Cores   float64 `json:"cores"`
	} `json:"target_cpu"`
	BenchBusy float64 `json:"bench_busy"`
}

// warmup precedes every measurement.
func warmup(seconds float64) time.Duration {
	return min(200*time.Millisecond, duration(seconds)/4)
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * 1e9) }

// aoebenchArgs is the command line of aoebench against s.
func (r *rig) aoebenchArgs(s *served, l load, runtime, warmup time.Duration) []string {
	args := []string{r.aoebench, "-i", s.netif, "-t", s.exports, "--rw", l.RW, "--bs", l.Block, "--depth", strconv.Itoa(l.Depth),
		"--runtime", runtime.String(), "--warmup", warmup.String(), "--json"}
	if l.Rate > 0 {
		args = append(args, "--rate", strconv.Itoa(l.Rate))
	}
	return args
}

// measure runs one load against s.
func (r *rig) measure(s *served, l load, seconds float64) (measurement, error) {
	for _, p := range s.processes {
		if err := p.ended(); err != nil {
			return measurement{}, err
		}
	}
	if s.measure != nil {
		return s.measure(r, l, seconds)
	}
	args := r.aoebenchArgs(s, l, duration(seconds), warmup(seconds))
	began := time.Now()
	out, cpu, err := r.output(&r.clients, append(args, "--pid", s.pids())...)
	if err != nil {
		return measurement{}, err
	}
	m, err := parseAoebench(out)
	took := time.Since(began)
	m.Disturbed = max(0, 1-float64(cpu+startup)/float64(took))
	return m, err
}

// startup is what aoebench sleeps before it spins, and tooMuch the share of a
// measurement lost to others from which the table warns.
const (
	startup = 100 * time.Millisecond
	tooMuch = 0.05
)

func parseAoebench(out []byte) (measurement, error) {
	var a aoebenchReport
	if err := json.Unmarshal(out, &a); err != nil {
		return measurement{}, fmt.Errorf("aoebench's report: %w: %s", err, out)
	}
	return measurement{IOPS: a.IOPS, P50: a.Latency.P50, P99: a.Latency.P99, CPU: a.TargetCPU.NsPerIO / 1e3,
		Cores: a.TargetCPU.Cores, BenchBusy: a.BenchBusy, Retransmits: a.Loss.Retransmits}, nil
}
