package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"vbladefs/disk/disktest"
	"vbladefs/scripts/torture/powercut"
	"vbladefs/target/aoe"
)

// cutSetup is what the power is cut under: a client, or several as far as the
// target can tell, that writes one disk by some interfaces, each with an address of
// its own, while the disk keeps a journal of what reaches it.
type cutSetup struct {
	name    string
	start   func(r *rig, on cutSetup, disk string) (*daemon, error)
	store   string // file, or a loop device on it
	keeps   bool   // every write that was answered, to begin with; else what a flush covered
	io      string
	workers int
	lines   int
	mtu     int
	changes bool // of the policy, while it runs
	cached  bool // writes go through the page cache, which may tear a sector: docs/durability.md
}

func (s cutSetup) String() string { return s.name }

// cutSectors is the size of the disk; what is written is in its first cutHot sectors,
// so that much is written over and over.
const (
	cutSectors = 2048
	cutHot     = 256
)

// cut is one trial.
type cut struct {
	cutSetup
	log     *powercut.Log
	forgets bool // in tests: the disk says that it has flushed, and has not

	*powercut.Result
	err error
}

// run carries the trial out on a goroutine of its own.
func (s cutSetup) run(program string, lasts time.Duration, seed uint64, keeps, forgets bool) *cut {
	c := &cut{cutSetup: s, log: powercut.New(cutSectors), forgets: forgets}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err := newRig(program)
		if err == nil {
			err = errors.Join(c.try(r, lasts, seed), r.close())
		}
		c.err = err
	}()
	<-done
	c.Result = powercut.Check(c.log, keeps, seed)
	return c
}

func (c *cut) bad() uint64 {
	n := uint64(c.Bad())
	if !c.cached {
		n += uint64(c.Torn)
	}
	if c.err != nil {
		n++
	}
	return n
}

func (c *cut) try(r *rig, lasts time.Duration, seed uint64) error {
	disk, err := r.disk(make([]byte, cutSectors*aoe.SectorSize))
	if err != nil {
		return err
	}
	j := &journal{log: c.log, forgets: c.forgets, open: map[uint64]int{}}
	disk.Record(j.step)
	disk.Hook(unsteady)
	path := disk.Path()
	if c.store == "loop" {
		if path, err = r.loop(path, "--direct-io=on"); err != nil {
			return err
		}
	}
	lines, err := r.newLines(c.lines, c.mtu)
	if err != nil {
		return err
	}
	d, err := c.start(r, c.cutSetup, path)
	if err != nil {
		return err
	}
	l, err := newCutLoad(c.log, lines, c.mtu, seed)
	if err != nil {
		return errors.Join(err, d.alive())
	}
	if c.store == "loop" {
		defer startWriteback(path)()
	}
	if c.changes {
		l.change = func(policy string) (<-chan error, error) { return d.echoMeanwhile(policy, "vblade/d/cache") }
	}
	end := time.Now().Add(lasts)
	err = l.run(func() bool { return time.Now().After(end) })
	disk.Hook(nil)
	if err = errors.Join(err, d.alive(), d.stop()); err != nil {
		return err
	}
	return j.explains(disk)
}

// unsteady has some writes and most flushes take their time, so that much is on
// its way at any moment.
func unsteady(op disktest.Op, _, _ int64) (time.Duration, syscall.Errno) {
	switch {
	case op == disktest.Flush && rand.IntN(2) == 0:
		return time.Duration(rand.Int64N(int64(4 * time.Millisecond))), 0
	case op == disktest.Write && rand.IntN(8) == 0:
		return time.Duration(rand.Int64N(int64(2 * time.Millisecond))), 0
	}
	return 0, 0
}

// serveCut starts the daemon itself with a policy.
func serveCut(policy string) func(*rig, cutSetup, string) (*daemon, error) {
	return func(r *rig, on cutSetup, disk string) (*daemon, error) {
		d, err := r.serve("-workers", fmt.Sprint(on.workers), "-io", on.io, "-cache", policy)
		if err != nil {
			return nil, err
		}
		if err := d.echo("add d "+disk, "vblade/drives"); err != nil {
			return nil, err
		}
		for i := range on.lines {
			if err := d.echo(fmt.Sprintf("add t%d %d %d 64", i, trialAddr.Shelf, int(trialAddr.Slot)+i), "vblade/d/ports"); err != nil {
				return nil, err
			}
		}
		return d, nil
	}
}

// serveAs starts the daemon under another name, on one interface. Config, if any, is
// the text of its configuration, and the words are its command line: DISK, DIR and
// CONFIG in both are the disk, a folder and the configuration's path.
func serveAs(name, config string, words ...string) func(*rig, cutSetup, string) (*daemon, error) {
	return func(r *rig, _ cutSetup, disk string) (*daemon, error) {
		dir, err := r.folder(name)
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "config")
		fill := func(text string) string {
			return os.Expand(text, func(name string) string {
				return map[string]string{"DISK": disk, "DIR": dir, "CONFIG": file, "SHELF": fmt.Sprint(trialAddr.Shelf), "SLOT": fmt.Sprint(trialAddr.Slot)}[name]
			})
		}
		if err := os.WriteFile(file, []byte(fill(config)), 0o600); err != nil {
			return nil, err
		}
		args := []string{name}
		for _, word := range words {
			args = append(args, fill(word))
		}
		d, err := r.start(args...)
		if d != nil {
			d.dies = true
		}
		return d, err
	}
}
