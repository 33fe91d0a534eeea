package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"vbladefs/disk/disktest"
	"vbladefs/scripts/torture/faultnet"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// setup is what a trial runs on.
type setup struct {
	store   string // file, loop or fuse
	cache   string // write policy
	io      string
	link    string
	workers int // of each interface
	paths   int // interfaces on both sides
	mtu     int
	client  initiator.Retransmit // how it repeats requests
}

func (s setup) String() string {
	return fmt.Sprintf("%s %s %s, %s links, %d workers, %d interfaces, MTU %d, %v tags", s.store, s.cache, s.io, s.link, s.workers, s.paths, s.mtu, s.client)
}

// trial is one row of the report: a fault, and what it is tried on.
type trial struct {
	name   string
	toward faultnet.Faults // to the target
	back   faultnet.Faults
	disk   disktest.Hook // of a fuse store
	on     setup

	spoil func(image string) error // in tests: does what the laboratory must see
}

// outcome is what a trial showed.
type outcome struct {
	trial
	result
	counts  faultnet.Counts
	disks   uint64 // faults of the disk
	checked uint64 // bytes
	wrong   uint64 // sectors
	took    time.Duration
	err     error // that the trial could not go on, or that a part of it ended badly
}

// bad is the number of things that must not be.
func (o *outcome) bad() uint64 {
	n := o.failed + o.wrong
	if o.err != nil {
		n++
	}
	return n
}

var trialAddr = aoe.Addr{Shelf: 21, Slot: 5}

// run carries the trial out on a goroutine of its own, for as long as it says.
func (t trial) run(program string, lasts time.Duration, seed uint64) *outcome {
	o := &outcome{trial: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		o.err = o.try(program, lasts, seed)
		o.took = time.Since(began)
	}()
	<-done
	return o
}

func (o *outcome) try(program string, lasts time.Duration, seed uint64) (err error) {
	r, err := newRig(program)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	paths, err := r.newPaths(o.on, seed)
	if err != nil {
		return err
	}
	m, err := r.newMedium(o.on.store, seed)
	if err != nil {
		return err
	}
	d, err := r.export(o.on, m, paths)
	if err != nil {
		return err
	}
	l, err := newLoad(paths, o.on.client, seed, max(o.toward.Hold, o.back.Hold))
	if err != nil {
		return err
	}
	l.repeats = o.toward.Repeat > 0
	l.refusal = o.damages()
	if err := o.load(l, m, lasts); err != nil {
		return err
	}
	if err := errors.Join(d.alive(), d.stop()); err != nil {
		return err
	}
	if o.spoil != nil {
		if err := o.spoil(m.image); err != nil {
			return err
		}
	}
	return o.finish(l, m)
}

// damages tells whether requests may end in errors: what is damaged is refused,
// and what the disk refuses is an error.
func (o *outcome) damages() bool {
	return o.toward.Damage+o.toward.Truncate+o.back.Damage+o.back.Truncate > 0 || o.disk != nil || o.blind()
}

// blind tells that no client can know what the export holds, since what nothing
// protects is damaged too. What lies around the export must be what it was, and
// the daemon must go on.
func (o *outcome) blind() bool { return o.toward.Corrupt+o.back.Corrupt > 0 }

// load runs the client, and then reads all of the export, without faults.
func (o *outcome) load(l *load, m *medium, lasts time.Duration) error {
	var disks atomic.Uint64
	if o.disk != nil {
		m.disk.Hook(counted(o.disk, &disks))
	}
	for _, p := range l.paths {
		if err := p.wire.SetFaults(o.toward, o.back); err != nil {
			return err
		}
	}
	end := time.Now().Add(lasts)
	err := l.run(func() bool { return time.Now().After(end) })
	for _, p := range l.paths {
		toward, back := p.wire.Counts()
		o.counts = o.counts.Add(toward).Add(back)
		err = errors.Join(err, p.wire.SetFaults(faultnet.Faults{}, faultnet.Faults{}))
	}
	if o.disk != nil {
		m.disk.Hook(nil)
		o.disks = disks.Load()
	}
	if err != nil || o.blind() {
		return err
	}
	for range o.disks { // each may fail one flush of a port
		if l.exports[0].Flush() == nil {
			break
		}
	}
	return l.readAll()
}

// counted counts the transfers that a fault of a disk fails or delays.
func counted(fault disktest.Hook, n *atomic.Uint64) disktest.Hook {
	return func(op disktest.Op, offset, size int64) (time.Duration, syscall.Errno) {
		takes, errno := fault(op, offset, size)
		if takes > 0 || errno != 0 {
			n.Add(1)
		}
		return takes, errno
	}
}

// finish compares what is on the disk, and what lies around it.
func (o *outcome) finish(l *load, m *medium) error {
	content, err := m.content()
	if err != nil {
		return err
	}
	if len(content) != exportBytes+2*guardBytes {
		return fmt.Errorf("the disk has %d bytes, want %d", len(content), exportBytes+2*guardBytes)
	}
	if !o.blind() {
		l.check(content[guardBytes : guardBytes+exportBytes])
	}
	if !bytes.Equal(content[:guardBytes], m.guard) || !bytes.Equal(content[guardBytes+exportBytes:], m.guard) {
		l.fail("bytes outside the export have changed")
	}
	for _, x := range l.exports {
		l.resent += x.Engine().Counters().Retransmits
	}
	o.result = l.result
	if o.blind() {
		return nil
	}
	o.checked, o.wrong = l.ledger.Checked*aoe.SectorSize, l.ledger.BadTotal()
	for _, bad := range l.ledger.Reports {
		o.errors = append(o.errors, fmt.Sprintf("sector %d is %s: expected %s, found %s", bad.LBA, bad.Kind, bad.Expected, bad.Found))
	}
	return nil
}

// newPaths makes the paths of a setup.
func (r *rig) newPaths(s setup, seed uint64) ([]*path, error) {
	var paths []*path
	for n := range s.paths {
		p, err := r.newPath(n, s.mtu, seed)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	return paths, nil
}
