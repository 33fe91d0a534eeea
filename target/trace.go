package target

import (
	"fmt"
	"time"

	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// This file has workers tell a Trace (trace_ring.go) of what they serve. Where nothing is
// recorded, a request costs one look at the rules of its port, which it needs anyway.

// How many requests are recorded.
const (
	DefaultTraceRequests = 1024
	MaxTraceRequests     = 65536   // of one address
	maxTracedRequests    = 1 << 20 // of all: some 120 MB
)

// SetTrace begins to record the requests to the blade at Addr, from nothing, or ends
// that; what was recorded can be read until the next recording, or the blade goes.
type SetTrace struct {
	Addr     aoe.Addr
	Requests int                   // the last so many, at most MaxTraceRequests; 0: end
	Length   func(*TraceEvent) int // of a request in a file; workers call it. Needed to begin.
}

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

func (op SetTrace) apply(t *Target) error {
	b := t.blades[op.Addr]
	switch {
	case b == nil:
		return noBlade(op.Addr)
	case op.Requests == 0:
		b.stopTrace()
		return nil
	case op.Requests < 0 || op.Requests > MaxTraceRequests:
		return fmt.Errorf("%w: %d requests: want 1-%d", ErrRange, op.Requests, MaxTraceRequests)
	}
	room := maxTracedRequests - op.Requests
	for _, other := range t.blades {
		if other != b {
			room -= other.trace.Load().room()
		}
	}
	if room < 0 {
		return fmt.Errorf("%w: %d requests of all addresses are recorded at most; end some, or record fewer", ErrFull, maxTracedRequests)
	}
	tr := NewTrace(op.Requests, op.Length)
	b.trace.Store(tr)
	b.change(func(r *rules) { r.trace = tr })
	return nil
}

// stopTrace has workers record no more.
func (b *blade) stopTrace() {
	b.change(func(r *rules) { r.trace = nil })
	b.trace.Load().shrink()
}

// Trace is what was recorded of an address, nil if nothing was; false: there is no such
// address.
func (t *Target) Trace(addr aoe.Addr) (*Trace, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b := t.blades[addr]
	if b == nil {
		return nil, false
	}
	return b.trace.Load(), true
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
	w.traceRequest(rules.trace, h, frame)
}

// traceRequest tells of a request that needed no transfer, or was refused one.
func (w *worker) traceRequest(tr *Trace, h aoe.Header, frame []byte) {
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
	tr.Add(&e)
}

// traceTransfer tells of a transfer that is answered, or dropped at last.
func (w *worker) traceTransfer(r *request, outcome TraceOutcome, code uint8) {
	if tr := r.port.rules.Load().trace; tr != nil {
		w.tellTransfer(tr, r, outcome, code)
	}
}

func (w *worker) tellTransfer(tr *Trace, r *request, outcome TraceOutcome, code uint8) {
	e := TraceEvent{At: time.Now(), Host: r.header.Dst, Interface: w.netif.name(), Command: aoe.CmdATA, ATA: r.ata.Command,
		Action: transferAction(r.op), LBA: r.lba - r.port.window.first, Sectors: r.sectors, Outcome: outcome, Code: code}
	e.Took = e.At.Sub(w.began) - time.Duration(r.began)
	tr.Add(&e)
}

// transferAction is what op is called in a trace.
func transferAction(op Op) string {
	if op == opBarrier {
		return ata.SetWriteCache.String()
	}
	return transferKind(op).String()
}
