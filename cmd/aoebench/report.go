package main

import (
	"fmt"
	"io"
	"time"

	"vbladefs/cmd/internal/bytesize"
	"vbladefs/target/aoe/initiator/ledger"
)

// print writes the result for a person.
func (r *result) print(w io.Writer) {
	t, wl := r.Target, r.Workload
	if t.Exports > 1 {
		fmt.Fprintf(w, "%d exports; the first: ", t.Exports)
	}
	fmt.Fprintf(w, "e%s at %s on %s (%s link, MTU %d): %s, %d buffers, %d sectors a frame\n",
		t.Address, t.MAC, t.Netif, t.Link, t.MTU, bytesize.Format(t.SizeBytes), t.Buffers, t.SectorsPerFrame)
	fmt.Fprintf(w, "%s, %s blocks, depth %d, over %s, for %.1f s, seed %d, retransmission %s\n\n",
		wl.RW, bytesize.Format(wl.BlockBytes), wl.Depth, bytesize.Format(wl.SpanBytes), wl.RuntimeSeconds, wl.Seed, wl.Retransmit)
	fmt.Fprintf(w, "        %10s %10s %9s %9s %9s %9s %9s\n", "IOPS", "MB/s", "mean µs", "p50", "p99", "p99.9", "max")
	r.Read.print(w, "read")
	r.Write.print(w, "write")
	if r.Read.IOs > 0 && r.Write.IOs > 0 {
		r.direction.print(w, "both")
	}
	l := r.Loss
	fmt.Fprintf(w, "\nlosses  %d retransmitted, %d given up, %d late, %d duplicate, %d unexpected, dropped here: %d received, %d to send\n",
		l.Retransmits, l.Timeouts, l.Late, l.Duplicate, l.Unexpected, l.ReceiveDrops, l.SendDrops)
	fmt.Fprintf(w, "errors  %d I/Os (%d ATA errors, %d AoE errors, %d malformed replies)\n",
		r.Errors.Total, r.Errors.ATA, r.Errors.AoE, r.Errors.Malformed)
	for _, e := range r.Errors.First {
		fmt.Fprintf(w, "        %s\n", e)
	}
	r.printVerify(w)
	if c := r.TargetCPU; c != nil {
		fmt.Fprintf(w, "target  process %d: %.0f ns of CPU time per I/O, %.2f processors busy\n", c.PID, c.NsPerIO, c.Cores)
	}
	fmt.Fprintf(w, "self    aoebench was busy %.0f %% of the time\n", 100*r.BenchBusy)
	verdict := "ok"
	if !r.OK {
		verdict = "FAILED"
	}
	if r.Interrupted {
		verdict += ", interrupted"
	}
	fmt.Fprintf(w, "result  %s\n", verdict)
}

func (d direction) print(w io.Writer, name string) {
	if d.Latency == nil {
		return
	}
	l := d.Latency
	fmt.Fprintf(w, "%-7s %10.0f %10.1f %9.1f %9.1f %9.1f %9.1f %9.1f\n", name, d.IOPS, d.MBs, l.Mean, l.P50, l.P99, l.P999, l.Max)
}

func (r *result) printVerify(w io.Writer) {
	v := r.Verify
	if v == nil {
		return
	}
	fmt.Fprintf(w, "verify  %d sectors read and checked, %d of them not written by this run, %d bad\n", v.Checked, v.Unknown, v.Bad)
	for _, name := range ledger.BadNames {
		if n := v.Kinds[name]; n > 0 {
			fmt.Fprintf(w, "        %d %s\n", n, name)
		}
	}
	for _, s := range v.First {
		fmt.Fprintf(w, "        sector %d is %s: expected %s, found %s\n", s.LBA, s.Kind, s.Expected, s.Found)
	}
}

// progress writes one line that the next one overwrites, and the last is blank.
type progress struct {
	w     io.Writer
	total uint64
	at    time.Duration
}

func (p *progress) tell(phase string, b *bench) {
	if since := b.now - p.at; since > 0 && p.at > 0 {
		iops := float64(b.m.total-p.total) / since.Seconds()
		bad := uint64(0)
		if b.ledger != nil {
			bad = b.ledger.BadTotal()
		}
		fmt.Fprintf(p.w, "\r%-9s %9.0f IOPS %9.1f MB/s  %d errors, %d bad sectors, %d retransmitted \x1b[K",
			phase, iops, iops*float64(b.o.block)/1e6, b.m.errors, bad, b.engine.Counters().Retransmits)
	}
	p.at, p.total = b.now, b.m.total
}

func (p *progress) clear() { fmt.Fprint(p.w, "\r\x1b[K") }
