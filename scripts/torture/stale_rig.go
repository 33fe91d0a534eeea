package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"vbladefs/disk/disktest"
	"vbladefs/netio"
	"vbladefs/target/aoe"
)

// staleSetup is what the stale-duplicate test runs on: 3 workers on each of the
// interfaces, two addresses of one disk, whose transfers take up to slowest.
type staleSetup struct {
	io, cache string
	lines     int
	slowest   time.Duration
	together  bool // see stale
}

var staleSetups = []staleSetup{
	{"uring", "direct", 2, 2 * time.Millisecond, false},
	{"sync", "direct", 2, 2 * time.Millisecond, false},
	{"uring", "durable", 1, time.Millisecond, false},
	{"uring", "writeback", 2, 0, false},
}

// runStale does the test on a goroutine of its own.
func runStale(program string, on staleSetup, rounds, seed uint64) (s *stale, err error) {
	s = &stale{together: on.together, rnd: rand.New(rand.NewPCG(seed, 9)), threads: make([]staleThread, staleThreads)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var r *rig
		if r, err = newRig(program); err == nil {
			err = errors.Join(s.try(r, on, rounds), r.close())
		}
	}()
	<-done
	return s, err
}

// try makes what the test needs, and runs it.
func (s *stale) try(r *rig, on staleSetup, rounds uint64) (err error) {
	if s.lines, err = r.newLines(on.lines, 9000); err != nil {
		return err
	}
	file := r.dir + "/disk.img"
	if on.slowest > 0 {
		disk, err := r.slowDisk(staleThreads*staleSectors*aoe.SectorSize, on.slowest)
		if err != nil {
			return err
		}
		file = disk.Path()
	} else if err := os.WriteFile(file, make([]byte, staleThreads*staleSectors*aoe.SectorSize), 0o600); err != nil {
		return err
	}
	d, err := r.serve("-workers", "3", "-io", on.io, "-cache", on.cache)
	if err != nil {
		return err
	}
	alias := r.dir + "/alias"
	if err := os.Symlink(file, alias); err != nil {
		return err
	}
	for i, path := range []string{file, alias} {
		addr := aoe.Addr{Shelf: 9, Slot: uint8(i)}
		s.addrs = append(s.addrs, addr)
		if err := d.echo(fmt.Sprintf("add d%d %s", i, path), "vblade/drives"); err != nil {
			return err
		}
		for n := range s.lines {
			if err := d.echo(fmt.Sprintf("add t%d %d %d 128", n, addr.Shelf, addr.Slot), fmt.Sprintf("vblade/d%d/ports", i)); err != nil {
				return err
			}
		}
	}
	return errors.Join(s.run(rounds), d.alive())
}

// slowDisk is a disk whose transfers take up to slowest, most of them much less.
func (r *rig) slowDisk(size int, slowest time.Duration) (*disktest.Disk, error) {
	disk, err := r.disk(make([]byte, size))
	if err == nil {
		disk.Hook(slow(slowest))
	}
	return disk, err
}

// slow has every fourth transfer take up to most.
func slow(most time.Duration) disktest.Hook {
	var n atomic.Uint64
	return func(disktest.Op, int64, int64) (time.Duration, syscall.Errno) {
		if n.Add(1)%4 > 0 {
			return 0, 0
		}
		return time.Duration(rand.Int64N(int64(most))), 0
	}
}

// newLines makes veth pairs without a wire between.
func (r *rig) newLines(n, mtu int) (lines []staleLine, err error) {
	for i := range n {
		here, there := fmt.Sprintf("c%d", i), fmt.Sprintf("t%d", i)
		if err := r.pair(here, there, mtu); err != nil {
			return nil, err
		}
		link, err := netio.Open(here, netio.Options{Replies: true})
		if err != nil {
			return nil, err
		}
		r.later(link.Close)
		near, nearErr := netio.Lookup(here)
		far, farErr := netio.Lookup(there)
		if err := errors.Join(nearErr, farErr); err != nil {
			return nil, err
		}
		lines = append(lines, staleLine{link, aoe.MAC(near.MAC), aoe.MAC(far.MAC)})
	}
	return lines, nil
}
