package main

import (
	"fmt"
	"io"
	"time"

	"vbladefs/scripts/torture/faultnet"
)

// report prints a line for each trial as it ends, and one for all of them.
//
// Frames are those that came into the wires, whichever the direction; faults are
// those that happened to them, and transfers that the disk failed or delayed. Operations are reads and writes that were done,
// and every byte that was read, on the way and from the disk at the end, was
// checked. Refused are requests that were made again since a damaged frame or the
// disk made an ATA error or a malformed reply of them; resent are frames. Errors are what
// must not be: a wrong sector, a request that failed, a byte changed outside the
// export, a daemon that ended. Where any bit may be wrong, contents cannot be
// checked: what lies around the export is.
type report struct {
	w      io.Writer
	bad    uint64
	trials int
	total  outcome
}

const (
	reportHead = "%-22s %10s %10s %10s %12s %8s %8s %7s %9s\n"
	reportLine = "%-22s %10d %10d %10d %12d %8d %8d %7d %8.2fs\n"
)

func newReport(w io.Writer) *report {
	fmt.Fprintf(w, reportHead, "fault", "frames", "faults", "operations", "bytes", "refused", "resent", "errors", "stall")
	return &report{w: w}
}

func (r *report) add(o *outcome) {
	r.print(o)
	fmt.Fprintf(r.w, "    on %v\n", o.on)
	for _, e := range o.errors {
		fmt.Fprintf(r.w, "    %s\n", e)
	}
	if o.err != nil {
		fmt.Fprintf(r.w, "    %v\n", o.err)
	}
	r.trials++
	r.bad += o.bad()
	t := &r.total
	t.reads, t.writes, t.refused, t.resent = t.reads+o.reads, t.writes+o.writes, t.refused+o.refused, t.resent+o.resent
	t.checked, t.failed, t.stall = t.checked+o.checked, t.failed+o.bad(), max(t.stall, o.stall)
	t.counts, t.disks = t.counts.Add(o.counts), t.disks+o.disks
}

func (r *report) print(o *outcome) {
	fmt.Fprintf(r.w, reportLine, o.name, o.counts.Frames, o.counts.Injected()+o.disks, o.reads+o.writes, o.checked, o.refused, o.resent, o.bad(), o.stall.Seconds())
}

// end prints the sums, and what the wires did in all.
func (r *report) end() {
	r.total.name = fmt.Sprintf("%d trials", r.trials)
	r.print(&r.total)
	fmt.Fprintf(r.w, "\n%s\n", describeCounts(r.total.counts))
}

func describeCounts(c faultnet.Counts) string {
	return fmt.Sprintf("of the frames %d were lost, %d repeated, %d delayed, %d reordered, %d truncated, %d damaged; %d were dropped "+
		"since they would have been held too long, and the longest was held for %v", c.Lost, c.Repeated, c.Delayed, c.Reordered,
		c.Truncated, c.Damaged, c.Late, c.Held.Round(time.Millisecond))
}

func (r *report) beginStale() {
	fmt.Fprintf(r.w, "\nno stale copy of a write may take effect: each round a write sent twice, a newer one, a read (INITIATORS §8.9)\n"+
		"%-52s %10s %10s %8s %7s %8s\n", "setup", "rounds", "crossed", "resent", "errors", "time")
}

// addStale prints what a stale-duplicate test showed. Crossed are rounds whose
// two copies took two interfaces.
func (r *report) addStale(on staleSetup, s *stale, err error, took time.Duration) {
	bad := 0
	if err != nil {
		bad = 1
		r.bad++
	}
	fmt.Fprintf(r.w, "%-52s %10d %10d %8d %7d %7.0fs\n", on, s.rounds, s.crossed, s.resent, bad, took.Seconds())
	if on.together {
		fmt.Fprintf(r.w, "    both copies at once: %d rounds showed an older write\n", s.stale)
	}
	if err != nil {
		fmt.Fprintf(r.w, "    %v\n", err)
	}
}

func (s staleSetup) String() string {
	return fmt.Sprintf("%s %s, %d interfaces, transfers up to %v", s.io, s.cache, s.lines, s.slowest)
}
