// Command torture is the fault laboratory: it shows what the daemon makes of a
// bad network. `make torture` builds and runs it.
//
//	rig: network and mount namespace of its own, files in memory, loop devices
//	  └ trial by trial: one fault, on one setup
//	       client with a ledger ── faultnet.Wire ── daemon ── disk between two guards
//	  └ report: frames, faults, what was verified, errors (0), the longest stall
//
// It needs root, touches no network of the machine, and leaves nothing, even
// when it is killed, but a loop device of the trial that was on.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// Should whoever started it, such as go run, be killed, then this ends too.
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "torture: %v\n", err)
		return exitUsage
	}
	bad, err := o.do(ctx, stdout)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "torture: %v\n", err)
	case bad > 0:
		fmt.Fprintf(stderr, "torture: %d errors: see above\n", bad)
	default:
		return exitOK
	}
	return exitFailed
}

var errInterrupted = errors.New("interrupted; everything it started is gone")

// do runs the trials that the options ask for and prints the report.
func (o *options) do(ctx context.Context, w io.Writer) (bad uint64, err error) {
	fmt.Fprintf(w, "seed %d, %v a trial\n\n", o.seed, o.lasts)
	report := newReport(w)
	for round := range o.rounds {
		for i, t := range faults {
			if ctx.Err() != nil {
				return report.bad, errInterrupted
			}
			if o.only != nil && !o.only.MatchString(t.name) {
				continue
			}
			t.on = t.setupOf(i + round)
			report.add(t.run(o.program, o.lasts, o.seed+uint64(round)))
		}
	}
	report.end()
	if err = o.staleCopies(ctx, report); err == nil {
		err = o.successions(ctx, report)
	}
	if err == nil {
		err = o.powerCuts(ctx, report)
	}
	if err == nil {
		err = o.soaks(ctx, report)
	}
	return report.bad, err
}

// powerCuts does the trials of power cuts.
func (o *options) powerCuts(ctx context.Context, r *report) error {
	if o.cuts == 0 {
		return nil
	}
	beginCuts(r.w)
	for _, on := range cutSetups {
		if ctx.Err() != nil {
			return errInterrupted
		}
		c := on.run(o.program, o.cuts, o.seed, on.keeps, false)
		printCut(r.w, c)
		r.bad += c.bad()
	}
	return nil
}

// staleCopies does the stale-duplicate test on each of its setups.
func (o *options) staleCopies(ctx context.Context, r *report) error {
	if o.stale == 0 {
		return nil
	}
	r.beginStale()
	for _, on := range staleSetups {
		if ctx.Err() != nil {
			return errInterrupted
		}
		if on.together = o.together; o.together && on.lines < 2 {
			continue
		}
		began := time.Now()
		s, err := runStale(o.program, on, o.stale, o.seed)
		r.addStale(on, s, err, time.Since(began))
	}
	return nil
}
