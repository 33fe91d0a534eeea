package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// point is the median of a contender at a depth.
type point struct {
	depth     int
	iops, p99 float64
}

// curves are the points of every contender over the rows that differ in depth
// only: those of the first load, without a rate.
func (r *report) curves() (names []string, points map[string][]point) {
	points = map[string][]point{}
	rows := map[string]load{}
	var order []string
	for _, m := range r.Measurements {
		first := r.Measurements[0].Load
		if m.Load.Rate != 0 || m.Load.RW != first.RW || m.Load.Block != first.Block || !strings.Contains(m.Row, "reads, depth") {
			continue
		}
		if _, ok := rows[m.Row]; !ok {
			rows[m.Row] = m.Load
			order = append(order, m.Row)
		}
		if !slices.Contains(names, m.Contender) {
			names = append(names, m.Contender)
		}
	}
	for _, name := range names {
		for _, row := range order {
			points[name] = append(points[name], point{rows[row].Depth, r.median(row, name, iops), r.median(row, name, p99)})
		}
	}
	return names, points
}

func (r *report) median(row, contender string, f figure) float64 {
	var values []float64
	for _, m := range r.Measurements {
		if m.Row == row && m.Contender == contender {
			values = append(values, f.of(m))
		}
	}
	return median(values)
}

// script draws IOPS beside p99, each against depth.
func (r *report) script() (string, error) {
	names, points := r.curves()
	if len(names) == 0 {
		return "", fmt.Errorf("no reads at different depths were measured: leave -only out, or have it include reads")
	}
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "$curve%d << END\n", i)
		for _, p := range points[name] {
			fmt.Fprintf(&b, "%d %g %g\n", p.depth, p.iops/1000, p.p99)
		}
		b.WriteString("END\n")
	}
	title := fmt.Sprintf("%s\\n%s, medians of %d rounds of %g s", r.Machine, r.Date.Format("2006-01-02"), r.Rounds, r.Seconds)
	fmt.Fprintf(&b, "set terminal svg size 1000,430 background 'white'\nset multiplot layout 1,2 title %s\n", quote(title))
	b.WriteString("set logscale x 2\nset xlabel 'I/Os outstanding'\nset grid\nset key left top noenhanced\nset style data linespoints\n")
	panel(&b, names, "thousand random 4 KiB reads a second", "set yrange [0:*]", 2)
	panel(&b, names, "p99 latency, µs", "set logscale y\nset yrange [*:*]", 3)
	b.WriteString("unset multiplot\n")
	return b.String(), nil
}

func panel(b *strings.Builder, names []string, label, more string, column int) {
	fmt.Fprintf(b, "set ylabel '%s'\n%s\nplot ", label, more)
	for i, name := range names {
		fmt.Fprintf(b, "$curve%d using 1:%d title %s lw 2, ", i, column, quote(name))
	}
	b.WriteString("\n")
}

// quote makes a string of gnuplot's in which \n is a line break.
func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, "'", "`", "'", "@", `\\@`, "_", `\\_`).Replace(s) + `"`
}

// plot draws the picture, as SVG.
func (r *report) plot() ([]byte, error) {
	program, err := find("gnuplot", "bench")
	if err != nil {
		return nil, err
	}
	script, err := r.script()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("gnuplot: %w", err)
	}
	return out, nil
}
