package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// footprint is what a process has at one moment.
type footprint struct {
	after          time.Duration
	resident       int64 // bytes
	files, threads int
}

var statusField = regexp.MustCompile(`(?m)^(VmRSS|Threads):\s+(\d+)`)

func footprintOf(pid int) (f footprint, err error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return f, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return f, err
	}
	f.files = len(files)
	for _, field := range statusField.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseInt(string(field[2]), 10, 64)
		switch {
		case err != nil:
			return f, err
		case string(field[1]) == "Threads":
			f.threads = int(n)
		default:
			f.resident = n << 10
		}
	}
	if f.resident == 0 || f.threads == 0 {
		return f, fmt.Errorf("process %d has no memory or no threads:\n%s", pid, text)
	}
	return f, nil
}

var goroutineLine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// countGoroutines ends the daemon with SIGQUIT, for which the Go runtime shows the
// stack of each goroutine.
func (d *daemon) countGoroutines() (int, error) {
	cmd := d.cmd
	d.cmd = nil // stop has nothing to do
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return 0, err
	}
	select {
	case <-d.done:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		return 0, fmt.Errorf("the daemon did not end within %v of SIGQUIT", patience)
	}
	said := []byte(d.said.String())
	at := bytes.LastIndex(said, []byte("SIGQUIT: quit"))
	n := len(goroutineLine.FindAllIndex(said[max(at, 0):], -1))
	if at < 0 || n == 0 {
		return 0, fmt.Errorf("the daemon ended with %v and showed no goroutines; it said:\n%.4000s", cmd.ProcessState, said)
	}
	return n, nil
}

// What may come and go without being growth: the garbage collector's breath, the
// readers of the FUSE connection, which start as they are needed, and threads, of
// which the Go runtime keeps as many as were ever in system calls at once. That is
// more on a machine that had no time for us: a leak would be one for each change.
const (
	slackShare      = 10 // percent of the memory
	slackBytes      = 4 << 20
	slackFiles      = 4
	slackGoroutines = 8
	slackThreads    = 32
)

// grown says what became more: of the samples the middle one of the last third is
// held against that of the first.
func (s *soak) grown(goroutines int) (problems []string) {
	if len(s.samples) < 3 {
		return []string{fmt.Sprintf("%d samples, want 3 or more: too short", len(s.samples))}
	}
	third := len(s.samples) / 3
	for _, c := range []struct {
		what  string
		of    func(footprint) int64
		slack func(int64) int64
	}{
		{"bytes resident", func(f footprint) int64 { return f.resident }, func(n int64) int64 { return max(n*slackShare/100, slackBytes) }},
		{"files", func(f footprint) int64 { return int64(f.files) }, func(int64) int64 { return slackFiles }},
		{"threads", func(f footprint) int64 { return int64(f.threads) }, func(int64) int64 { return slackThreads }},
	} {
		first, last := middle(s.samples[:third], c.of), middle(s.samples[len(s.samples)-third:], c.of)
		if last > first+c.slack(first) {
			problems = append(problems, fmt.Sprintf("%d %s became %d", first, c.what, last))
		}
	}
	if s.goroutines > goroutines+slackGoroutines {
		problems = append(problems, fmt.Sprintf("%d goroutines after a short run, and %d after this", goroutines, s.goroutines))
	}
	return problems
}

func middle(samples []footprint, of func(footprint) int64) int64 {
	var values []int64
	for _, s := range samples {
		values = append(values, of(s))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
