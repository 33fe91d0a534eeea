package target

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// A Trace is told of each request to one address while it is open. Workers append to a
// buffer of fixed size, under a lock that a reader takes only to exchange the buffer
// for an empty one; what has no room is counted. Where no Trace is open, a request costs
// one look at the rules of its port, which it needs anyway.
//
//	worker ─add─▶ filling ─exchange─▶ Read

// traceRoom is how many events wait for a reader, at most.
const traceRoom = 4096

// maxTraces is how many readers an address may have.
const maxTraces = 8

// ErrTraced is the refusal of more readers than there may be.
var ErrTraced = errors.New("too many readers of one trace")

// TraceOutcome is what became of a request.
type TraceOutcome uint8

// What becomes of requests.
const (
	TraceSilent   TraceOutcome = iota // not answered: not allowed, malformed, or a config string that does not match
	TraceDone                         // answered with what was asked for
	TraceATAError                     // answered with an ATA error; Code is the error register
	TraceAoEError                     // answered with an AoE error; Code says which
	TraceFull                         // dropped: all buffers were in use
	TraceNoRoom                       // not answered: the host had no room for the transfer
	underWay                          // to be told of when it is answered
)

// TraceEvent is a request that was served.
type TraceEvent struct {
	At        time.Time // when it was answered
	Host      aoe.MAC
	Interface string
	Command   aoe.Command
	ATA       uint8  // the ATA command, of Command 0
	Action    string // what it asks for, of Command 0, in a word: read, write, flush, identify, …; abort: nothing known
	LBA       uint64 // of a transfer, in the drive
	Sectors   int    // of a transfer
	Outcome   TraceOutcome
	Code      uint8
	Took      time.Duration // of a transfer, since its frame was taken
}

// Trace is an open trace. Read and Close may be called concurrently.
type Trace struct {
	blade *blade
	more  chan struct{} // holds one when filling may have something
	ended chan struct{}
	end   sync.Once

	mu      sync.Mutex
	filling []TraceEvent
	dropped uint64
}

// Trace tells of requests to an address from now on; the caller closes it. A few may
// be open for one address.
func (t *Target) Trace(addr aoe.Addr) (*Trace, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b := t.blades[addr]
	if b == nil {
		return nil, noBlade(addr)
	}
	tr := &Trace{blade: b, more: make(chan struct{}, 1), ended: make(chan struct{}), filling: make([]TraceEvent, 0, traceRoom)}
	err := ErrTraced
	b.change(func(r *rules) {
		if len(r.traces) < maxTraces {
			r.traces, err = append(slices.Clone(r.traces), tr), nil
		}
	})
	if err != nil {
		return nil, err
	}
	return tr, nil
}

// Close ends the trace; a Read that waits returns.
func (tr *Trace) Close() error {
	tr.stop()
	tr.blade.change(func(r *rules) {
		r.traces = slices.DeleteFunc(slices.Clone(r.traces), func(o *Trace) bool { return o == tr })
	})
	return nil
}

// stop has Read return io.EOF once it has read what there is.
func (tr *Trace) stop() { tr.end.Do(func() { close(tr.ended) }) }

// endTraces ends those of a blade that is going.
func (b *blade) endTraces() {
	for _, tr := range b.rules.Load().traces {
		tr.stop()
	}
}

// Read waits for events and returns them, with how many were lost since the last call
// for want of room. spare, what an earlier call returned, is filled next. Its error is
// that of ctx, or io.EOF when the address is gone.
func (tr *Trace) Read(ctx context.Context, spare []TraceEvent) (events []TraceEvent, lost uint64, err error) {
	if cap(spare) < traceRoom {
		spare = make([]TraceEvent, 0, traceRoom)
	}
	for {
		select {
		case <-tr.more:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-tr.ended:
			err = io.EOF
		}
		tr.mu.Lock()
		events, lost = tr.filling, tr.dropped
		if len(events)+int(lost) > 0 {
			tr.filling, tr.dropped = spare[:0], 0
			tr.mu.Unlock()
			return events, lost, nil
		}
		tr.mu.Unlock()
		if err != nil {
			return nil, 0, err
		}
	}
}

// add is called by workers.
func (tr *Trace) add(e *TraceEvent) {
	tr.mu.Lock()
	if len(tr.filling) < traceRoom {
		tr.filling = append(tr.filling, *e)
	} else {
		tr.dropped++
	}
	tr.mu.Unlock()
	select {
	case tr.more <- struct{}{}:
	default:
	}
}

// fate is what became of a request that w has looked at.
type fate struct {
	outcome TraceOutcome
	code    uint8
}

// traced is request of a port that is traced.
func (w *worker) traced(p *port, rules *rules, h aoe.Header, frame []byte) {
	w.fate, w.tracing = fate{}, true
	w.request(p, h, frame)
	w.tracing = false
	w.traceRequest(rules.traces, h, frame)
}

// traceRequest tells of a request that needed no transfer, or was refused one.
func (w *worker) traceRequest(traces []*Trace, h aoe.Header, frame []byte) {
	if w.fate.outcome == underWay {
		return // or answered by now, which answer has told of
	}
	e := TraceEvent{At: time.Now(), Host: h.Src, Interface: w.netif.name(), Command: h.Command, Outcome: w.fate.outcome, Code: w.fate.code}
	if a, _, ok := aoe.DecodeATA(frame); ok && h.Command == aoe.CmdATA {
		e.ATA = a.Command
		_, q, _ := asks(h, frame)
		e.Action = q.Action.String()
		if q.Sectors > 0 {
			e.LBA, e.Sectors = q.LBA, q.Sectors
		}
	}
	for _, tr := range traces {
		tr.add(&e)
	}
}

// traceTransfer tells of a transfer that is answered, or dropped at last.
func (w *worker) traceTransfer(r *request, outcome TraceOutcome, code uint8) {
	if traces := r.port.rules.Load().traces; len(traces) > 0 {
		w.tellTransfer(traces, r, outcome, code)
	}
}

func (w *worker) tellTransfer(traces []*Trace, r *request, outcome TraceOutcome, code uint8) {
	e := TraceEvent{At: time.Now(), Host: r.header.Dst, Interface: w.netif.name(), Command: aoe.CmdATA, ATA: r.ata.Command,
		Action: transferAction(r.op), LBA: r.lba - r.port.window.first, Sectors: r.sectors, Outcome: outcome, Code: code}
	e.Took = e.At.Sub(w.began) - time.Duration(r.began)
	for _, tr := range traces {
		tr.add(&e)
	}
}

// transferAction is what op is called in a trace.
func transferAction(op Op) string {
	if op == opBarrier {
		return ata.SetWriteCache.String()
	}
	return transferKind(op).String()
}
