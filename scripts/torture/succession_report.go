package main

import (
	"context"
	"fmt"
	"io"
)

const (
	crashHead    = "%-28s %6s %9s %10s %10s %12s %8s %6s %7s %9s\n"
	crashLine    = "%-28s %6d %8.2fs %10d %10d %12d %8d %6d %7d %8.2fs\n"
	takeoverHead = "%-28s %6s %9s %10s %10s %12s %8s %6s %7s %9s\n"
	takeoverLine = "%-28s %6d %9d %10d %10d %12d %8d %6d %7d %8.3fs\n"
)

// successions does the trials in which one daemon follows the other.
func (o *options) successions(ctx context.Context, r *report) error {
	for _, table := range []struct {
		rows  []succession
		times int
		begin func(io.Writer)
		print func(io.Writer, *succession)
	}{{crashes, o.crashes, beginCrashes, printCrash}, {takeovers, o.takeovers, beginTakeovers, printTakeover}} {
		if table.times == 0 {
			continue
		}
		table.begin(r.w)
		for _, row := range table.rows {
			if ctx.Err() != nil {
				return errInterrupted
			}
			s := row.run(o.program, table.times, o.seed)
			table.print(r.w, s)
			if s.outcome.slowest != "" {
				fmt.Fprintf(r.w, "    %s\n", s.outcome.slowest)
			}
			for _, what := range s.outcome.errors {
				fmt.Fprintf(r.w, "    %s\n", what)
			}
			if s.outcome.err != nil {
				fmt.Fprintf(r.w, "    %v\n", s.outcome.err)
			}
			r.bad += s.bad()
		}
	}
	return nil
}

func beginCrashes(w io.Writer) {
	fmt.Fprintf(w, "\nkill -9 at any moment under load, and a start from the state: no acknowledged write is lost, no request fails\n")
	fmt.Fprintf(w, crashHead, "export", "kills", "back in", "writes", "reads", "bytes", "resent", "lost", "errors", "stall")
}

func printCrash(w io.Writer, s *succession) {
	o := s.outcome
	fmt.Fprintf(w, crashLine, s.name, s.times, s.back.Seconds(), o.writes, o.reads, o.checked, o.resent, s.lost, s.bad(), o.stall.Seconds())
}

func beginTakeovers(w io.Writer) {
	fmt.Fprintf(w, "\ntake-overs under load: no request fails or waits long, and the tree is always there\n")
	fmt.Fprintf(w, takeoverHead, "next daemon", "times", "tree away", "writes", "reads", "bytes", "resent", "lost", "errors", "longest")
}

func printTakeover(w io.Writer, s *succession) {
	o := s.outcome
	fmt.Fprintf(w, takeoverLine, s.name, s.times, s.away, o.writes, o.reads, o.checked, o.resent, s.lost, s.bad(), o.stall.Seconds())
}
