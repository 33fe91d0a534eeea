package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	rounds  int
	seconds float64
	only    string
	peers   peers
	disk    bool
	dir     string
	soak    time.Duration
	control bool
	exports int
	bin     string
	json    string
	plot    string
}

// errUsage is wrapped by everything that is wrong with the command line.
var errUsage = errors.New("usage (scripts/bench -h shows all flags)")

// The bounds of -rounds, -seconds and -exports: ours, generous.
const (
	maxRounds  = 1000
	maxSeconds = 3600
	maxExports = 65536 // target.MaxDrives
)

func parseOptions(args []string) (*options, error) {
	o := &options{}
	f := o.flags()
	if err := f.Parse(args); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%w: %q: there are no arguments without a flag", errUsage, f.Arg(0))
	case o.rounds < 1 || o.rounds > maxRounds:
		return nil, fmt.Errorf("%w: -rounds %d: want 1 to %d", errUsage, o.rounds, maxRounds)
	case !(o.seconds >= 0.05 && o.seconds <= maxSeconds):
		return nil, fmt.Errorf("%w: -seconds %g: want 0.05 to %d", errUsage, o.seconds, maxSeconds)
	case o.soak < 0 || o.soak > 0 && o.soak < time.Second:
		return nil, fmt.Errorf("%w: -soak %v: want a second or more, such as 10m", errUsage, o.soak)
	case o.soak > 0 && (o.disk || o.plot != ""):
		return nil, fmt.Errorf("%w: -soak compares nothing: leave -disk and -plot out", errUsage)
	case o.control && (o.disk || o.soak > 0 || o.plot != "" || o.only != ""):
		return nil, fmt.Errorf("%w: -control measures the control tree alone: leave -disk, -soak, -plot and -only out", errUsage)
	case o.exports < 2 || o.exports > maxExports:
		return nil, fmt.Errorf("%w: -exports %d: want 2 to %d", errUsage, o.exports, maxExports)
	case o.plot != "" && o.only != "" && !slices.Contains(strings.Split(o.only, ","), "reads"):
		return nil, fmt.Errorf("%w: -plot draws the group reads, which -only %s leaves out", errUsage, o.only)
	case o.only != "" && (o.disk || o.soak > 0):
		return nil, fmt.Errorf("%w: -only chooses among the groups of the default run", errUsage)
	}
	for name := range strings.SplitSeq(o.only, ",") {
		if o.only != "" && !slices.Contains(groupNames, name) {
			return nil, fmt.Errorf("%w: -only %q: want some of %s", errUsage, name, strings.Join(groupNames, ","))
		}
	}
	return o, nil
}

// flags are explained in usage.
func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.rounds, "rounds", 3, "")
	f.Float64Var(&o.seconds, "seconds", 2, "")
	f.StringVar(&o.only, "only", "", "")
	f.Var(&o.peers, "peer", "")
	f.BoolVar(&o.disk, "disk", false, "")
	f.StringVar(&o.dir, "dir", "/var/tmp", "")
	f.DurationVar(&o.soak, "soak", 0, "")
	f.BoolVar(&o.control, "control", false, "")
	f.IntVar(&o.exports, "exports", defaultExports, "")
	f.StringVar(&o.bin, "bin", "bin", "")
	f.StringVar(&o.json, "json", "", "")
	f.StringVar(&o.plot, "plot", "", "")
	return f
}

// peer is another target that the user names.
type peer struct{ name, command string }

// peers is the value of -peer, which may be given several times.
type peers []peer

func (p *peers) String() string { return fmt.Sprint(*p) }

func (p *peers) Set(text string) error {
	name, command, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.TrimSpace(command) == "" {
		return fmt.Errorf("%q: want NAME=COMMAND", text)
	}
	if name == ours || name == "vblade" || slices.ContainsFunc(*p, func(q peer) bool { return q.name == name }) {
		return fmt.Errorf("%q: that name is taken", name)
	}
	for _, placeholder := range []string{"{interface}", "{file}"} {
		if !strings.Contains(command, placeholder) {
			return fmt.Errorf("%q: the command does not use %s", command, placeholder)
		}
	}
	*p = append(*p, peer{name, command})
	return nil
}

const usage = `bench measures vbladefs against other AoE targets, in turn, on this machine.

  make bench [ROUNDS=3] [SECONDS=2] [BENCHFLAGS='...']
  make bench-control [BENCHFLAGS='-exports N ...']
  make bench-disk [ROUNDS=3] [SECONDS=2] [BENCHFLAGS='-dir DIR ...']

  -rounds N            measure everything N times; medians are compared, 3
  -seconds S           time of one measurement, 2
  -only GROUPS         some of reads,writes,256,10000,slow
  -peer NAME=COMMAND   measure another target too; {interface}, {shelf}, {slot}
                       and {file} stand for what it shall serve. It must stay
                       in the foreground; no shell reads the command
  -disk                instead: direct I/O on a file of a disk, against fio
  -dir DIR             where that file is made and removed, /var/tmp
  -soak D              instead: full load for so long, our memory every minute
  -control             instead: the control tree with many exports, against limits
  -exports N           how many of them, 10000
  -bin DIR             where vbladefs and aoebench are, bin
  -json FILE           write every single measurement
  -plot FILE           draw IOPS and p99 against depth, as SVG (gnuplot)

Exit status: 0 measured, 1 something failed, 2 bad command line. A goal that is
not met is no failure: the table says so.
`
