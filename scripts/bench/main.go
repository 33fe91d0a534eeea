// Command bench measures vbladefs against other AoE targets and against what the
// machine can do, on one machine and in one run. `make bench`,
// `make bench-disk` and `make bench-control` build and run it.
//
//	rig: network and mount namespace of its own, veth pairs, files in memory
//	  └ group by group, round by round: start the contenders, measure them in turn, stop them
//	       └ aoebench on the last processor, the target on the first
//	  └ medians and ratios ─▶ table, JSON, plot
//
// The speed of a machine drifts from minute to minute, so only figures of one
// run may be compared, and what counts is their ratio. It needs root and touches
// no network and, but for -disk, no disk; nothing is left behind, but the file of
// -disk when it is killed (SIGKILL).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// The main goroutine keeps the main thread: it alone is in the rig's namespaces,
// and children end with the thread that started them.
func init() { runtime.LockOSThread() }

func main() {
	// Should whoever started it, such as go run, be killed, then this ends too.
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	if err == nil {
		err = o.do(ctx, stdout, stderr)
	}
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "bench: interrupted; everything it started is gone")
		return exitFailed
	}
	fmt.Fprintf(stderr, "bench: %v\n", err)
	if errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// do runs what the options ask for, and writes its reports.
func (o *options) do(ctx context.Context, stdout, stderr io.Writer) (err error) {
	files, err := openOutputs(o.json, o.plot)
	if err != nil {
		return err
	}
	defer files.close()
	r, err := newRig(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	b := &bench{o: o, rig: r, stderr: stderr, report: newReport(o, r)}
	switch {
	case o.soak > 0:
		err = b.soak(stdout)
	case o.control:
		err = b.control(stdout)
	default:
		err = b.measureAll()
	}
	if len(b.report.Measurements) > 0 { // what there is, also when it was cut short
		b.report.compare(b.groups)
		b.report.print(stdout)
	} else if err != nil {
		return err
	}
	return errors.Join(err, files.write(b.report))
}
