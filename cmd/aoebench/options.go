package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"vbladefs/cmd/internal/bytesize"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// options are the command line.
type options struct {
	netif    string
	exports  string // as given
	addrs    []aoe.Addr
	discover bool

	rw         string
	readShare  int // percent of reads in randrw
	block      bytesize.Size
	depth      int
	span       bytesize.Size // bytes, 0 for the whole export
	runtime    time.Duration
	warmup     time.Duration
	rate       float64 // IOPS, 0 for as many as go
	seed       uint64
	verify     bool
	prepare    bool
	overlap    bool
	window     int
	sectors    int
	retransmit initiator.Retransmit
	timeout    time.Duration

	link  string
	sleep bool // instead of spinning
	pids  pids
	json  bool
}

// kinds of --rw: whether they read, write, and jump.
var kinds = map[string]struct{ reads, writes, random bool }{
	"randread": {true, false, true}, "randwrite": {false, true, true}, "randrw": {true, true, true},
	"read": {true, false, false}, "write": {false, true, false},
}

// maxDepth and maxBlock bound the memory of I/Os outstanding.
const (
	maxDepth = 4096
	maxBlock = 16 << 20
)

// errUsage is wrapped by everything that is wrong with the command line.
var errUsage = errors.New("usage")

func parseOptions(args []string) (*options, error) {
	o := &options{block: 4096, seed: rand.Uint64() >> 32}
	var retransmit string
	f := o.flags(&retransmit)
	if err := f.Parse(args); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%w: %q: there are no arguments without a flag", errUsage, f.Arg(0))
	}
	return o, o.finish(retransmit)
}

// flags are explained in usage.
func (o *options) flags(retransmit *string) *flag.FlagSet {
	f := flag.NewFlagSet("aoebench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.netif, "i", "", "")
	f.StringVar(&o.exports, "t", "", "")
	f.BoolVar(&o.discover, "discover", false, "")
	f.StringVar(&o.rw, "rw", "randread", "")
	f.IntVar(&o.readShare, "mix", 50, "")
	f.Var(&o.block, "bs", "")
	f.IntVar(&o.depth, "depth", 16, "")
	f.Var(&o.span, "size", "")
	f.DurationVar(&o.runtime, "runtime", 5*time.Second, "")
	f.DurationVar(&o.warmup, "warmup", 500*time.Millisecond, "")
	f.Float64Var(&o.rate, "rate", 0, "")
	f.Uint64Var(&o.seed, "seed", o.seed, "")
	f.BoolVar(&o.verify, "verify", false, "")
	f.BoolVar(&o.prepare, "prepare", false, "")
	f.BoolVar(&o.overlap, "overlap", false, "")
	f.IntVar(&o.window, "window", 0, "")
	f.IntVar(&o.sectors, "sectors", 0, "")
	f.StringVar(retransmit, "retransmit", "same", "")
	f.DurationVar(&o.timeout, "timeout", 0, "")
	f.StringVar(&o.link, "link", "auto", "")
	f.BoolVar(&o.sleep, "sleep", false, "")
	f.Var(&o.pids, "pid", "")
	f.BoolVar(&o.json, "json", false, "")
	return f
}

// finish reads the flags that need more than their own parser.
func (o *options) finish(retransmit string) error {
	var err error
	if o.retransmit, err = initiator.ParseRetransmit(retransmit); err != nil {
		return fmt.Errorf("%w: --retransmit: %w", errUsage, err)
	}
	if o.exports != "" {
		if o.addrs, err = parseExports(o.exports); err != nil {
			return fmt.Errorf("%w: -t: %w", errUsage, err)
		}
	}
	switch {
	case o.netif == "":
		return fmt.Errorf("%w: -i is missing: name the network interface, such as -i eth0", errUsage)
	case o.exports == "" && !o.discover:
		return fmt.Errorf("%w: -t is missing: name the export, such as -t e0.1, or use --discover to see what there is", errUsage)
	}
	return o.check()
}

// check finds values out of range.
func (o *options) check() error {
	if _, ok := kinds[o.rw]; !ok {
		return fmt.Errorf("%w: --rw %q: want randread, randwrite, randrw, read or write", errUsage, o.rw)
	}
	if o.link != "auto" && o.link != "ring" && o.link != "raw" && o.link != "xdp" {
		return fmt.Errorf("%w: --link %q: want auto, ring, raw or xdp", errUsage, o.link)
	}
	for _, r := range []struct {
		flag        string
		v, min, max int64
	}{
		{"--bs", int64(o.block), aoe.SectorSize, maxBlock}, {"--depth", int64(o.depth), 1, maxDepth},
		{"--window", int64(o.window), 0, maxDepth}, {"--mix", int64(o.readShare), 0, 100},
		{"--sectors", int64(o.sectors), 0, aoe.MaxFrameSectors},
	} {
		if r.v < r.min || r.v > r.max {
			return fmt.Errorf("%w: %s %d: want %d to %d", errUsage, r.flag, r.v, r.min, r.max)
		}
	}
	switch {
	case o.block%aoe.SectorSize != 0:
		return fmt.Errorf("%w: --bs %d: want a multiple of %d", errUsage, o.block, aoe.SectorSize)
	case o.runtime <= 0 || o.warmup < 0 || o.timeout < 0:
		return fmt.Errorf("%w: --runtime %v, --warmup %v, --timeout %v: want durations such as 5s", errUsage, o.runtime, o.warmup, o.timeout)
	case !(o.rate >= 0 && o.rate <= 1e9):
		return fmt.Errorf("%w: --rate %g: want I/Os per second, at most 1e9", errUsage, o.rate)
	case o.prepare && !o.verify:
		return fmt.Errorf("%w: --prepare writes what --verify checks: give both", errUsage)
	case len(o.addrs) > 1 && o.verify:
		return fmt.Errorf("%w: --verify keeps account of one export, and -t names %d: run it for each", errUsage, len(o.addrs))
	case len(o.addrs) > 1 && o.retransmit == initiator.RetransmitLinux:
		return fmt.Errorf("%w: --retransmit linux has a window for each export, and -t names %d: give one", errUsage, len(o.addrs))
	}
	return nil
}

const usage = `aoebench measures an AoE export, and checks that it keeps what it is given.

  aoebench -i IF --discover                 list the exports that answer
  aoebench -i IF -t EXPORTS [flags]         load one of them, or some at random

EXPORTS is e0.1, a list e0.1,e0.2, or ranges: e0-39.0-249 are 10,000 of them.

Writing workloads and --prepare DESTROY what the export holds.

Workload
  --rw KIND        randread (default), randwrite, randrw, read, write
  --mix PERCENT    reads of randrw, 50
  --bs SIZE        bytes of one I/O, 4k; larger ones take several frames
  --depth N        I/Os outstanding, 16
  --size SIZE      use only the first SIZE of the export
  --runtime D      measured time, 5s, after --warmup D, 500ms
  --rate IOPS      at this rate; latency then counts from when an I/O was due
  --seed N         repeat the same sequence of I/Os
Checking
  --verify         stamp every sector written, check every sector read, and
                   read back in the end all that was written
  --prepare        write everything once before: for --verify of reads
  --overlap        let I/Os on the same sectors be outstanding together
Protocol
  --retransmit M   same: same tag, 250 ms, doubling (default); linux: as the
                   Linux driver does; none: a lost frame is an error
  --timeout D      give an I/O up: 10s, or 180s with linux
  --window N       frames outstanding; by default what the target advertises
  --sectors N      at most N sectors a frame
  --link KIND      auto, ring, raw, xdp
  --sleep          wait for frames asleep: for a slow export, or with company
                   on the processor; latency then includes the waking up
Report
  --json           one JSON object on standard output
  --pid PID        the target's process: report its CPU time per I/O; more of
                   them with commas between are taken together

Sizes take k, m, g and t. Exit status: 0 no error and no bad data, 1 some,
2 bad command line.

Examples
  aoebench -i eth0 --discover
  aoebench -i eth0 -t e0.1 --depth 1
  aoebench -i eth0 -t e0.1 --rw randrw --verify --size 256m --runtime 30s
  aoebench -i eth0 -t e0.1 --rw read --bs 256k --pid $(pidof vbladefs) --json
`
