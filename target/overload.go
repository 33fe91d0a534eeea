package target

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"vbladefs/target/aoe"
)

// This file decides what is served of more frames than can be. A link holds a
// few milliseconds of them, and what comes when it is full is lost, whoever sent
// it: one that floods it would take everything from those that do not. So when half
// of it is full, and for a while after, a worker takes all that waits at once,
// serves who sent little, and drops most of the rest unserved, at a small part of
// what serving costs.
//
//	all that waits ─weigh─▶ no heavier than a well-behaved initiator ─────▶ served
//	                   └──▶ heavier: the lightest first, as many as fit ──▶ served
//	                                                          the rest ───▶ dropped
//
// A frame weighs as much as the heaviest flow that it is part of: what waits from
// one host for one export, from one host, and for one export. Many requests for
// data from one host for many exports, or of many hosts for one, are what
// some initiators do, so these weigh an eighth there; commands that initiators have
// no reason to repeat weigh all. Frames are dropped, never reordered.

const (
	// mostLooked is how many frames are looked at together; fewer if that were more
	// than half of what the link holds.
	mostLooked = 1024
	// lightFlow is the heaviest that is always served: what a port lets initiators
	// have outstanding, see defaultBuffers.
	lightFlow = 64
	// heavyServed is how many are served of heavy flows, beside the light ones: few, so
	// that who comes next does not wait long.
	heavyServed = 16
	// overloadHold is for how long nothing must have been dropped for an overload
	// to be over.
	overloadHold = 100 * time.Millisecond

	flowBuckets = 2048 // of each row; see buckets
	share       = 8    // the unit of weights: what a request for data weighs in all from its host, and for its export
)

// Backlog is a Link that knows how much it holds.
type Backlog interface {
	// Waiting returns how many frames wait to be received, and how many may.
	Waiting() (frames, most int)
}

// overload is what a worker knows of being asked more than it can do.
type overload struct {
	until  int64 // by the clock of the worker; 0: there is none
	looked int   // at most, at once
	seed   uint64

	frames                [mostLooked][]byte
	flows                 [mostLooked]flows
	weight                [mostLooked]uint16
	pairs, hosts, exports buckets

	heavy  bool  // there are flows that were found heavy
	forget int64 // when that is forgotten, by the clock of the worker
}

// buckets are flows of one kind: a count-min sketch. Each flow is in a bucket of
// each row, and weighs no more than the lighter of the two: flows that share one of
// them seldom share the other.
type buckets [2]struct {
	shares [flowBuckets]uint16 // of the frames that wait
	heavy  [flowBuckets]bool   // found so of late
}

// spot is where a flow is in each row.
type spot [2]uint16

// flows are the spots of the flows that a frame is part of, and what it adds to
// that of host and export together, and to those of each.
type flows struct {
	pair, host, export spot
	all, shares        uint16
}

func newOverload() *overload { return &overload{seed: rand.Uint64()} }

// watch is called when a whole batch has been received: more may wait.
func (o *overload) watch(w *worker) {
	b, ok := w.link.(Backlog)
	if !ok {
		return
	}
	if waiting, most := b.Waiting(); waiting >= most/2 && most > 2*batchFrames {
		o.until, o.looked = w.now()+int64(overloadHold), min(most/2, mostLooked)
	}
}

// lasts reports whether there is an overload.
func (o *overload) lasts(w *worker) bool {
	if o.until == 0 {
		return false
	}
	now := w.now()
	if o.forgets(now); o.until < now {
		o.until = 0
	}
	return o.until != 0
}

// choose moves those of the first n frames that are to be served to the front,
// in order, and returns how many.
func (o *overload) choose(n int) (chosen int) {
	if n <= lightFlow && !o.heavy {
		return n
	}
	o.weigh(n)
	room := o.room(n)
	for i, frame := range o.frames[:n] {
		if left := &room[class(o.weight[i])]; *left > 0 {
			*left--
			o.frames[chosen] = frame
			chosen++
		}
	}
	return chosen
}

// weigh fills weight.
func (o *overload) weigh(n int) {
	for _, b := range []*buckets{&o.pairs, &o.hosts, &o.exports} {
		clear(b[0].shares[:])
		clear(b[1].shares[:])
	}
	for i, frame := range o.frames[:n] {
		f := o.flowsOf(frame)
		o.flows[i] = f
		o.pairs.add(f.pair, f.all)
		o.hosts.add(f.host, f.shares)
		o.exports.add(f.export, f.shares)
	}
	for i := range n {
		if f := o.flows[i]; f.all == 0 {
			o.weight[i] = 0
		} else {
			o.weight[i] = max(o.weightIn(&o.pairs, f.pair), o.weightIn(&o.hosts, f.host), o.weightIn(&o.exports, f.export))
		}
	}
}

func (b *buckets) add(p spot, shares uint16) {
	b[0].shares[p[0]] += shares
	b[1].shares[p[1]] += shares
}

// weightIn is the weight of a flow; one that was found heavy stays so for a while,
// or it would be served as much as it may have outstanding each time.
func (o *overload) weightIn(b *buckets, p spot) uint16 {
	weight := min(b[0].shares[p[0]], b[1].shares[p[1]]) / share
	heavy0, heavy1 := &b[0].heavy[p[0]], &b[1].heavy[p[1]]
	if weight > lightFlow {
		*heavy0, *heavy1, o.heavy = true, true, true
	}
	if *heavy0 && *heavy1 {
		weight = max(weight, lightFlow+1)
	}
	return weight
}

// forgets has all flows be light again when their time is over, and gives them other
// spots: who has shared those of a flood has not for long.
func (o *overload) forgets(now int64) {
	if o.heavy && now > o.forget {
		for _, b := range []*buckets{&o.pairs, &o.hosts, &o.exports} {
			clear(b[0].heavy[:])
			clear(b[1].heavy[:])
		}
		o.heavy, o.forget = false, now+int64(overloadHold)
		o.seed = o.seed*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
	}
}

// classes of weights: 0 is always served, the others by powers of two.
const classes = 16

func class(weight uint16) int {
	if weight <= lightFlow {
		return 0
	}
	return bits.Len16(weight)
}

// room is how many frames of each class are served.
func (o *overload) room(n int) (room [classes + 1]int) {
	for _, weight := range o.weight[:n] {
		room[class(weight)]++
	}
	left := heavyServed
	for c := 1; c < len(room); c++ {
		room[c] = min(room[c], left)
		left -= room[c]
	}
	return room
}

// flowsOf says which flows a request is part of. Replies, and what is too short to be
// either, weigh nothing: to look at one is all that it costs, and whoever asks
// which addresses are served elsewhere must not miss an answer.
func (o *overload) flowsOf(frame []byte) (f flows) {
	addr, ok := aoe.PeekAddr(frame)
	if !ok || frame[14]&0x08 != 0 {
		return f
	}
	host := hostKey(aoe.MAC(frame[6:12]))
	export := uint64(addrNumber(addr))
	f = flows{pair: o.spot(host ^ export<<40), host: o.spot(host), export: o.spot(export), all: share, shares: share}
	switch {
	case addr.Wildcard():
		f.export = f.host // what is for all exports is not one flow
	case aoe.Command(frame[19]) == aoe.CmdATA:
		f.shares = 1
	}
	return f
}

// spot spreads keys in a way that nobody outside knows.
func (o *overload) spot(key uint64) spot {
	high, low := bits.Mul64(key^o.seed, 0x9e3779b97f4a7c15)
	hash := high ^ low
	return spot{uint16(hash % flowBuckets), uint16(hash >> 32 % flowBuckets)}
}
