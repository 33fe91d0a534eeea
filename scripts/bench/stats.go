package main

import (
	"math"
	"slices"
)

// figure is what is compared of measurements.
type figure string

// The figures.
const (
	iops figure = "IOPS"
	p50  figure = "p50 µs"
	p99  figure = "p99 µs"
	cpu  figure = "CPU µs"
)

func (f figure) of(m measurement) float64 {
	return map[figure]float64{iops: m.IOPS, p50: m.P50, p99: m.P99, cpu: m.CPU}[f]
}

// more reports whether a larger figure is the better one.
func (f figure) more() bool { return f == iops }

// met reports whether a ratio is as good as a limit.
func (f figure) met(ratio, limit float64) bool {
	if f.more() {
		return ratio >= limit
	}
	return ratio <= limit
}

// median is the middle of values, or the mean of the two in the middle; NaN of none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// comparison is one figure of a subject over that of a base.
type comparison struct {
	Row     string  `json:"row"`
	Figure  figure  `json:"figure"`
	Subject string  `json:"subject"`
	Base    string  `json:"against"`
	Ours    float64 `json:"median"`
	Theirs  float64 `json:"median_against"`
	Ratio   float64 `json:"ratio"` // of the medians
	Min     float64 `json:"ratio_min"`
	Max     float64 `json:"ratio_max"` // of single rounds
	Reach   *limit  `json:"reach,omitempty"`
	Aim     *limit  `json:"aim,omitempty"`
}

// limit is a ratio to be met.
type limit struct {
	Ratio float64 `json:"ratio"`
	Met   bool    `json:"met"`
}

// compareOne compares the measurements of two contenders in a row, which have the
// rounds in common.
func compareOne(all []measurement, name string, f figure, p pair) comparison {
	c := comparison{Row: name, Figure: f, Subject: p.subject, Base: p.base, Min: math.Inf(1), Max: math.Inf(-1)}
	byRound := map[int]float64{}
	var subject, base []float64
	for _, m := range all {
		if m.Row == name && m.Contender == p.base {
			byRound[m.Round] = f.of(m)
			base = append(base, f.of(m))
		}
	}
	for _, m := range all {
		if m.Row != name || m.Contender != p.subject {
			continue
		}
		subject = append(subject, f.of(m))
		if other, ok := byRound[m.Round]; ok {
			c.Min, c.Max = min(c.Min, f.of(m)/other), max(c.Max, f.of(m)/other)
		}
	}
	c.Ours, c.Theirs = median(subject), median(base)
	c.Ratio = c.Ours / c.Theirs
	return c
}

// judge holds the comparison to a goal.
func (c *comparison) judge(g goal) {
	if g.reach > 0 {
		c.Reach = &limit{g.reach, c.Figure.met(c.Ratio, g.reach)}
	}
	if g.aim > 0 {
		c.Aim = &limit{g.aim, c.Figure.met(c.Ratio, g.aim)}
	}
}
