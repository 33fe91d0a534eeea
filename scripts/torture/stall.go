package main

import (
	"fmt"
	"strings"
	"time"
)

// slowStall is a stall that the report explains.
const slowStall = 2 * time.Second

// noteStall keeps how long the slowest request took, and why.
func (l *load) noteStall(j *job) {
	took := j.io.Done - j.began
	if took <= l.stall {
		return
	}
	if l.stall = took; took < slowStall {
		return
	}
	var b strings.Builder
	for _, at := range j.io.Copies {
		fmt.Fprintf(&b, " %.2f", (at - j.began).Seconds())
	}
	l.slowest = fmt.Sprintf("the slowest, a %v of %d bytes on path %d, took %.2f s; its frames went out after%s s", j.io.Op, len(j.io.Data), j.path, took.Seconds(), &b)
}
