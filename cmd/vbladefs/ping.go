package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// pinger asks for an address again and again.
type pinger struct {
	netif    string
	addr     aoe.Addr
	count    int // 0: until a signal
	interval time.Duration
	read     bool
	w        io.Writer

	sent, answered, extra int
	least, most, sum      time.Duration
}

// ping asks an address whether it is served, and how soon it answers.
func ping(args []string, stdout io.Writer) error {
	p := pinger{w: stdout}
	f := newFlags("ping", stdout, "[options] INTERFACE ADDRESS", `Asks the target at ADDRESS (shelf.slot or eSHELF.SLOT) who it is, once a second until interrupted.
Each is a broadcast query, so a second target of the same address shows itself (DUP!). The exit code is 1 if nothing answered.
`)
	f.IntVar(&p.count, "c", 0, "how many times; 0 until interrupted")
	f.DurationVar(&p.interval, "i", time.Second, "time between two, and how long an answer is waited for")
	f.BoolVar(&p.read, "read", false, "read sector 0 of the disk instead: what it takes to the disk and back")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() != 2 {
		return badUsage("%d arguments, want two: an interface, such as eth0, and an address, such as 0.1", f.NArg())
	}
	var err error
	if p.addr, err = aoe.ParseAddr(f.Arg(1)); err != nil {
		return badUsage("%v", err)
	}
	switch {
	case p.count < 0:
		return badUsage("-c %d: want 0 or more", p.count)
	case p.interval < time.Millisecond || p.interval > time.Hour:
		return badUsage("-i %s: want 1ms to 1h", p.interval)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	p.netif = f.Arg(0)
	return onSegment(p.netif, func(i *initiator.Initiator) error { return p.run(ctx, i) })
}

// run asks, reports each answer, and sums up.
func (p *pinger) run(ctx context.Context, i *initiator.Initiator) error {
	ask := p.query
	if p.read {
		x, err := i.Open(p.addr, initiator.Options{Window: 1, Timeout: p.interval, FirstRTO: p.interval})
		if err != nil {
			return err
		}
		ask = func(*initiator.Initiator) error { return p.readSector(x) }
	}
	for ctx.Err() == nil && (p.count == 0 || p.sent < p.count) {
		began := time.Now()
		p.sent++
		if err := ask(i); err != nil {
			return fmt.Errorf("%s: %w", p.netif, err)
		}
		if p.sent == p.count {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(began.Add(p.interval))):
		}
	}
	return p.sumUp()
}

// query sends a query and takes all answers that come before the next.
func (p *pinger) query(i *initiator.Initiator) error {
	answers := 0
	wait := p.interval
	if p.sent == p.count { // what answers twice does so at once
		wait = min(wait, time.Second)
	}
	err := i.Ask(p.addr, wait, func(f initiator.Found, after time.Duration) bool {
		note := ""
		if answers++; answers == 1 {
			p.note(after)
		} else {
			p.extra++
			note = " DUP!"
		}
		_, _ = fmt.Fprintf(p.w, "%s at %s: seq=%d buffers=%d sectors=%d time=%s%s\n",
			"e"+f.Addr.String(), f.MAC, p.sent, f.Buffers, f.Sectors, milliseconds(after), note)
		return false
	})
	if errors.Is(err, initiator.ErrNotSent) {
		err = nil // lost, as any other: the interface may come up
	}
	return err
}

// readSector reads sector 0; what fails is reported as no answer.
func (p *pinger) readSector(x *initiator.Export) error {
	var sector [aoe.SectorSize]byte
	began := time.Now()
	if _, err := x.ReadAt(sector[:], 0); err != nil {
		_, _ = fmt.Fprintf(p.w, "e%s: seq=%d %v\n", p.addr, p.sent, err)
		return nil
	}
	after := time.Since(began)
	p.note(after)
	_, _ = fmt.Fprintf(p.w, "e%s at %s: seq=%d read %d bytes time=%s\n", p.addr, x.MAC, p.sent, len(sector), milliseconds(after))
	return nil
}

func (p *pinger) note(after time.Duration) {
	if p.answered++; p.answered == 1 {
		p.least = after
	}
	p.least, p.most, p.sum = min(p.least, after), max(p.most, after), p.sum+after
}

// sumUp reports as ping(8) does.
func (p *pinger) sumUp() error {
	extra := ""
	if p.extra > 0 {
		extra = fmt.Sprintf(", +%d duplicates", p.extra)
	}
	_, _ = fmt.Fprintf(p.w, "\n%d queries, %d answered%s, %d%% lost\n", p.sent, p.answered, extra, 100*(p.sent-p.answered)/max(p.sent, 1))
	if p.answered == 0 {
		return fmt.Errorf("e%s does not answer on %s: is it served on this segment, by another machine, and may this one see it?", p.addr, p.netif)
	}
	_, _ = fmt.Fprintf(p.w, "min/avg/max = %s/%s/%s\n", milliseconds(p.least), milliseconds(p.sum/time.Duration(p.answered)), milliseconds(p.most))
	return nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.3f ms", d.Seconds()*1e3) }
