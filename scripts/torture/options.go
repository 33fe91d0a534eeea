package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	program string
	lasts   time.Duration
	rounds  int
	seed    uint64
	only    *regexp.Regexp
	stale   uint64
	cuts    time.Duration
	soak    time.Duration

	crashes, takeovers int

	together bool
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("torture", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.program, "program", "bin/vbladefs", "the daemon")
	f.DurationVar(&o.lasts, "time", 20*time.Second, "how long each trial lasts")
	f.IntVar(&o.rounds, "rounds", 1, "how often every fault is tried, each time on the next setup")
	f.Uint64Var(&o.seed, "seed", rand.Uint64N(1e9), "decides which frame meets which fault")
	f.Uint64Var(&o.stale, "stale", 10_000, "rounds of the stale-duplicate test on each of its setups; 0: none")
	f.DurationVar(&o.cuts, "cuts", 5*time.Second, "how long each trial of power cuts lasts; 0: none")
	f.IntVar(&o.crashes, "crashes", 10, "how often the daemon is killed on each setup of the table of crashes; 0: none")
	f.IntVar(&o.takeovers, "takeovers", 10, "how often a daemon takes over on each setup of the table of take-overs; 0: none")
	f.DurationVar(&o.soak, "soak", 0, "how long a run at full load with changes lasts that looks for leaks, such as 30m; 0: none")
	f.BoolVar(&o.together, "together", false, "in the stale-duplicate test send both copies at once, by two interfaces, and count what no target can help")
	only := f.String("only", "", "the faults whose name matches this regular expression, and of the rest what a flag asks for; -: no fault")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q: want flags only; see -h", f.Arg(0))
	}
	if o.lasts <= 0 || o.rounds < 1 || o.cuts < 0 || o.crashes < 0 || o.takeovers < 0 || o.soak < 0 {
		return nil, fmt.Errorf("-time %v -rounds %d -cuts %v -crashes %d -takeovers %d -soak %v: want more than nothing",
			o.lasts, o.rounds, o.cuts, o.crashes, o.takeovers, o.soak)
	}
	if *only == "" {
		return o, nil
	}
	asked := map[string]bool{}
	f.Visit(func(given *flag.Flag) { asked[given.Name] = true })
	return o, o.pick(*only, asked)
}

// pick leaves out the faults whose name does not match, and of the rest what was not asked for.
func (o *options) pick(only string, asked map[string]bool) (err error) {
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if only != "-" && !slices.ContainsFunc(faults, func(t trial) bool { return o.only.MatchString(t.name) }) {
		var names []string
		for _, t := range faults {
			names = append(names, t.name)
		}
		return fmt.Errorf("-only %q: no fault has such a name; there are: %s", only, strings.Join(names, "; "))
	}
	if !asked["stale"] {
		o.stale = 0
	}
	if !asked["cuts"] {
		o.cuts = 0
	}
	if !asked["crashes"] {
		o.crashes = 0
	}
	if !asked["takeovers"] {
		o.takeovers = 0
	}
	return nil
}
