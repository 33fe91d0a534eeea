package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/aoe/initiator/ledger"
)

// succession is a trial in which one daemon follows the other under a load, again
// and again: started from its state after the one before it was killed, or taking
// over from it while it runs.
//
//	load ── veth ── daemon ─ kill -9 ─▶ daemon ─ kill -9 ─▶ …
//	watcher: how long nobody answers, or whether the tree is away
type succession struct {
	name    string
	on      setup
	flags   [][]string // of the daemons, in turn, beside those of the setup
	takes   bool       // over; else the one before is killed
	times   int
	outcome *outcome

	spoil func(image string) error // in tests: does what the laboratory must see

	back time.Duration // the longest from a start to the first answer
	away uint64        // how often the tree had no files
	lost uint64        // sectors of acknowledged writes
}

// crashes are the rows of the table of crashes.
var crashes = []succession{
	{name: "writeback, file", on: setup{"file", "writeback", "uring", "ring", 1, 1, 9000, initiator.RetransmitLinux}},
	{name: "direct, loop device", on: setup{"loop", "direct", "uring", "ring", 1, 2, 9000, initiator.RetransmitLinux}},
	{name: "durable, file, 3 workers", on: setup{"file", "durable", "sync", "ring", 3, 2, 9000, initiator.RetransmitLinux}},
}

// takeovers are the rows of the table of take-overs.
var takeovers = []succession{
	{name: "the same options", takes: true, on: setup{"file", "writeback", "uring", "ring", 1, 1, 9000, initiator.RetransmitSame}},
	{name: "the same, 2 interfaces", takes: true, on: setup{"loop", "direct", "uring", "ring", 1, 2, 9000, initiator.RetransmitLinux}},
	{name: "other rings and workers", takes: true, on: setup{"file", "direct", "sync", "ring", 1, 2, 9000, initiator.RetransmitSame},
		flags: [][]string{nil, {"-ring", "1m"}, {"-workers", "3"}, {"-workers", "2", "-io", "uring"}}},
	{name: "other links: raw, xdp, ring", takes: true, on: setup{"file", "writeback", "uring", "ring", 1, 2, 9000, initiator.RetransmitSame},
		flags: [][]string{nil, {"-link", "raw"}, {"-link", "raw"}, {"-link", "xdp"}, {"-link", "xdp"}, nil, {"-link", "xdp"}, {"-link", "raw"}}},
}

// run carries the trial out on a goroutine of its own.
func (s succession) run(program string, times int, seed uint64) *succession {
	s.times = times
	s.outcome = &outcome{trial: trial{name: s.name, on: s.on}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		r, err := newRig(program)
		if err == nil {
			err = errors.Join(s.try(r, seed), r.close())
		}
		s.outcome.err = errors.Join(s.outcome.err, err)
		s.outcome.took = time.Since(began)
	}()
	<-done
	return &s
}

func (s *succession) try(r *rig, seed uint64) error {
	var paths []*path
	for n := range s.on.paths {
		p, err := r.newStraightPath(n, s.on.mtu)
		if err != nil {
			return err
		}
		paths = append(paths, p)
	}
	m, err := r.newMedium(s.on.store, seed)
	if err != nil {
		return err
	}
	d, err := s.first(r)
	if err == nil {
		err = d.export(m, paths)
	}
	if err != nil {
		return err
	}
	l, err := newLoad(paths, s.on.client, seed, 0)
	if err != nil {
		return err
	}
	if d, err = s.follow(r, d, l); err != nil {
		return err
	}
	if err := errors.Join(l.readAll(), d.alive(), d.stop()); err != nil {
		return err
	}
	if s.spoil != nil {
		if err := s.spoil(m.image); err != nil {
			return err
		}
	}
	err = s.outcome.finish(l, m)
	s.lost = l.ledger.Bad[ledger.BadLost] + l.ledger.Bad[ledger.BadStale]
	return err
}

// follow has one daemon after the other serve the load.
func (s *succession) follow(r *rig, d *daemon, l *load) (*daemon, error) {
	var stop atomic.Bool
	ran := make(chan error, 1)
	go func() { ran <- l.run(stop.Load) }()
	end := watchTree(d.dir)
	err := error(nil)
	for n := 0; n < s.times && err == nil; n++ {
		if err = goesOn(l); err == nil {
			time.Sleep(rand.N(100 * time.Millisecond))
			d, err = s.next(r, d, n+1)
		}
	}
	if err == nil {
		err = goesOn(l)
	}
	if s.away = end(); !s.takes {
		s.away = 0 // it is while nobody serves it
	}
	stop.Store(true)
	if err != nil {
		return d, err // without a daemon the load would wait long
	}
	return d, <-ran
}

// goesOn waits until requests are answered that were made by now.
func goesOn(l *load) error {
	want := l.ended.Load() + 4*depth
	for end := time.Now().Add(2 * patience); l.ended.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("the load hangs: %d requests ended, want %d", l.ended.Load(), want)
		}
	}
	return nil
}

func (s *succession) args(r *rig, n int, more ...string) []string {
	args := append([]string{"serve", "-state", filepath.Join(r.dir, "state"), "-io", s.on.io, "-link", s.on.link, "-cache", s.on.cache,
		"-workers", fmt.Sprint(s.on.workers)}, more...)
	if len(s.flags) > 0 {
		args = append(args, s.flags[n%len(s.flags)]...)
	}
	return append(args, filepath.Join(r.dir, "tree"))
}

func (s *succession) start(r *rig, n int, more ...string) (*daemon, error) {
	d, err := r.start(s.args(r, n, more...)...)
	if err == nil {
		d.dir = filepath.Join(r.dir, "tree")
	}
	return d, err
}

func (s *succession) first(r *rig) (*daemon, error) {
	d, err := s.start(r, 0)
	if err != nil {
		return nil, err
	}
	return d, d.awaitTree()
}

// next starts the n-th daemon, and returns it when it serves.
func (s *succession) next(r *rig, d *daemon, n int) (*daemon, error) {
	if s.takes {
		return s.takeOver(r, d, n)
	}
	if err := d.kill(); err != nil {
		return d, err
	}
	began := time.Now()
	next, err := s.start(r, n)
	if err != nil {
		return d, err
	}
	if err := awaitAnswer(next); err != nil {
		return next, err
	}
	s.back = max(s.back, time.Since(began))
	return next, next.awaitTree()
}

// awaitAnswer waits until the export answers.
func awaitAnswer(d *daemon) error {
	link, err := netio.Open("c0", netio.Options{Replies: true})
	if err != nil {
		return err
	}
	defer link.Close()
	info, err := netio.Lookup("c0")
	if err != nil {
		return err
	}
	i, err := initiator.New(link, initiator.Local{MAC: info.MAC, MTU: info.MTU})
	if err != nil {
		return err
	}
	return d.await("it answers", func() bool {
		found, err := i.Discover(time.Millisecond)
		return err == nil && len(found) > 0
	})
}

func (s *succession) takeOver(r *rig, d *daemon, n int) (*daemon, error) {
	next, err := s.start(r, n, "-takeover")
	if err != nil {
		return d, err
	}
	if err := next.await("it has taken over", func() bool { return next.says("took over from") && next.says("control tree on") }); err != nil {
		return d, err
	}
	select {
	case <-d.done:
	case <-time.After(patience):
		return next, fmt.Errorf("the daemon that was taken over from does not end; it says:\n%s", d.said.String())
	}
	if !d.cmd.ProcessState.Success() {
		return next, fmt.Errorf("the daemon that was taken over from ended with %v; it said:\n%s", d.cmd.ProcessState, d.said.String())
	}
	d.cmd = nil
	return next, nil
}

// watchTree looks into the tree of this thread's mount namespace again and again
// until end is called, which says how often it had no files.
func watchTree(dir string) (end func() uint64) {
	file := fmt.Sprintf("/proc/self/task/%d/root%s", unix.Gettid(), filepath.Join(dir, "README"))
	stop, counted := make(chan struct{}), make(chan uint64, 1)
	go func() {
		for n := uint64(0); ; time.Sleep(time.Millisecond) {
			select {
			case <-stop:
				counted <- n
				return
			default:
			}
			if _, err := os.Stat(file); err != nil {
				n++
			}
		}
	}()
	return func() uint64 { close(stop); return <-counted }
}

// bad is the number of things that must not be.
func (s *succession) bad() uint64 { return s.outcome.bad() + s.away }
