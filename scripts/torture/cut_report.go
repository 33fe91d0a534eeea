package main

import (
	"fmt"
	"io"

	"vbladefs/scripts/torture/powercut"
)

// The columns: what was answered; the writes and the flushes that reached the disk;
// the moments at which the power fails; the versions of sectors that this could
// leave, all of which were checked, and how many of one sector at most; torn
// ones among them, which are errors, too, except where writes go through the kernel's page
// cache. Errors are versions that must not be found, and answers of IDENTIFY that are not true.
const (
	cutHead = "%-24s %9s %8s %8s %10s %10s %9s %10s %6s %6s %7s\n"
	cutLine = "%-24s %9d %8d %8d %10d %10d %9d %10d %6d %6d %7d\n"
)

func beginCuts(w io.Writer) {
	fmt.Fprintf(w, "\nat every moment the power may fail: nothing that was promised is lost\n")
	fmt.Fprintf(w, cutHead, "export", "writes", "flushes", "identify", "on disk", "flushed", "moments", "versions", "most", "torn", "errors")
}

func printCut(w io.Writer, c *cut) {
	q := &c.Requests
	fmt.Fprintf(w, cutLine, c.name, q[powercut.Write]+q[powercut.Forced], q[powercut.Flush]+q[powercut.CacheOff], q[powercut.Identify],
		c.Writes, c.Flushes, c.Points, c.Versions, c.Most, c.Torn, c.bad())
	for _, what := range c.Reports {
		fmt.Fprintf(w, "    %s\n", what)
	}
	if c.err != nil {
		fmt.Fprintf(w, "    %v\n", c.err)
	}
}
