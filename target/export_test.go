package target

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"time"

	"vbladefs/target/aoe"
)

// Borrowed is a worker whose turns a test takes itself.
type Borrowed struct {
	t    *Target
	w    *worker
	back chan struct{}
}

// Borrow stops the first worker of an interface between two turns, until Return.
func Borrow(t *Target, netif string) *Borrowed { return BorrowNumber(t, netif, 0) }

// BorrowNumber is Borrow of the i-th worker.
func BorrowNumber(t *Target, netif string, i int) *Borrowed {
	t.ops.Lock()
	defer t.ops.Unlock()
	b := &Borrowed{t: t, w: t.netifs[netif].workers[i], back: make(chan struct{})}
	lent := make(chan struct{})
	b.w.post(func() { close(lent); <-b.back })
	<-lent
	return b
}

func (b *Borrowed) Target() *Target { return b.t }
func (b *Borrowed) Turn() bool      { return b.w.turn() }
func (b *Borrowed) Return()         { close(b.back) }

// Hear counts a request of a host at a second of Unix time.
func (b *Borrowed) Hear(a aoe.Addr, src aoe.MAC, second uint32) {
	b.w.netif.table.Load().get(a).heard(hostKey(src), 1, second)
}

// Spoil fills the memory of the next replies, so that what is not written shows.
func (b *Borrowed) Spoil() {
	copy(b.w.scratch, bytes.Repeat([]byte{0xee}, 4*replyStride))
}

// With calls f while the worker has another link and queue, and nobody else
// asks anything of it: no announcement is repeated.
func (b *Borrowed) With(l Link, q Queue, f func()) {
	b.t.ops.Lock()
	defer b.t.ops.Unlock()
	b.w.turn()
	link, queue := b.w.link, b.w.queue
	b.w.link, b.w.queue = l, q
	f()
	b.w.link, b.w.queue = link, queue
}

// ForgetRules empties the lists and config strings of all blades.
func ForgetRules(t *Target) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, b := range t.blades {
		b.change(func(r *rules) { *r = rules{} })
	}
}

// InOrder is how many requests the order of a drive's device holds.
func InOrder(t *Target, drive string) int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	o := &t.byName[drive].device.Load().order
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.spans)
}

// Hurried reports whether somebody waits for the device of a drive to have
// nothing in flight.
func Hurried(t *Target, drive string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byName[drive].device.Load().order.hurries.Load() > 0
}

// Unreturned says which requests are not back in the pools; nothing may be in
// flight.
func Unreturned(t *Target) error {
	t.ops.Lock()
	defer t.ops.Unlock()
	for _, n := range t.netifs {
		if err := n.unreturned(); err != nil {
			return err
		}
		for p := range n.ports.all {
			if k := p.counts.inFlight.Load(); k != 0 {
				return fmt.Errorf("%s on %s: %d in flight", p.blade.addr, n.name(), k)
			}
		}
	}
	for _, d := range t.devices {
		if !d.order.idle() {
			return fmt.Errorf("%s: requests are left in its order", d.key)
		}
	}
	return nil
}

// Disagreeing says which ports have other rules, or another device, than their
// blade and drive, or another home than their device.
func Disagreeing(t *Target) error {
	t.ops.Lock()
	defer t.ops.Unlock()
	for _, n := range t.netifs {
		homes := map[*device]int{}
		for p := range n.ports.all {
			d := p.blade.drive.device.Load()
			homes[d]++
			if p.rules.Load() != p.blade.rules.Load() || p.device.Load() != d || p.addr != p.blade.addr || p.window != p.blade.drive.window {
				return fmt.Errorf("%s on %s: what it copied is not what it was copied from", p.blade.addr, n.name())
			}
			if h := d.homes[n]; h == nil || p.home.Load() != h.worker || h.worker.index >= n.lanes {
				return fmt.Errorf("%s on %s is not at home where %s is", p.blade.addr, n.name(), d.key)
			}
		}
		if err := n.disagreeing(homes); err != nil {
			return err
		}
	}
	return nil
}

// disagreeing checks what n counts; ports says how many each of its devices has.
func (n *netif) disagreeing(ports map[*device]int) error {
	devices := map[*worker]int{}
	for d, count := range ports {
		devices[d.homes[n].worker]++
		if d.homes[n].ports != count {
			return fmt.Errorf("%s on %s: %d ports are counted, and there are %d", d.key, n.name(), d.homes[n].ports, count)
		}
	}
	for _, w := range n.workers {
		if w.devices != devices[w] {
			return fmt.Errorf("%s, worker %d: %d devices are counted, and there are %d", n.name(), w.index, w.devices, devices[w])
		}
	}
	return nil
}

// unreturned waits for replies that are on their way at this moment, such as a
// query of the neighbours.
func (n *netif) unreturned() error {
	for tries := 0; ; tries++ {
		err := n.holding()
		if err == nil || tries == 5000 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func (n *netif) holding() error {
	errs := make(chan error, len(n.workers))
	n.postAll(func(w *worker) {
		var err error
		if free, waiting := len(w.pool.free), len(w.ready)+len(w.sending)+len(w.headers); free != w.target.requests || waiting != 0 {
			err = fmt.Errorf("%s, worker %d: %d of %d requests are in the pool, %d wait", n.name(), w.index, free, w.target.requests, waiting)
		}
		errs <- err
	})
	var all error
	for range n.workers {
		all = errors.Join(all, <-errs)
	}
	return all
}

// Homes says which worker serves each address on an interface, and how many
// devices each worker is the home of.
func Homes(t *Target, netif string) (addrs map[aoe.Addr]int, devices []int) {
	t.ops.Lock()
	defer t.ops.Unlock()
	n := t.netifs[netif]
	if n == nil {
		return nil, nil
	}
	addrs = map[aoe.Addr]int{}
	for p := range n.ports.all {
		addrs[p.blade.addr] = p.home.Load().index
	}
	for _, w := range n.workers {
		devices = append(devices, w.devices)
	}
	return addrs, devices
}

// SetDrainGrace changes how long removals wait for requests in flight.
func SetDrainGrace(d time.Duration) (old time.Duration) {
	old, drainGrace = drainGrace, d
	return old
}

// MostRounds is how many stores that hang are waited for.
const MostRounds = mostRounds

// Polls reports whether stores are to be asked for their size again.
func Polls(t *Target) bool {
	t.ops.Lock()
	defer t.ops.Unlock()
	return t.sizes.timer != nil
}

// MaxKeeping is how many replies of a worker may wait for the Keeper.
const MaxKeeping = maxKeeping

// Opening reports whether an operation asks something of a backing store.
func Opening(t *Target) bool {
	if t.opening.TryLock() {
		t.opening.Unlock()
		return false
	}
	return true
}

// SetReopening changes how long drives that are down are left alone, and how
// long an attempt to open one holds up the next.
func SetReopening(delay, wait time.Duration) (oldDelay, oldWait time.Duration) {
	oldDelay, oldWait = reopenDelay, patience
	reopenDelay, patience = delay, wait
	return oldDelay, oldWait
}

// SetOpenPatience changes how long operations wait for a store.
func SetOpenPatience(d time.Duration) (old time.Duration) {
	old, openPatience = openPatience, d
	return old
}

// Interrupt has an operation give up that waits for a store.
func Interrupt(t *Target) { t.interrupt() }

// Hanging is how many stores have not answered yet for which nobody waits any more.
func Hanging(t *Target) int { return int(t.hanging.Load()) }

// Neighbours is how many entries the table of an interface's neighbours has.
func Neighbours(t *Target, netif string) int {
	s := neighboursOf(t, netif)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, list := range s.table {
		n += len(list)
	}
	if n != s.entries {
		return -1
	}
	return n
}

// AwaitHeard returns when the replies that workers have heard on an interface are
// looked at: a last one is.
func AwaitHeard(t *Target, netif string) {
	s, last := neighboursOf(t, netif), reply{aoe.MAC{2}, aoe.Addr{Shelf: MaxShelf, Slot: MaxSlot}}
	for s.replies <- last; ; time.Sleep(time.Millisecond) {
		if _, found := s.lookup(last.addr); found {
			s.expireAddr(last.addr, time.Now().Add(time.Hour))
			return
		}
	}
}

// Age has all neighbours of an interface be heard that much longer ago.
func Age(t *Target, netif string, d time.Duration) {
	s := neighboursOf(t, netif)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.table {
		for i := range list {
			list[i].last = list[i].last.Add(-d)
		}
	}
}

// Look has what waits for a neighbour to go try again, as after a round.
func Look(t *Target, netif string) { t.look(neighboursOf(t, netif).netif) }

func neighboursOf(t *Target, netif string) *neighbours {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.netifs[netif].neighbours
}

// Intersect reports whether two patterns have a text in common.
func Intersect(a, b string) bool { return intersect(a, b) }

// BucketOf is the bucket of a Latency that a time is counted in.
func BucketOf(took time.Duration) int { return bucketOf(int64(took)) }

// LatenciesSize is what the latencies of a port take.
var LatenciesSize = reflect.TypeFor[latencies]().Size()

// MaxClients is how many initiators a worker remembers.
const MaxClients = maxClients

// Shed is how many requests the interface of the worker has dropped in overloads.
func (b *Borrowed) Shed() int { return int(b.w.netif.shed.Load()) }

// MostLooked is how many frames are weighed together.
const MostLooked = mostLooked

// SeedOverload says how the worker spreads flows over its buckets.
func (b *Borrowed) SeedOverload(seed uint64) { b.w.overload.seed = seed }

// Chooser weighs frames as in an overload.
type Chooser struct{ o *overload }

func NewChooser(seed uint64) Chooser {
	o := newOverload()
	o.seed = seed
	return Chooser{o}
}

// Choose returns those that are to be served, until the next call.
func (c Chooser) Choose(frames [][]byte) [][]byte {
	n := c.o.choose(copy(c.o.frames[:], frames))
	return c.o.frames[:n]
}

// Forget is what time does to the flows that were found heavy.
func (c Chooser) Forget() { c.o.forgets(c.o.forget + 1) }
