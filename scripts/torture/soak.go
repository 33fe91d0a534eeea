package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// soak is a long run at full load while everything that can be changed is, again
// and again: what the daemon has open and takes must not become more.
type soak struct {
	result
	on      setup
	lasts   time.Duration
	rounds  uint64 // of changes
	changes uint64 // commands
	checked uint64 // bytes
	wrong   uint64 // sectors
	samples []footprint
	// goroutines that the daemon has at the end
	goroutines int
}

var soakSetup = setup{store: "file", cache: "direct", io: "auto", link: "ring", workers: 2, paths: 2, mtu: 9000, client: initiator.RetransmitLinux}

// soakWarm is a soak after which a daemon has all that it needs: what it has open
// then is what it may have open.
const soakWarm = 3 * time.Second

// runSoak does a soak on a goroutine of its own, which the rig takes with it.
func runSoak(ctx context.Context, program string, lasts time.Duration, seed uint64, w io.Writer) (s *soak, err error) {
	s = &soak{on: soakSetup, lasts: lasts}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = s.try(ctx, program, seed, w)
	}()
	<-done
	return s, err
}

func (s *soak) try(ctx context.Context, program string, seed uint64, w io.Writer) (err error) {
	r, err := newRig(program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	paths, err := r.newPaths(s.on, seed)
	if err != nil {
		return err
	}
	m, err := r.newMedium(s.on.store, seed)
	if err != nil {
		return err
	}
	d, err := r.export(s.on, m, paths)
	if err != nil {
		return err
	}
	l, err := newLoad(paths, s.on.client, seed, 0)
	if err != nil {
		return err
	}
	l.repeats = true // a pause and a swap make the client repeat requests
	if err := s.load(ctx, r, d, l, w); err != nil {
		return err
	}
	if s.goroutines, err = d.countGoroutines(); err != nil {
		return err
	}
	s.result = l.result
	for _, x := range l.exports {
		s.resent += x.Engine().Counters().Retransmits
	}
	s.checked, s.wrong = l.ledger.Checked*aoe.SectorSize, l.ledger.BadTotal()
	return nil
}

// load keeps the client busy, makes a change every few milliseconds, and takes a
// sample whenever what was added is gone again.
func (s *soak) load(ctx context.Context, r *rig, d *daemon, l *load, w io.Writer) error {
	changes := soakChanges(filepath.Join(r.dir, "disk.img"), filepath.Join(r.dir, "other.img"), l.paths)
	if err := writeZeros(filepath.Join(r.dir, "other.img"), exportBytes); err != nil {
		return err
	}
	began, next, due := time.Now(), 0, time.Now()
	every := max(s.lasts/30, 100*time.Millisecond)
	sampled, told := began, began
	var failed error
	err := l.run(func() bool {
		now := time.Now()
		if failed != nil || ctx.Err() != nil || now.Sub(began) >= s.lasts && s.rounds > 0 && next == 0 {
			return true
		}
		if now.Before(due) {
			return false
		}
		if failed = d.apply(changes[next]); failed != nil {
			return true
		}
		s.changes++
		next, due = (next+1)%len(changes), time.Now().Add(soakPause)
		if next > 0 {
			return false
		}
		if s.rounds++; now.Sub(sampled) >= every {
			var f footprint
			f, failed = footprintOf(d.cmd.Process.Pid)
			f.after = now.Sub(began)
			s.samples, sampled = append(s.samples, f), now
			if now.Sub(told) >= time.Minute {
				told = now
				fmt.Fprintf(w, soakLine, f.after.Round(time.Second), f.resident>>10, f.files, f.threads, s.changes, l.reads+l.writes)
			}
		}
		return false
	})
	if ctx.Err() != nil {
		return errors.Join(err, errInterrupted)
	}
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	return l.readAll()
}

const (
	soakHead = "%8s %12s %6s %8s %10s %12s\n"
	soakLine = "%8s %11dK %6d %8d %10d %12d\n"
	// soakPause is between two changes.
	soakPause = 10 * time.Millisecond
)

// soaks does a short soak and a long one, and prints what became of the daemons.
func (o *options) soaks(ctx context.Context, r *report) error {
	if o.soak == 0 {
		return nil
	}
	fmt.Fprintf(r.w, "\n%v at full load with changes: nothing may become more\n    on %v\n", o.soak, soakSetup)
	warm, err := runSoak(ctx, o.program, min(soakWarm, o.soak), o.seed, io.Discard)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.w, soakHead, "after", "resident", "files", "threads", "changes", "operations")
	long, err := runSoak(ctx, o.program, o.soak, o.seed, r.w)
	if err != nil {
		return err
	}
	problems := long.grown(warm.goroutines)
	for _, p := range append(problems, long.errors...) {
		fmt.Fprintf(r.w, "    %s\n", p)
	}
	bad := uint64(len(problems)) + long.failed + long.wrong
	r.bad += bad
	first, last := long.samples[0], long.samples[len(long.samples)-1]
	fmt.Fprintf(r.w, "%d operations, %d bytes checked, %d changes, %d resent, longest stall %.2fs, %d errors\n"+
		"resident %dK, then %dK; files %d, then %d; threads %d, then %d; goroutines %d after %v, %d at the end\n",
		long.reads+long.writes, long.checked, long.changes, long.resent, long.stall.Seconds(), bad, first.resident>>10, last.resident>>10,
		first.files, last.files, first.threads, last.threads, warm.goroutines, min(soakWarm, o.soak), long.goroutines)
	return nil
}
