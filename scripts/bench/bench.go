package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// bench runs the groups.
type bench struct {
	o      *options
	rig    *rig
	stderr io.Writer
	report *report
	groups []group

	total, done int // measurements
	began       time.Time
}

// measureAll takes every measurement. A group that fails is left out from then
// on, and its measurements are forgotten; its error is returned in the end.
func (b *bench) measureAll() error {
	vblade, err := find("vblade", "client")
	if err != nil {
		return err
	}
	if b.o.disk {
		if _, err := find("fio", "bench-disk"); err != nil {
			return err
		}
	}
	b.groups, b.began = b.o.groups(vblade), time.Now()
	for _, g := range b.groups {
		b.total += b.o.rounds * len(g.rows) * len(g.contenders)
	}
	fmt.Fprintf(b.stderr, "bench: %d measurements of %g s in %d rounds\n", b.total, b.o.seconds, b.o.rounds)
	if !b.o.disk {
		if b.report.Memory, err = b.rig.idleMemory(); err != nil {
			return fmt.Errorf("memory of the idle daemon: %w", err)
		}
	}
	var failed error
	for round := 1; round <= b.o.rounds; round++ {
		for _, g := range slices.Clone(b.groups) {
			err := b.round(g, round)
			switch {
			case err == nil:
			case b.rig.ctx.Err() != nil:
				return err
			default:
				err = fmt.Errorf("group %s, round %d: %w", g.name, round, err)
				fmt.Fprintf(b.stderr, "bench: %v\nbench: going on without group %s\n", err, g.name)
				b.drop(g)
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}

// drop leaves a group out.
func (b *bench) drop(g group) {
	b.groups = slices.DeleteFunc(b.groups, func(o group) bool { return o.name == g.name })
	b.report.Measurements = slices.DeleteFunc(b.report.Measurements, func(m measurement) bool {
		return slices.ContainsFunc(g.rows, func(r row) bool { return r.name == m.Row })
	})
	b.done = len(b.report.Measurements)
	b.total = 0
	for _, left := range b.groups {
		b.total += b.o.rounds * len(left.rows) * len(left.contenders)
	}
}

// round starts the contenders of a group, measures them in turn, row by row, and
// stops them. Those that are not measured sleep.
func (b *bench) round(g group, round int) error {
	running := make([]*served, len(g.contenders))
	defer func() {
		for _, s := range slices.Backward(running) {
			if s != nil {
				s.stop()
			}
		}
	}()
	for i, c := range g.contenders {
		s, err := c.start(b.rig, i)
		if err != nil {
			return fmt.Errorf("starting %s: %w", c.name, err)
		}
		running[i] = s
	}
	for _, row := range g.rows {
		for n := range g.contenders {
			i := n
			if round%2 == 0 { // nobody is always the first
				i = len(g.contenders) - 1 - n
			}
			if err := b.one(row, g.contenders[i].name, running[i], round); err != nil {
				return fmt.Errorf("%s, %s: %w", row.name, g.contenders[i].name, err)
			}
		}
	}
	return nil
}

// one takes one measurement.
func (b *bench) one(row row, name string, s *served, round int) error {
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	m, err := b.rig.measure(s, row.load, b.o.seconds)
	if s.after != nil {
		after := s.after()
		if err == nil {
			err = after
		}
	}
	if err != nil {
		return err
	}
	m.Row, m.Contender, m.Round, m.Load = row.name, name, round, row.load
	b.report.Measurements = append(b.report.Measurements, m)
	b.done++
	left := time.Since(b.began) * time.Duration(b.total-b.done) / time.Duration(b.done)
	fmt.Fprintf(b.stderr, "%3d/%d  round %d/%d  %-28s %-16s %8.0f IOPS  p50 %7.1f µs  p99 %7.1f µs  %5.2f µs CPU   %v left\n",
		b.done, b.total, round, b.o.rounds, row.name, name, m.IOPS, m.P50, m.P99, m.CPU, left.Round(time.Second))
	return nil
}
