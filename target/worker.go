package target

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"vbladefs/target/aoe"
)

const (
	batchFrames  = 64        // frames taken, and replies sent, with one call
	replyStride  = 2048 + 64 // a header or a whole small reply; off the power of two so that headers spread over the cache
	replyMaximum = 2048
	clockTurns   = 64 // after which a busy worker ticks: soon, and not felt
)

// worker serves one interface, or its share of it: one goroutine locked to its
// thread, which owns a link, an I/O queue and a pool of requests. A turn of it takes a batch of
// frames, answers what needs no disk, hands the rest to the queue, collects
// what the queue finished, and sends all replies with one call.
//
//	link ─frames─▶ frame ─▶ request ─┬─────────────▶ reply ─▶ send ─▶ link
//	                                 └▶ transfer ─▶ queue ─▶ reap ─▲
type worker struct {
	target *Target
	netif  *netif
	index  int     // among the workers of netif
	cpu    int     // to be pinned to, or noCPU
	link   Link    // nil while the interface is gone
	broken error   // why the link is of no more use
	deaf   bool    // takes no frames: see Handover
	mac    aoe.MAC // of the interface, as of this turn
	room   int     // bytes of the largest frame that it carries, as of this turn
	second uint32  // of Unix time, as of a few turns ago
	said   run     // of requests of this batch, to be counted
	began  time.Time
	clock  int64 // nanoseconds since then, as of this turn; 0: nobody has asked for it, see now
	ended  int64 // and as of the end of this turn; 0: nobody has asked for it

	received, sent Traffic // since the last tick

	opened  atomic.Pointer[Link] // the link, for its counters
	devices int                  // whose home this is; guarded by Target.ops

	keeping   int // replies that wait for the Keeper
	counted   int // keeping, when it was asked for last
	wildcards wildcards
	overload  *overload
	queue     Queue
	pool      *pool

	frames [batchFrames][]byte
	tokens [batchFrames]uint64
	errs   [batchFrames]error
	ready  []*request // blocked requests that may start now

	// The replies of this turn: what is sent, and the requests whose buffers
	// go back to the pool afterwards.
	scratch  []byte // batchFrames * replyStride
	headers  [][]byte
	payloads [][]byte
	sending  []*request
	bytes    int // of headers and payloads
	timed    []timedRun
	tracing  bool // the request that is being served is traced
	fate     fate // of it, if so

	initiators clients

	mail    mailbox
	stopped bool
	poll    polling
	done    chan struct{} // closed when run has returned
}

// mailbox takes what other goroutines want a worker to do between two turns.
type mailbox struct {
	waiting atomic.Bool
	mu      sync.Mutex
	calls   []func()   // guarded by mu
	ready   []*request // of this worker, unblocked by another; guarded by mu
}

func newWorker(t *Target, n *netif) (*worker, error) {
	w := &worker{target: t, netif: n, poll: polling{most: t.spin}, began: time.Now(), done: make(chan struct{}),
		wildcards: newWildcards(), overload: newOverload(),
		ready: make([]*request, 0, t.requests), scratch: make([]byte, batchFrames*replyStride),
		headers: make([][]byte, 0, batchFrames), payloads: make([][]byte, 0, batchFrames),
		sending: make([]*request, 0, batchFrames), timed: make([]timedRun, 0, batchFrames)}
	w.mail.ready = make([]*request, 0, t.requests)
	memory, err := t.parts.AllocBuffers(PoolBytes(t.requests))
	if err != nil {
		return nil, err
	}
	if w.queue, err = t.parts.OpenQueue(); err != nil {
		_ = t.parts.FreeBuffers(memory)
		return nil, err
	}
	if q, ok := w.queue.(BufferRegistrar); ok {
		q.RegisterBuffers(memory)
	}
	w.pool = newPool(w, memory, t.requests)
	return w, nil
}

// run is the worker's goroutine, from start to stop.
func (w *worker) run() {
	runtime.LockOSThread()
	defer close(w.done)
	w.pin()
	w.takeTurns()
	for turns := 0; !w.stopped; turns++ {
		if turns%clockTurns == 0 {
			w.tick(time.Now())
		}
		if w.turn() {
			continue
		}
		w.idle()
	}
	w.tick(time.Now())
	w.closeLink()
	if err := w.queue.Close(); err != nil {
		w.target.log.WithError(err).Error("closing an I/O queue; its memory stays, as it may be in use still")
		return
	}
	_ = w.target.parts.FreeBuffers(w.pool.memory)
}

// idle looks for work a short time longer, since waking a sleeping processor
// costs several times what serving a request does; then it sleeps.
func (w *worker) idle() {
	start := time.Now()
	w.tick(start)
	for now := start; now.Sub(start) < w.poll.window; {
		w.sawClock(now)
		if w.turn() || w.stopped {
			return
		}
		began := now
		now = time.Now()
		w.poll.looked(began, now)
	}
	fd := -1
	if w.link != nil && !w.deaf {
		fd = w.link.FD()
	}
	if err := w.queue.Wait(fd, -1); err != nil {
		w.target.log.WithError(err).Error("worker cannot sleep; polling instead")
		time.Sleep(time.Millisecond)
	}
	woken := time.Now()
	w.poll.slept(start, woken)
	w.tick(woken)
	w.sawClock(woken)
}

// sawClock makes now the time of the turn that comes next.
func (w *worker) sawClock(now time.Time) { w.clock = int64(now.Sub(w.began)) }

// tick sets the second of w, and shows what passed its link.
func (w *worker) tick(now time.Time) {
	w.second = uint32(now.Unix())
	w.netif.received.take(&w.received)
	w.netif.sent.take(&w.sent)
}

// now is the time of this turn, in nanoseconds since w began: that of the reading at
// the end of the turn before, or if there was none, that of the first call. One
// reading of the clock costs as much as a third of a request.
func (w *worker) now() int64 {
	if w.clock == 0 {
		w.clock = int64(time.Since(w.began))
	}
	return w.clock
}

// turn does all that can be done now, and reports whether there was anything.
func (w *worker) turn() bool {
	busy := false
	info := w.netif.info.Load()
	w.mac, w.room, w.wildcards.made, w.ended = aoe.MAC(info.MAC), w.netif.mtu()+aoe.EthernetSize, 0, 0
	if w.mail.waiting.Load() {
		w.readMail()
		busy, w.clock = true, 0 // what it called may have waited
	}
	if w.link != nil && !w.deaf && w.receive() {
		busy = true
	}
	if w.goOn() {
		busy = true
	}
	if w.reap() {
		busy = true
	}
	w.send()
	if w.broken != nil {
		w.lose(w.broken)
		busy = true
	}
	if busy {
		w.clock = w.ended // what comes next has come since then
	}
	return busy
}

// receive takes one batch of frames and serves them, or in an overload all that wait
// and serves some.
func (w *worker) receive() bool {
	room, overloaded := w.frames[:], w.overload.lasts(w)
	if overloaded {
		room = w.overload.frames[:w.overload.looked]
	}
	n, err := w.link.Receive(room)
	if err != nil {
		w.broken = err
		return true
	}
	if n == 0 {
		return false
	}
	if n == batchFrames && !overloaded {
		w.overload.watch(w)
	}
	chosen := room[:n]
	if overloaded {
		chosen = w.choose(n)
	}
	w.serveFrames(chosen, n)
	w.link.Release()
	return true
}

// serveFrames serves the frames that are chosen of n.
func (w *worker) serveFrames(chosen [][]byte, n int) {
	table, bytes := w.netif.table.Load(), 0
	for len(chosen) > 0 {
		batch := chosen[:min(len(chosen), batchFrames)]
		chosen = chosen[len(batch):]
		if len(batch) > 1 {
			touch(table, batch)
		}
		for _, frame := range batch {
			bytes += len(frame)
			w.frame(table, frame)
		}
		w.endRun()
	}
	w.received.batch(n, bytes)
}

// choose returns which of the first n frames of the overload are to be served.
func (w *worker) choose(n int) [][]byte {
	chosen := w.overload.choose(n)
	if chosen < n {
		w.overload.until = w.now() + int64(overloadHold)
		w.netif.shed.Add(uint64(n - chosen))
	}
	return w.overload.frames[:chosen]
}

// touch reads what the requests of a batch need of their ports and devices, so
// that the processor fetches it for all at once: of thousands of exports its
// caches hold none, and one request after the other would wait for each.
func touch(t *table, frames [][]byte) {
	for _, frame := range frames {
		if a, ok := aoe.PeekAddr(frame); ok {
			if p := t.get(a); p != nil {
				p.counts.inFlight.Load()
				p.device.Load().store.SizeBytes()
			}
		}
	}
}

// reap collects what the queue finished.
func (w *worker) reap() bool {
	n := w.queue.Reap(w.tokens[:], w.errs[:])
	for i, token := range w.tokens[:n] {
		w.finish(&w.pool.requests[token], w.errs[i])
		w.errs[i] = nil
	}
	return n > 0
}

// send sends the replies of this turn and takes their requests back.
func (w *worker) send() {
	if len(w.headers) == 0 {
		return
	}
	if w.link != nil && w.broken == nil {
		// Frames of this batch may still be borrowed, so the end of the turn
		// gives a broken link up.
		_, w.broken = w.link.Send(w.headers, w.payloads)
		w.sent.batch(len(w.headers), w.bytes)
	}
	w.countTimed()
	w.headers, w.payloads, w.bytes = w.headers[:0], w.payloads[:0], 0
	for _, r := range w.sending {
		w.pool.put(r)
	}
	w.sending = w.sending[:0]
}

// lose gives up a link that is of no more use; the target looks for the
// interface again.
func (w *worker) lose(err error) {
	w.closeLink()
	go w.target.linkLost(w.netif, err)
}

// closeLink closes the link, if there is one, and keeps its counts.
func (w *worker) closeLink() {
	w.netif.linked.Store(false)
	if w.link == nil {
		return
	}
	_ = w.link.Close()
	w.opened.Store(nil)
	w.netif.keepDrops(w.link)
	w.link, w.broken = nil, nil
}

// reply makes room for one more reply and returns it, zeroed as far as every
// reply is padded. The caller fills it and calls queueReply before the next.
func (w *worker) reply() []byte {
	w.makeRoom()
	start := len(w.headers) * replyStride
	b := w.scratch[start : start+replyMaximum : start+replyMaximum]
	clear(b[:aoe.MinFrame])
	return b
}

// makeRoom sends the replies of this turn so far when there is no room for another.
func (w *worker) makeRoom() {
	if len(w.headers) == batchFrames {
		w.sendEarly()
	}
}

// sendEarly sends the replies to what came so far of a batch.
func (w *worker) sendEarly() {
	w.endRun()
	w.send()
}

// queueReply queues the reply frame header+payload; r, if not nil, goes back
// to the pool once it has been sent.
func (w *worker) queueReply(header, payload []byte, r *request) {
	w.headers = append(w.headers, header)
	w.payloads = append(w.payloads, payload)
	w.bytes += len(header) + len(payload)
	if r != nil {
		w.sending = append(w.sending, r)
	}
}

// padded is the reply in b whose meaningful part ends at end, b being zero
// behind it up to the smallest frame.
func padded(b []byte, end int) []byte { return b[:max(end, aoe.MinFrame)] }

// post has the worker call f between two turns.
func (w *worker) post(f func()) {
	w.mail.mu.Lock()
	w.mail.calls = append(w.mail.calls, f)
	w.mail.waiting.Store(true)
	w.mail.mu.Unlock()
	w.queue.Wake()
}

// postReady hands a request of w that another worker unblocked back to it.
func (w *worker) postReady(r *request) {
	w.mail.mu.Lock()
	w.mail.ready = append(w.mail.ready, r)
	w.mail.waiting.Store(true)
	w.mail.mu.Unlock()
	w.queue.Wake()
}

func (w *worker) readMail() {
	w.mail.mu.Lock()
	w.mail.waiting.Store(false)
	calls := w.mail.calls
	w.mail.calls = nil
	w.ready = append(w.ready, w.mail.ready...)
	w.mail.ready = w.mail.ready[:0]
	w.mail.mu.Unlock()
	w.startReady()
	w.send() // a barrier promises that earlier replies are out
	for _, call := range calls {
		call()
	}
}
