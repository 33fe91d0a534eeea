// Package target is the AoE target: the drives it serves, the addresses and
// interfaces it serves them at, the protocol, and the loop that carries frames
// to drives and back.
//
// Three nouns: a drive is a named backing store; a blade is an AoE address
// (shelf.slot) that serves one drive; a port is a blade on one interface.
// Operations (operation.go) change them, one at a time, and Info values
// (info.go) show them. Each interface with ports has a worker, or several among
// which the devices are spread (worker.go, home.go).
// The two sides meet in the interface's address table, which is immutable: an
// operation publishes a changed copy, a worker loads it once a batch.
//
//	operation ─▶ Target ─publishes─▶ table ◀─loads─ worker ◀─▶ Link, Queue
//
// Order of locks: Target.opening, Target.ops, Target.mu, then a worker's mailbox or a device's
// order. Operations hold ops throughout and mu only while they change what
// readers see, so that reading never waits for a disk.
//
// The package opens nothing itself: links, queues and stores come through
// Parts. It knows no text commands, no files and no FUSE.
package target

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/target/aoe"
)

// Config says how a Target works.
type Config struct {
	Parts Parts
	Log   *logrus.Logger
	// Cache is the write policy of drives that name none; empty: CacheDirect.
	Cache Cache
	// Spin is how long a worker looks for work, at most, before it sleeps.
	Spin time.Duration
	// Requests is how many transfers one worker can have in flight, each with 16 KiB
	// of memory; 0: DefaultRequests.
	Requests int
	// Workers is how many serve an interface, where its links can be shared; 0
	// is 1.
	Workers int
	// Sizes is how often all backing stores are asked for their size; 0: only by
	// Resize.
	Sizes time.Duration
	// Hearing is how long an add waits for the first answers of other targets on
	// an interface; 0: DefaultHearing.
	Hearing time.Duration
	// Keeper makes what is exported durable; nil: nothing is kept.
	Keeper Keeper
	// CPUs are the processors to pin workers to, each to the one with fewest
	// workers; empty: the kernel chooses.
	CPUs []int
}

// Keeper makes changes of the exports durable. Changed tells it of one; it
// returns at once, and calls then, if that is not nil, from another goroutine
// once the change is durable, or with an error when it cannot be made so. What
// an initiator changes is answered only then.
type Keeper interface{ Changed(then func(error)) }

// DefaultRequests is enough for 16 initiators that each fill a port's buffers.
const DefaultRequests = 1024

// DefaultSpin sees a load of 10,000 requests a second and more through without
// sleeping, with answers in a sixth of the time. Longer ones cost a whole
// processor for less, and gave direct I/O nothing below 500 µs.
const DefaultSpin = 100 * time.Microsecond

// firmwareRevision is what IDENTIFY shows in words 23-26.
const firmwareRevision = "vbladefs"

// Target serves exports until it is closed.
type Target struct {
	parts    Parts
	log      *logrus.Logger
	cache    Cache
	spin     time.Duration
	requests int
	workers  int // of an interface
	pins     *pins
	keeper   Keeper // or nil
	hearing  time.Duration
	tag      uint32                           // of queries
	own      atomic.Pointer[map[aoe.MAC]bool] // addresses of this machine's interfaces
	checks   checkBudget                      // guarded by ops

	opening   sync.Mutex             // one opener at a time; taken before ops
	ops       sync.Mutex             // one operation at a time
	spreading sync.Mutex             // of an operation that has several interfaces get links at once: for what they share
	closed    bool                   // guarded by ops
	netifs    map[string]*netif      // with ports; changed with ops and mu held
	known     map[string]Interface   // all that are there; guarded by ops
	retries   map[string]*time.Timer // interfaces to look at again; guarded by ops
	devices   map[string]*device     // guarded by ops
	sizes     sizes
	leaving   map[string]int           // stores that no drive has any more, with requests under way; guarded by ops
	claims    map[string]chan struct{} // stores that are being opened, closed when that is over; guarded by ops

	reopenDelay  time.Duration
	patience     time.Duration
	openPatience time.Duration
	absent       sequence[*drive] // that are down; guarded by ops
	reopener     *time.Timer      // to try them again; guarded by ops
	attempts     atomic.Int32     // to open stores, at this moment
	hanging      atomic.Int32     // those of them that take long
	hurried      chan struct{}    // an operation that waits for a store is to give up
	// Bindings by the name of the interface that they belong on: those without a
	// port there, and under EveryInterface all with patterns; guarded by ops.
	wanting map[string]*sequence[*binding]

	gathering bool       // see Gather; guarded by ops
	gathered  []*binding // that wait for the end of it; guarded by ops

	decisions decisionLog
	limits    map[string]int // of MTUs, by interface; changed with ops and mu held

	mu       sync.RWMutex
	drives   sequence[*drive]    // in order of creation; guarded by mu
	byName   map[string]*drive   // guarded by mu
	blades   map[aoe.Addr]*blade // guarded by mu
	bindings sequence[*binding]  // in order of creation; guarded by mu
	served   bool                // something was exported once; guarded by mu
}

// New returns a Target without exports.
func New(c Config) *Target {
	if c.Cache == "" {
		c.Cache = CacheDirect
	}
	if c.Requests == 0 {
		c.Requests = DefaultRequests
	}
	if c.Hearing == 0 {
		c.Hearing = DefaultHearing
	}
	t := &Target{parts: c.Parts, log: c.Log, cache: c.Cache, spin: c.Spin, requests: c.Requests,
		workers: max(c.Workers, 1), pins: newPins(c.CPUs), hearing: c.Hearing, tag: newTag(),
		sizes: sizes{every: c.Sizes}, keeper: c.Keeper,
		netifs: map[string]*netif{}, known: map[string]Interface{}, retries: map[string]*time.Timer{}, devices: map[string]*device{},
		reopenDelay: reopenDelay, patience: patience, openPatience: openPatience, hurried: make(chan struct{}), claims: map[string]chan struct{}{}, leaving: map[string]int{}, wanting: map[string]*sequence[*binding]{}, limits: map[string]int{},
		byName: map[string]*drive{}, blades: map[aoe.Addr]*blade{}}
	t.decisions.waiting = make(chan decided, waitingDecisions)
	t.knowOwn()
	return t
}

// Close stops serving: requests that have arrived are finished and answered,
// then everything is released. It waits no longer than ctx for a drive, or for
// an operation that does; it may be called again, and does nothing once all is
// released.
func (t *Target) Close(ctx context.Context) error {
	for !t.ops.TryLock() {
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%w: an operation waits for a drive", ErrNotDrained)
		}
	}
	defer t.ops.Unlock()
	t.closed = true
	for _, timer := range t.retries {
		timer.Stop()
	}
	if t.sizes.timer != nil {
		t.sizes.timer.Stop()
	}
	t.outside(func() { t.awaitAttempts(func() error { return pause(ctx) }) })
	for _, n := range t.netifs {
		n.table.Store(&table{})
		n.barrier()
	}
	if err := t.awaitRequests(ctx); err != nil {
		select {
		case failed := <-closing(t.idleDevices()):
			err = errors.Join(err, failed)
		case <-time.After(drainGrace):
		}
		return err // the process ends with the requests that it cannot finish
	}
	for _, n := range t.netifs {
		n.stop()
	}
	t.endDecisionLog()
	stores := t.devices
	t.mu.Lock()
	t.netifs, t.devices = map[string]*netif{}, map[string]*device{}
	t.mu.Unlock()
	select {
	case err := <-closing(stores):
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: a backing store does not close", ErrNotDrained)
	}
}

func closing(devices map[string]*device) <-chan error {
	closed := make(chan error, 1)
	go func() { closed <- closeAll(devices) }()
	return closed
}

// idleDevices are those that nothing is in flight on any more. A process with a request that hangs
// does not end before that is over, and would keep everyone from their stores.
func (t *Target) idleDevices() map[string]*device {
	idle := maps.Clone(t.devices)
	for _, n := range t.netifs {
		for p := range n.ports.all {
			if d := p.device.Load(); d != nil && p.counts.inFlight.Load() > 0 {
				delete(idle, d.key)
			}
		}
	}
	maps.DeleteFunc(idle, func(_ string, d *device) bool { return !d.order.idle() })
	return idle
}

// awaitRequests waits until all requests are answered.
func (t *Target) awaitRequests(ctx context.Context) error {
	defer t.hurry()()
	for _, n := range t.netifs {
		for p := range n.ports.all {
			for p.counts.inFlight.Load() > 0 {
				if err := pause(ctx); err != nil {
					return fmt.Errorf("%w: %s on %s", ErrNotDrained, p.blade.addr, p.netif.name())
				}
			}
		}
	}
	return nil
}

// hurry has requests of all devices end soon; ops is held.
func (t *Target) hurry() (calm func()) {
	var calms []func()
	for _, d := range t.devices {
		calms = append(calms, d.order.hurry())
	}
	return func() {
		for _, calm := range calms {
			calm()
		}
	}
}

// pause waits a moment; its error is that of ctx, when that has ended.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Millisecond):
		return nil
	}
}

// logFailure logs that a transfer has failed, the n-th of its port.
func (t *Target) logFailure(p *port, op Op, lba uint64, sectors int, n uint64, err error) {
	verb := "write"
	switch op {
	case OpRead:
		verb = "read"
	case OpFlush, opBarrier:
		verb = "flush"
	}
	t.log.WithError(err).Errorf("%s on %s: %s of %d sectors at %d failed on drive %s (failure %d)",
		p.blade.addr, p.netif.name(), verb, sectors, lba, p.blade.drive.name, n)
}

// State shows everything at one moment.
func (t *Target) State() State {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.describeState((*blade).inForce)
}

// describeState shows everything, and of the rules of a blade those asked for.
func (t *Target) describeState(rulesOf func(*blade) *rules) State {
	return State{Drives: t.describeDrives(), Ports: describeAll(&t.bindings), Blades: t.describeBlades(rulesOf), Limits: t.describeLimits(), Served: t.served}
}

// StateToSave is State with the changes by initiators that nobody sees before the Keeper has made them durable.
func (t *Target) StateToSave() State {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.describeState((*blade).latest)
}

// BladeToSave is Blade, as StateToSave is State.
func (t *Target) BladeToSave(addr aoe.Addr) (BladeInfo, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if b := t.blades[addr]; b != nil {
		return b.describeWith(b.latest()), true
	}
	return BladeInfo{}, false
}

// Served reports whether anything was ever exported.
func (t *Target) Served() bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.served
}

// Drives lists all drives in order of creation.
func (t *Target) Drives() []DriveInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.describeDrives()
}

// Drive describes the drive of that name.
func (t *Target) Drive(name string) (DriveInfo, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if d := t.byName[name]; d != nil {
		return d.describe(), true
	}
	return DriveInfo{}, false
}

// Ports lists all ports in order of creation.
func (t *Target) Ports() []PortInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return describeAll(&t.bindings)
}

// DrivePorts lists the ports of the drive of that name in order of creation.
func (t *Target) DrivePorts(name string) []PortInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if d := t.byName[name]; d != nil {
		return describeAll(&d.bindings)
	}
	return nil
}

// Port describes the port of that address and interface name, or pattern.
func (t *Target) Port(addr aoe.Addr, netif string) (PortInfo, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if b := t.findBinding(addr, netif); b != nil {
		return b.describe(), true
	}
	return PortInfo{}, false
}

// Blades lists all addresses that are served, in ascending order.
func (t *Target) Blades() []BladeInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.describeBlades((*blade).inForce)
}

// Blade describes what is kept for an address.
func (t *Target) Blade(addr aoe.Addr) (BladeInfo, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if b := t.blades[addr]; b != nil {
		return b.describe(), true
	}
	return BladeInfo{}, false
}

// Interfaces lists the interfaces that have ports, by name.
func (t *Target) Interfaces() []InterfaceInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]InterfaceInfo, 0, len(t.netifs))
	for _, n := range t.netifs {
		list = append(list, n.describe())
	}
	slices.SortFunc(list, func(a, b InterfaceInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Interface describes the interface of that name, if it has ports.
func (t *Target) Interface(name string) (InterfaceInfo, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if n := t.netifs[name]; n != nil {
		return n.describe(), true
	}
	return InterfaceInfo{}, false
}

// findBinding returns the binding of addr to netif, or nil; mu is held.
func (t *Target) findBinding(addr aoe.Addr, netif string) *binding {
	if blade := t.blades[addr]; blade != nil {
		for _, b := range blade.bindings {
			if b.netif == netif {
				return b
			}
		}
	}
	return nil
}
