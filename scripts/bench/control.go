package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"
)

// This file measures the control tree with many exports: adding, listing and
// removing them, and the memory that each takes. control_load.go does the work.

// defaultExports is the number of exports that the limits are meant for.
const defaultExports = 10000

// controlFigure is one line of the table.
type controlFigure struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Limit float64 `json:"limit,omitempty"` // 0: there is none
	Unit  string  `json:"unit"`            // of both
	Note  string  `json:"note,omitempty"`
}

func (f controlFigure) met() bool { return f.Limit == 0 || f.Value < f.Limit }

// The limits, for 10,000 exports.
const (
	maxLoop    = 20.0  // s
	maxAtOnce  = 2.0   // s
	maxListing = 100.0 // ms
	maxStats   = 200.0 // µs
	maxExport  = 4096  // bytes of memory
	maxRestore = 1.0   // s
)

// controlRun is a control benchmark under way.
type controlRun struct {
	rig     *rig
	exports int
	netif   string
	client  string // interface at the other end
	places  int    // trees so far
	figures []controlFigure
	// The files to export, and the one that all exports may share.
	files, same []string
}

func (c *controlRun) add(what string, value, limit float64, unit, note string) {
	c.figures = append(c.figures, controlFigure{what, value, limit, unit, note})
}

func (c *controlRun) timed(what string, took spent, limit float64) {
	c.add(what, took.time.Seconds(), limit, "s", fmt.Sprintf("processor time of the daemon: %.2f", took.processor.Seconds()))
}

// control measures everything and writes the table.
func (b *bench) control(w io.Writer) error {
	c := &controlRun{rig: b.rig, exports: b.o.exports}
	var err error
	if c.netif, c.client, err = b.rig.pair(0); err != nil {
		return err
	}
	if c.files, err = (disks{c.exports, 4096, false}).make(memory + "/disks-0"); err != nil {
		return err
	}
	if c.same, err = (disks{c.exports, 4096, true}).make(memory + "/disks-1"); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		do   func() error
	}{
		{"a file for each export", c.fileEach},
		{"a file for each export, all in use", c.inUse},
		{"one file for all exports", c.oneFile},
		{"a shell loop", c.shellLoop},
		{"a state that is kept", c.restore},
	} {
		fmt.Fprintf(b.stderr, "%d exports, %s\n", c.exports, part.name)
		if err := part.do(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.report.Control = c.figures
	b.report.printControl(w, c.exports)
	return nil
}

// fileEach adds a file for each export at once, and then looks at them.
func (c *controlRun) fileEach() (err error) {
	d, err := c.start("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	took, grew, err := d.addAtOnce("aoeserver", c.files, "add %[1]s %[2]d %[3]d %[4]s\n")
	if err != nil {
		return err
	}
	c.timed("add, one cat of a file to aoeserver", took, maxAtOnce)
	c.add("memory of an export, a file each", grew, maxExport, "bytes", "beyond the daemon with one export")
	if err := d.listings(); err != nil {
		return err
	}
	if err := d.stats(); err != nil {
		return err
	}
	took, err = d.removeAtOnce()
	c.timed("remove, one cat of a file to kvblade/del", took, 0)
	return err
}

// oneFile does it in kvblade's words, with one file for all.
func (c *controlRun) oneFile() (err error) {
	d, err := c.start("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	took, grew, err := d.addAtOnce("kvblade/add", c.same, "%[2]d %[3]d %[4]s %[1]s\n")
	c.timed("add, one cat of a file to kvblade/add", took, maxAtOnce)
	c.add("memory of an export, one file for all", grew, maxExport, "bytes", "beyond the daemon with one export")
	return err
}

// shellLoop adds with an echo each.
func (c *controlRun) shellLoop() (err error) {
	d, err := c.start("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	took, err := d.addByEcho()
	c.timed("add, an echo each from one shell loop", took, maxLoop)
	return err
}

// restore adds exports to a daemon that keeps its state, and starts it again.
func (c *controlRun) restore() (err error) {
	state := filepath.Join(memory, "disks-state")
	first, err := c.start(state)
	if err != nil {
		return err
	}
	took, _, err := first.addAtOnce("aoeserver", c.files, "add %[1]s %[2]d %[3]d %[4]s\n")
	if err := errors.Join(err, first.stop()); err != nil {
		return err
	}
	c.timed("add, one cat of a file, state kept", took, maxAtOnce)
	began := time.Now()
	again, err := c.start(state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, again.stop()) }()
	if err := again.restored(); err != nil {
		return err
	}
	took.time = time.Since(began)
	ticks, err := cpuTicks(again.pid())
	took.processor = time.Duration(ticks)
	c.timed("start with all exports saved, until all are up", took, maxRestore)
	return err
}

// printControl writes the table of a control benchmark.
func (r *report) printControl(w io.Writer, exports int) {
	fmt.Fprintf(w, "%s\n%s; vbladefs %s\n%d exports on one interface; the limits are for %d\n\n",
		r.Date.Format("2006-01-02 15:04 UTC"), r.Machine, r.Versions.Vbladefs, exports, defaultExports)
	table := [][]string{{"", "", "", "measured", "limit", "unit", "", ""}}
	for _, f := range r.Control {
		limit, word := "", ""
		if f.Limit > 0 {
			limit, word = trim(f.Limit), verdict(f.met())
		}
		table = append(table, []string{f.What, "", "", number(f.Value), limit, f.Unit, word, f.Note})
	}
	writeTable(w, table)
}

// trim is a limit without needless digits.
func trim(v float64) string {
	if v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%g", v)
}

// perExport is a growth shared among exports.
func perExport(before, after int64, exports int) float64 {
	return float64(after-before) / float64(exports)
}

// settle is how long memory may take to become what it stays.
const settle = 2 * time.Second
