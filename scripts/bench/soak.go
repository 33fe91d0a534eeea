package main

import (
	"fmt"
	"io"
	"math"
	"time"
)

// soak is a long run at full load, and what our memory did.
type soak struct {
	Load    load     `json:"load"`
	IOPS    float64  `json:"iops"`
	Samples []sample `json:"samples"`
	Grew    bool     `json:"grew"`
}

// sample is our memory at one moment.
type sample struct {
	Seconds float64 `json:"seconds"`
	footprint
}

// soakLoad is the fullest: reads and writes, as many as the window takes.
var soakLoad = load{RW: "randrw", Block: "4k", Depth: 64}

func (b *bench) soak(w io.Writer) error {
	s, err := onDisks(ours, "", disks{1, oneExport, false}).start(b.rig, 0)
	if err != nil {
		return err
	}
	defer s.stop()
	client, err := b.rig.start(&b.rig.clients, b.rig.aoebenchArgs(s, soakLoad, b.o.soak+time.Hour, 0)...)
	if err != nil {
		return err
	}
	result := &soak{Load: soakLoad}
	began, every := time.Now(), min(time.Minute, b.o.soak/5)
	fmt.Fprintf(w, "%8s  %12s  %12s\n", "after", "resident", "Go heap")
	for time.Since(began) < b.o.soak {
		if err := b.rig.pause(min(every, max(b.o.soak-time.Since(began), 0))); err != nil {
			return err
		}
		if err := client.ended(); err != nil {
			return err
		}
		f, err := memoryOf(s.processes[0].pid())
		if err != nil {
			return err
		}
		result.Samples = append(result.Samples, sample{time.Since(began).Seconds(), f})
		fmt.Fprintf(w, "%8s  %12s  %12s\n", time.Since(began).Round(every/10), mib(f.RSS), mib(f.Heap))
	}
	if result.IOPS, err = stopNeighbour(client); err != nil {
		return err
	}
	result.Grew = grew(result.Samples)
	fmt.Fprintf(w, "%.0f I/Os a second; memory %s\n", result.IOPS, map[bool]string{false: "did not grow", true: "GREW"}[result.Grew])
	b.report.Soak = result
	return nil
}

// What may come and go without being growth: the garbage collector's breath.
const (
	slackShare = 0.10
	slackBytes = 2 << 20
)

// grew reports whether the last third of the samples takes more than the first.
func grew(samples []sample) bool {
	third := (len(samples) + 2) / 3
	if third == 0 {
		return false
	}
	middle := func(part []sample, of func(sample) int64) float64 {
		var values []float64
		for _, s := range part {
			values = append(values, float64(of(s)))
		}
		return median(values)
	}
	for _, of := range []func(sample) int64{func(s sample) int64 { return s.RSS }, func(s sample) int64 { return s.Heap }} {
		first, last := middle(samples[:third], of), middle(samples[len(samples)-third:], of)
		if last-first > math.Max(slackShare*first, slackBytes) {
			return true
		}
	}
	return false
}
