package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/bytesize"
	"vbladefs/cmd/internal/claims"
	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/metrics"
	"vbladefs/cmd/internal/privilege"
	"vbladefs/fusectl"
	"vbladefs/netio"
	"vbladefs/target"
)

// maxWorkers bounds -workers: each has memory of its own, 20 MiB by default.
const maxWorkers = 64

// serveOptions is the command line of serve.
type serveOptions struct {
	dir      string
	link     string
	io       string
	cache    string
	group    string
	user     string
	nonEmpty bool
	busyPoll time.Duration
	ring     bytesize.Size
	requests int
	workers  int
	cpus     []int
	state    string
	takeover bool
	metrics  string
}

func parseServe(args []string, w io.Writer) (serveOptions, error) {
	o := serveOptions{ring: netio.DefaultRingBytes}
	f := flag.NewFlagSet("vbladefs serve", flag.ContinueOnError)
	f.SetOutput(io.Discard) // errors are reported once, by report
	f.StringVar(&o.link, "link", "auto", "how frames are received: ring, raw, xdp, or auto, which takes ring where it can")
	f.StringVar(&o.io, "io", "auto", "how disks are read and written: uring, sync, or auto, which takes uring where it can")
	f.StringVar(&o.cache, "cache", string(target.CacheDirect), "write policy of new drives: writeback, direct or durable")
	f.StringVar(&o.group, "group", "", "group that may write to the control tree, besides root")
	f.StringVar(&o.user, "user", "", "user to be once started, who opens what is exported; by default the one who starts it")
	f.BoolVar(&o.nonEmpty, "nonempty", false, "mount over a DIRECTORY that holds something, and hide that")
	f.DurationVar(&o.busyPoll, "busy-poll", target.DefaultSpin, "how long at most to look for frames before sleeping, to 1s; 0 to sleep at once")
	f.Var(&o.ring, "ring", "memory for the frames that an interface has received, 256k to 1g; for each worker")
	f.IntVar(&o.requests, "requests", target.DefaultRequests, "transfers that a worker can have in flight, 64 to 8192, with 16 KiB of memory each")
	f.IntVar(&o.workers, "workers", 1, "how many workers share the exports of an interface, to 64")
	f.StringVar(&o.state, "state", defaultState, "folder that keeps what is exported from one start to the next; \"\" keeps nothing")
	f.BoolVar(&o.takeover, "takeover", false, "take over from the daemon that serves DIRECTORY and keeps its state in the same folder, which then ends")
	f.StringVar(&o.metrics, "metrics", "", "answer Prometheus at http://ADDR/metrics: HOST:PORT, or the path of a Unix socket; by default nowhere")
	cpus := f.String("cpus", "", "processors to pin workers to, such as 0,2-3; by default the kernel chooses")
	f.Usage = func() {}
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprint(w, "usage: vbladefs serve [options] DIRECTORY\n\nMounts the control tree on DIRECTORY and serves until SIGTERM or SIGINT.\n\n")
		f.SetOutput(w)
		f.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, badUsage("%v", err)
	}
	if f.NArg() != 1 {
		return o, badUsage("%d arguments, want one: the directory to mount on", f.NArg())
	}
	if err := o.check(); err != nil {
		return o, err
	}
	var err error
	if o.cpus, err = parseCPUs(*cpus); err != nil {
		return o, badUsage("-cpus: %v", err)
	}
	if o.metrics != "" {
		if err := metrics.CheckAddress(o.metrics); err != nil {
			return o, badUsage("-metrics %v", err)
		}
	}
	o.dir = f.Arg(0)
	if o.state != "" && within(o.state, o.dir) {
		return o, badUsage("-state %s: it is in %s, where the control tree hides it", o.state, o.dir)
	}
	if o.state == "" && o.takeover {
		return o, badUsage("-takeover: it needs the folder of the state (-state), where the running daemon can be asked")
	}
	return o, nil
}

// within tells whether a path is dir or in it, by their names.
func within(path, dir string) bool {
	path, errPath := filepath.Abs(path)
	dir, errDir := filepath.Abs(dir)
	below, err := filepath.Rel(dir, path)
	return errPath == nil && errDir == nil && err == nil && filepath.IsLocal(below)
}

// check finds values out of range.
func (o *serveOptions) check() error {
	switch {
	case o.link != "auto" && o.link != "ring" && o.link != "raw" && o.link != "xdp":
		return badUsage("-link %q: want auto, ring, raw or xdp", o.link)
	case o.io != "auto" && o.io != "uring" && o.io != "sync":
		return badUsage("-io %q: want auto, uring or sync", o.io)
	case o.cache != string(target.CacheWriteback) && o.cache != string(target.CacheDirect) && o.cache != string(target.CacheDurable):
		return badUsage("-cache %q: want writeback, direct or durable", o.cache)
	case o.ring < 256<<10 || o.ring > 1<<30:
		return badUsage("-ring %s: want 256k to 1g", &o.ring)
	case o.requests < 64 || o.requests > 8192:
		return badUsage("-requests %d: want 64 to 8192", o.requests)
	case o.busyPoll < 0 || o.busyPoll > time.Second:
		return badUsage("-busy-poll %s: want 0 to 1s", o.busyPoll)
	case o.workers < 1 || o.workers > maxWorkers:
		return badUsage("-workers %d: want 1 to %d", o.workers, maxWorkers)
	}
	return nil
}

// muchMemory is what the data plane of one interface takes by default, and some.
const muchMemory = 64 << 20

// warn says what is allowed, and seldom meant.
func (o *serveOptions) warn(log *logrus.Logger) {
	if n := target.PoolBytes(o.requests) + int(o.ring); o.workers*n > muchMemory {
		log.Warnf("each interface takes up to %d MiB: %d MiB for each worker; lower -workers, -ring or -requests if that is too much",
			o.workers*n>>20, n>>20)
	}
	if n := runtime.NumCPU(); o.workers > n {
		log.Warnf("-workers %d: there are %d processors, and workers that share one are slower than one worker", o.workers, n)
	}
}

// serve is the daemon.
func serve(args []string, stdout io.Writer) error {
	ready := daemon.InBackground() // if a daemon has started this one, to take over from it
	err := serveReady(args, stdout, ready)
	if err != nil {
		ready.Failed(exitFailure, err.Error())
	}
	return err
}

func serveReady(args []string, stdout io.Writer, ready *daemon.Ready) error {
	o, err := parseServe(args, stdout)
	if err != nil {
		return err
	}
	gid, err := lookupGroup(o.group)
	if err != nil {
		return err
	}
	if err := checkCPUs(o.cpus); err != nil {
		return badUsage("-cpus: %v", err)
	}
	events := fusectl.NewEvents()
	log := daemon.NewLogger("vbladefs", os.Stderr)
	log.AddHook(events)
	o.warn(log)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// A daemon outlives the terminal that started it, and whoever read its log.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	s := &server{o: o, args: args, log: log, tree: fusectl.Options{Logger: log, Events: events, Group: gid, NonEmpty: o.nonEmpty,
		Save: func() error { return errNotKept }}}
	if !o.takeover {
		s.claims = claims.Open(log)
	}
	if err := s.scrape.listen(&o); err != nil {
		return fmt.Errorf("-metrics: %w", err)
	}
	if err := limit(o.user, log); err != nil {
		s.scrape.abandon()
		return err
	}
	begin := s.start
	if o.takeover {
		begin = func() error { return s.takeOver(ctx) }
	}
	if err := begin(); err != nil {
		s.scrape.abandon()
		_ = s.claims.Close()
		return err
	}
	ready.Serving()
	return s.run(ctx)
}

// limit gives up what the daemon does not need, and its user if another is named.
func limit(name string, log *logrus.Logger) error {
	if name == "" {
		daemon.Limit(log, true)
		return nil
	}
	who, err := privilege.LookupUser(name)
	if err != nil {
		return badUsage("-user %q: %v", name, err)
	}
	if err := daemon.Become(who); err != nil {
		return fmt.Errorf("-user %s: %w", name, err)
	}
	return nil
}

// lookupGroup returns the number of a group given by name or number; 0 for
// none, since root may write anyway.
func lookupGroup(name string) (uint32, error) {
	if name == "" {
		return 0, nil
	}
	gid, err := strconv.ParseUint(name, 10, 32)
	if err == nil {
		return uint32(gid), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, badUsage("-group %q: %v", name, err)
	}
	gid, err = strconv.ParseUint(g.Gid, 10, 32)
	return uint32(gid), err
}
