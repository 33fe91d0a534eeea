package initiator

import (
	"fmt"
	"time"

	"vbladefs/target/aoe"
)

// Options of an Engine. The zero value is what Open uses for tests: the window
// that the target advertises, the iPXE way to retransmit, 10 s to live.
type Options struct {
	// Window is the most frames outstanding. 0 takes the buffer count that the
	// target advertises; more than that is overload, and legal to drop.
	Window int
	// MaxSectors per frame. 0 takes the smaller of what the target advertises
	// and what the MTU carries; it can only lower that.
	MaxSectors int
	Retransmit Retransmit
	// Timeout is how long a frame is tried. 0 means 10 s, or with
	// RetransmitLinux the 180 s of its aoe_deadsecs.
	Timeout time.Duration
	// FirstRTO is the first retransmission timeout: 0 means 250 ms for
	// RetransmitSame and 16.5 s for RetransmitLinux, as those clients have it.
	FirstRTO time.Duration
	// MostRTO bounds the timeout that RetransmitSame doubles. 0 is no bound.
	MostRTO time.Duration
	// FindTimeout is how long Open asks for the export. 0 means 3 s.
	FindTimeout time.Duration
	// LBA28 uses 28-bit commands although the export has 48-bit ones.
	LBA28 bool
	// Follow has requests go to another MAC when that announces the address:
	// the export has moved to another host.
	Follow bool
	// Clock replaces the monotonic clock, for tests.
	Clock func() time.Duration
}

func (o Options) findTimeout() time.Duration {
	if o.FindTimeout <= 0 {
		return 3 * time.Second
	}
	return o.FindTimeout
}

// peer is the other end as an Engine needs to know it.
type peer struct {
	addr     aoe.Addr
	mac      aoe.MAC
	sectors  int    // most of one frame
	capacity uint64 // in sectors
	lba28    bool
}

// slot is one frame of the window.
type slot struct {
	io       *IO // nil when the slot is free
	peer     int // that its last frame went to
	head     []byte
	body     []byte // payload of a write; where a read's data goes
	lba      uint64
	tag      uint32
	ata      uint8 // command register, for errors
	first    time.Duration
	sent     time.Duration
	rto      time.Duration
	retries  int
	deferred bool // expired and not sent again yet
	past     generations
}

// Engine keeps up to a window of frames outstanding to one export, or to the
// exports of one OpenAll together. See the package's description; it is made by
// Open and OpenAll. It is for one goroutine.
type Engine struct {
	link  Link
	local aoe.MAC
	peers []peer
	opt   Options
	clock func() time.Duration
	now   time.Duration

	slots []slot
	free  []int // slots without an IO
	heads []byte
	tags  tagSpace
	pace  pacer

	pending     *IO // IOs with frames to send, first to last
	pendingLast *IO
	deferred    int      // slots that wait to be sent again
	resendFrom  int      // where the search for them goes on
	outHeads    [][]byte // frames of this Push, in order
	outBodies   [][]byte

	batch    [][]byte
	done     []*IO
	nextTick time.Duration
	counters Counters
}

// newEngine makes an engine; opt.Window is its window as it stands.
func newEngine(link Link, local aoe.MAC, to []peer, opt Options) *Engine {
	n := opt.Window
	e := &Engine{link: link, local: local, peers: to, opt: opt, clock: opt.Clock,
		slots: make([]slot, n), free: make([]int, n), heads: make([]byte, n*aoe.ATASize), tags: newTagSpace(n),
		outHeads: make([][]byte, 0, n), outBodies: make([][]byte, 0, n),
		batch: make([][]byte, receiveBatch), done: make([]*IO, 0, n+receiveBatch)}
	if e.clock == nil {
		start := time.Now()
		e.clock = func() time.Duration { return time.Since(start) }
	}
	e.pace = newPacer(opt, n)
	first := newTag()
	for i := range e.slots {
		e.slots[i].past.current = first
		e.free[i] = n - 1 - i
	}
	e.now = e.clock()
	e.nextTick = e.now + e.pace.tick
	return e
}

// Counters is what the engine has seen. It may be read between calls.
func (e *Engine) Counters() *Counters { return &e.counters }

// Outstanding is the number of frames that wait for a reply.
func (e *Engine) Outstanding() int { return len(e.slots) - len(e.free) }

// Now is the engine's time: that of the last Poll or Push.
func (e *Engine) Now() time.Duration { return e.now }

// Submit takes an IO to be sent by the next Push. It does not wait and has no
// limit: IOs beyond the window queue up in order.
func (e *Engine) Submit(io *IO) error {
	if io.Peer < 0 || io.Peer >= len(e.peers) {
		return fmt.Errorf("%v to export %d of %d: %w", io.Op, io.Peer, len(e.peers), ErrRange)
	}
	if err := io.check(e.peers[io.Peer].sectors, e.peers[io.Peer].capacity); err != nil {
		return err
	}
	io.Err, io.offset, io.frames, io.active, io.waiting = nil, 0, 0, true, nil
	io.Sent, io.Done = -1, 0
	if e.pending == nil {
		e.pending = io
	} else {
		e.pendingLast.waiting = io
	}
	e.pendingLast = io
	return nil
}

// Push sends what is due: expired frames again first, then frames of the IOs
// submitted, as far as the window allows. An error means that the link is
// broken, never that it dropped a frame.
func (e *Engine) Push() error {
	if e.pending == nil && e.deferred == 0 {
		return nil // the usual turn of a spinning loop: not even the clock
	}
	e.now = e.clock()
	room := e.pace.window - (e.Outstanding() - e.deferred)
	room = e.pushDeferred(room)
	for ; room > 0 && e.pending != nil && len(e.free) > 0; room-- {
		e.pushNext()
	}
	return e.send()
}

// pushNext makes the next frame of the first pending IO.
func (e *Engine) pushNext() {
	io := e.pending
	n := len(e.free) - 1
	i := e.free[n]
	e.free = e.free[:n]
	s := &e.slots[i]
	s.io, s.peer, s.first, s.retries, s.rto = io, io.Peer, e.now, 0, e.pace.firstRTO
	e.prepare(i, s)
	io.frames++
	if io.Sent < 0 {
		io.Sent = e.now
	}
	if !io.more() {
		e.pending, io.waiting = io.waiting, nil
	}
	e.queue(s)
}

// queue has slot i sent by this Push, under the tag that it has.
func (e *Engine) queue(s *slot) {
	s.sent = e.now
	if io := s.io; len(io.Copies) < cap(io.Copies) {
		io.Copies = append(io.Copies, e.now)
	}
	e.outHeads = append(e.outHeads, s.head)
	e.outBodies = append(e.outBodies, s.payload())
}

// retag gives slot i its next tag.
func (e *Engine) retag(i int, s *slot) {
	s.past.next()
	s.tag = e.tags.tag(i, s.past.current)
	putTag(s.head, s.tag)
}

// send gives the link all frames queued. Those that it drops run into their
// timeout like any others that are lost.
func (e *Engine) send() error {
	if len(e.outHeads) == 0 {
		return nil
	}
	sent, err := e.link.Send(e.outHeads, e.outBodies)
	e.counters.Sent += uint64(sent)
	e.counters.SendDrops += uint64(len(e.outHeads) - sent)
	e.outHeads, e.outBodies = e.outHeads[:0], e.outBodies[:0]
	if err != nil {
		return fmt.Errorf("sending to %v: %w", e.peers[0].mac, err)
	}
	return nil
}

// Idle reports whether nothing is outstanding or pending.
func (e *Engine) Idle() bool { return e.pending == nil && len(e.free) == len(e.slots) }

// Wait sleeps until a frame may have arrived, a retransmission may be due or
// most has passed. Load generators spin on Poll instead.
func (e *Engine) Wait(most time.Duration) {
	waitReadable(e.link.FD(), min(most, e.nextTick-e.now))
}

// Do submits one IO and waits for it. No other IO may be outstanding.
func (e *Engine) Do(io *IO) error {
	if !e.Idle() {
		return ErrBusy
	}
	if err := e.Submit(io); err != nil {
		return err
	}
	for {
		if err := e.Push(); err != nil {
			return err
		}
		done, err := e.Poll()
		if err != nil {
			return err
		}
		if len(done) > 0 {
			return io.Err
		}
		e.Wait(time.Second)
	}
}
