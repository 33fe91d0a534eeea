package target

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vbladefs/target/aoe"
)

// device is a backing store, opened and claimed once however many drives name
// it: the order of overlapping requests, the flush and the size belong to it.
//
// What a request needs comes first: of thousands of devices the processor's
// caches hold none, and each line counts.
type device struct {
	store          Store
	loser          Loser // the store, if it is one
	initiatorCache initiatorCache
	// durable is whether cache leaves nothing volatile, for workers to read.
	durable atomic.Bool
	// paused has its ATA commands go unanswered.
	paused atomic.Bool
	order  order

	asking sync.Mutex    // held while the store is asked for its size or closed; taken last, or by who holds nothing else
	gone   bool          // the store is closed; guarded by asking
	told   atomic.Uint64 // sectors, as initiators know it

	changing sync.Mutex       // held while cache changes; comes before Target.ops
	key      string           // as Parts.Identify names it
	cache    Cache            // changed with changing, Target.ops and Target.mu held
	note     string           // what an administrator should know of the store; guarded by Target.mu
	users    int              // drives; guarded by Target.ops
	homes    map[*netif]*home // where it has ports; guarded by Target.ops
}

// sectors is the capacity of d.
func (d *device) sectors() uint64 { return uint64(d.store.SizeBytes()) / aoe.SectorSize }

// volatileCache is what IDENTIFY tells of the write cache.
func (d *device) volatileCache() bool { return !d.durable.Load() && !d.initiatorCache.off() }

// setCache makes c the write policy of d; Target.mu is held.
func (d *device) setCache(c Cache) {
	d.cache = c
	d.durable.Store(c == CacheDurable)
}

// drive is a named backing store as initiators see it.
type drive struct {
	name     string
	path     string // changed with Target.ops and Target.mu held, as all up to the next line
	access   Access
	wished   Access // what access was before it became AccessReadOnly; that, if it has always been
	cache    Cache  // to be opened with while it is down; the device has the present one
	force    bool   // opened even if someone else has claimed it
	thin     bool   // zeros are not written but punched
	implicit bool   // made by Export: goes with its last blade
	window   window // never changes
	down     string // why it has no device; empty: it has one

	identity atomic.Pointer[Identity]
	device   atomic.Pointer[device] // nil while it is down
	blades   sequence[*blade]       // guarded by Target.mu
	bindings sequence[*binding]     // guarded by Target.mu
	place    place[*drive]          // in Target.drives

	waits  place[*drive] // in Target.absent
	trying bool          // to open its store; guarded by Target.ops
}

// readOnly reports whether writes to d are refused.
func (d *drive) readOnly() bool {
	dev := d.device.Load()
	return d.access == AccessReadOnly || dev != nil && dev.store.ReadOnly()
}

// setDevice puts dev under d and its ports; Target.ops is held.
func (d *drive) setDevice(dev *device) {
	d.device.Store(dev)
	for p := range d.eachPort() {
		p.attend(dev)
	}
}

// blade is an AoE address that serves a drive.
type blade struct {
	addr     aoe.Addr
	drive    *drive
	bindings []*binding // guarded by Target.mu
	rules    atomic.Pointer[rules]
	rulesMu  sync.Mutex            // serialises changes of rules and ahead
	ahead    []*rules              // with changes by initiators that are not durable yet, each with all before it; guarded by rulesMu; see keep.go
	ports    []*port               // that have the rules, too; guarded by rulesMu
	trace    atomic.Pointer[Trace] // what was recorded last; nil: nothing
	place    place[*blade]         // in drive.blades
}

// rules is what the protocol and the administrator keep for one address. It is
// immutable: a change replaces it.
type rules struct {
	config  []byte
	masks   []aoe.MAC // the protocol's MAC mask list
	reserve []aoe.MAC // the protocol's reserve list
	accept  []aoe.MAC // configured: these alone are answered
	deny    []aoe.MAC // configured: these are not
	access  *permissions
	loud    bool   // configured: announced to all, whatever the rest says
	edit    *edit  // the last change by an initiator; nil: none so far
	trace   *Trace // what records the requests; nil: nothing
}

// admits reports whether src gets any answer.
func (r *rules) admits(src aoe.MAC) bool {
	return (len(r.deny) == 0 || !slices.Contains(r.deny, src)) &&
		(len(r.masks) == 0 || slices.Contains(r.masks, src)) &&
		(len(r.accept) == 0 || slices.Contains(r.accept, src))
}

// reservedFor reports whether src may use the drive as far as reservations go.
func (r *rules) reservedFor(src aoe.MAC) bool {
	return len(r.reserve) == 0 || slices.Contains(r.reserve, src)
}

// announceTo is who learns of p: all, or the hosts that the lists name, if any. A
// broadcast would tell those that are denied, so with a deny list alone it is
// neither, and nil: the initiators that have been heard are told.
func (r *rules) announceTo() (listed []aoe.MAC, all bool) {
	switch {
	case r.loud:
		return nil, true
	case r.access.at(ReadConfig) != nil:
		return r.access.at(ReadConfig).hosts, false
	case len(r.accept) > 0:
		return r.accept, false
	case len(r.masks) > 0:
		return r.masks, false
	}
	return nil, len(r.deny) == 0
}

// change replaces b's rules by what edit makes of a copy of them; edit must
// replace slices, not write into them.
func (b *blade) change(edit func(*rules)) {
	b.rulesMu.Lock()
	defer b.rulesMu.Unlock()
	for i, r := range slices.Backward(b.ahead) {
		next := *r
		edit(&next)
		b.ahead[i] = &next
	}
	next := *b.rules.Load()
	edit(&next)
	b.publish(&next)
}

// publish makes r the rules of b and its ports; rulesMu is held.
func (b *blade) publish(r *rules) {
	b.rules.Store(r)
	for _, p := range b.ports {
		p.rules.Store(r)
	}
}

// noRules are the rules of most blades.
var noRules rules

// govern gives p the rules of its blade, now and when they change.
func (b *blade) govern(p *port) {
	b.rulesMu.Lock()
	defer b.rulesMu.Unlock()
	p.rules.Store(b.rules.Load())
	b.ports = append(b.ports, p)
}

// release ends what govern began.
func (b *blade) release(p *port) {
	b.rulesMu.Lock()
	defer b.rulesMu.Unlock()
	b.ports = slices.DeleteFunc(b.ports, func(o *port) bool { return o == p })
}

// binding is a blade on an interface, or on every one, as it was configured.
type binding struct {
	blade   *blade
	netif   string // a name or a pattern, see pattern.go
	buffers uint16
	sectors uint8
	quiet   bool
	force   bool    // even if another machine answers for the address
	ports   []*port // one for each interface that it is on now; guarded by Target.mu
	past    Stats   // of the ports that it had on interfaces since gone; guarded by Target.mu
	// pastTimes are theirs, too; nil: none. Guarded by Target.mu.
	pastTimes *Latencies

	held  map[string]string // why it has no port on an interface, by that; changed with Target.ops and Target.mu held
	wants place[*binding]   // in Target.wanting

	inTarget, inDrive place[*binding] // in the bindings of either
}

// port is a binding on one interface: what a worker needs to serve it. What a
// request needs comes first, as in device; some of it is a copy of what belongs
// to the blade and the drive.
type port struct {
	addr    aoe.Addr               // the blade's
	buffers atomic.Int32           // requests that may be in flight
	sectors atomic.Int32           // most sectors of a request on this interface, as advertised; 0: not served
	most    atomic.Int32           // and as served: what was advertised once, as far as frames hold it
	locked  atomic.Bool            // the drive takes no writes, whatever its device says
	thin    atomic.Bool            // the drive's: zeros are not written but punched
	home    atomic.Pointer[worker] // serves its address, and no other does
	rules   atomic.Pointer[rules]  // the blade's
	device  atomic.Pointer[device] // the drive's
	window  window                 // the drive's
	latest  atomic.Uint64          // the initiator of the last request, by hostKey; see heard
	seen    atomic.Uint32          // the second of that request
	repeats atomic.Uint32          // requests of latest in that second
	lost    atomic.Uint64          // losses of the device that a flush was failed for
	counts  counters

	times     atomic.Pointer[latencies] // nil before the first transfer
	hosts     *hosts
	conflicts conflicts

	binding *binding
	blade   *blade
	netif   *netif
	place   place[*port] // in netif.ports
	claimed int          // the index of the interface that addr is claimed on, see occupy; guarded by Target.ops
}

// capacity is how many sectors p, which leads to d, has.
func (p *port) capacity(d *device) uint64 { return p.window.capacity(d.sectors()) }

// readOnly reports whether writes to p, which leads to d, are refused. A drive
// that is to stay read-only is locked before its device begins to take writes.
func (p *port) readOnly(d *device) bool { return d.store.ReadOnly() || p.locked.Load() }

// counters are a port's statistics. The workers of its interface write them,
// mostly its home, and anyone reads them.
type counters struct {
	inFlight             atomic.Int32
	failedAt             atomic.Uint32 // the second of the last transfer that failed; 0: none has
	reads, readSectors   atomic.Uint64
	writes, writeSectors atomic.Uint64
	others, errors       atomic.Uint64
	failures             atomic.Uint64 // transfers that failed, among the errors
	dropped, announces   atomic.Uint64
	ataErrors, full      atomic.Uint64
	depth                atomic.Uint64
	// nanoseconds
	readTime, writeTime, otherTime atomic.Int64
}

// addTo adds c to s.
func (c *counters) addTo(s *Stats) {
	s.Add(Stats{
		Reads:        c.reads.Load(),
		ReadSectors:  c.readSectors.Load(),
		Writes:       c.writes.Load(),
		WriteSectors: c.writeSectors.Load(),
		Others:       c.others.Load(),
		Errors:       c.errors.Load(),
		Dropped:      c.dropped.Load(),
		Announces:    c.announces.Load(),
		ATAErrors:    c.ataErrors.Load(),
		Full:         c.full.Load(),
		Depth:        c.depth.Load(),
		ReadTime:     time.Duration(c.readTime.Load()),
		WriteTime:    time.Duration(c.writeTime.Load()),
		OtherTime:    time.Duration(c.otherTime.Load()),
		InFlight:     uint64(max(c.inFlight.Load(), 0)),
	})
}

// portSectors is how many sectors a request may have on an interface of the
// given MTU: what is configured if the frame holds it; else what the frame
// holds, above 8 rounded down to a multiple of 8 so that the blocks of 4 KiB
// that initiators cut requests into stay aligned (PROTOCOL.md §1.2).
func portSectors(mtu int, configured uint8) int {
	fits := min(aoe.Sectors(mtu), maxSectors)
	if configured != 0 {
		return min(int(configured), fits)
	}
	if fits > 8 {
		fits &^= 7
	}
	return fits
}
