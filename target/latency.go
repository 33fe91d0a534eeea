package target

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"vbladefs/target/aoe"
)

// Transfer is a kind of request that needs the backing store.
type Transfer uint8

// The kinds of transfers.
const (
	ReadTransfer Transfer = iota
	WriteTransfer
	FlushTransfer // and SET FEATURES that turns the write cache off, which flushes
	Transfers     // how many kinds there are
)

// String is the kind in one word.
func (k Transfer) String() string { return [...]string{"read", "write", "flush"}[k] }

// LatencyBuckets is how many buckets a Latency has.
const LatencyBuckets = 23

// LatencyBound is the longest time of what bucket i counts: 1 µs for the first, and
// twice as long for each that follows, to 2.1 s. The last has no bound, and is not
// asked for.
func LatencyBound(i int) time.Duration { return time.Microsecond << i }

// Latency counts transfers by how long they took: from when a worker took the frame
// from the link, with its batch, to when the reply was sent, with its batch. Those
// that ended with an ATA error count, those that were not answered do not.
type Latency struct {
	Counts [LatencyBuckets]uint64 // each of its bucket alone
	Sum    time.Duration
}

// Latencies are those of each kind of transfer.
type Latencies [Transfers]Latency

// Add adds o to l.
func (l *Latency) Add(o *Latency) {
	for i, n := range o.Counts {
		l.Counts[i] += n
	}
	l.Sum += o.Sum
}

// Add adds o to l.
func (l *Latencies) Add(o *Latencies) {
	for k := range l {
		l[k].Add(&o[k])
	}
}

// Count is how many transfers there were.
func (l *Latency) Count() (n uint64) {
	for _, c := range l.Counts {
		n += c
	}
	return n
}

// Mean is how long they took on the average; 0 without any.
func (l *Latency) Mean() time.Duration {
	if n := l.Count(); n > 0 {
		return l.Sum / time.Duration(n)
	}
	return 0
}

// Quantile is a time that no more than 1-q of them took longer than: the bound of
// its bucket. Of the last bucket it is twice the bound before. 0 without any.
func (l *Latency) Quantile(q float64) time.Duration {
	total := l.Count()
	if total == 0 {
		return 0
	}
	wanted := min(max(uint64(math.Ceil(q*float64(total))), 1), total)
	i := 0
	for sum := l.Counts[0]; sum < wanted; sum += l.Counts[i] {
		i++
	}
	return LatencyBound(i)
}

// bucketOf is the bucket of a time in nanoseconds.
func bucketOf(took int64) int {
	if took <= 0 {
		return 0
	}
	return min(bits.Len64(uint64((took-1)/int64(time.Microsecond))), LatencyBuckets-1)
}

// latencies are the Latencies of a port: 576 bytes, a size class of the allocator, made
// with the first transfer. The home of the port writes them, anyone reads them.
type latencies [Transfers]struct {
	counts [LatencyBuckets]atomic.Uint64
	sum    atomic.Int64
}

// addTo adds l, which may be nil, to sum.
func (l *latencies) addTo(sum *Latencies) {
	if l == nil {
		return
	}
	for k := range l {
		for i := range l[k].counts {
			sum[k].Counts[i] += l[k].counts[i].Load()
		}
		sum[k].Sum += time.Duration(l[k].sum.Load())
	}
}

// timedRun is transfers of one port that began in one turn and are answered in one turn,
// one after the other: they take the same time.
type timedRun struct {
	port    *port
	host    uint64 // by hostKey
	began   int64  // by the clock of the worker
	n       uint32
	sectors uint32
	kind    Transfer
}

// time notes that r is answered with the replies that are sent next.
func (w *worker) time(r *request, kind Transfer) {
	host := hostKey(r.header.Dst)
	if last := len(w.timed) - 1; last >= 0 {
		if t := &w.timed[last]; t.port == r.port && t.began == r.began && t.kind == kind && t.host == host {
			t.n++
			t.sectors += uint32(r.sectors)
			return
		}
	}
	w.timed = append(w.timed, timedRun{r.port, host, r.began, 1, uint32(r.sectors), kind})
}

// countTimed counts what was answered with the replies that have just been sent. The
// clock is read once for all of it.
func (w *worker) countTimed() {
	if len(w.timed) == 0 {
		return
	}
	w.ended = int64(time.Since(w.began))
	for i := range w.timed {
		t := &w.timed[i]
		took := max(w.ended-t.began, 0)
		l := &t.port.timesOf()[t.kind]
		l.counts[bucketOf(took)].Add(uint64(t.n))
		l.sum.Add(took * int64(t.n))
		w.initiators.count(t, took, w.second)
	}
	w.timed = w.timed[:0]
}

// timesOf is where the times of p are counted.
func (p *port) timesOf() *latencies {
	if l := p.times.Load(); l != nil {
		return l
	}
	p.times.CompareAndSwap(nil, new(latencies)) // another worker may have had the same thought
	return p.times.Load()
}

// transferKind is the kind of op.
func transferKind(op Op) Transfer {
	switch op {
	case OpRead:
		return ReadTransfer
	case OpFlush, opBarrier:
		return FlushTransfer
	}
	return WriteTransfer
}

// addTimes adds those of all ports that b has and had.
func (b *binding) addTimes(sum *Latencies) {
	if b.pastTimes != nil {
		sum.Add(b.pastTimes)
	}
	for _, p := range b.ports {
		p.times.Load().addTo(sum)
	}
}

// keepTimes takes over what a port of b that goes has counted; mu is held.
func (b *binding) keepTimes(p *port) {
	if l := p.times.Load(); l != nil {
		if b.pastTimes == nil {
			b.pastTimes = new(Latencies)
		}
		l.addTo(b.pastTimes)
	}
}

// Latencies are those of an address, on all its interfaces, since its ports were
// added; false: there is no such address.
func (t *Target) Latencies(addr aoe.Addr) (sum Latencies, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	blade := t.blades[addr]
	if blade == nil {
		return sum, false
	}
	for _, b := range blade.bindings {
		b.addTimes(&sum)
	}
	return sum, true
}
