// Command aoebench loads an AoE export and checks that it keeps what it is
// given: the client side of every benchmark of the project.
//
//	options ─▶ connect (netio link + initiator) ─▶ bench: prepare, load, read back ─▶ result ─▶ report
//
// One goroutine, locked to its thread, spins on the link while I/Os are
// outstanding; nothing on its way allocates. It measures a target and is not
// one, and it is no initiator to put a file system on.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/target/aoe/initiator"
)

// Exit statuses.
const (
	exitOK       = 0
	exitFailures = 1 // an error, bad data, or nothing to load
	exitUsage    = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitOK
	}
	if err == nil {
		err = o.do(stdout, stderr)
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "aoebench: %v (aoebench --help shows all flags)\n", err)
		return exitUsage
	case errors.Is(err, errFailed):
		return exitFailures // the report has said why
	}
	fmt.Fprintf(stderr, "aoebench: %v\n", err)
	return exitFailures
}

// errFailed means that the report holds the failures.
var errFailed = errors.New("failed")

func (o *options) do(stdout, stderr io.Writer) error {
	if _, err := cpuTimes(o.pids); err != nil {
		return fmt.Errorf("%w: --pid: %w", errUsage, err)
	}
	ifi, err := netio.Lookup(o.netif)
	if err != nil {
		return fmt.Errorf("%w: -i: %w", errUsage, err)
	}
	log := func(message string) { fmt.Fprintf(stderr, "aoebench: %s\n", message) }
	link, err := netio.Open(o.netif, netio.Options{Kind: o.link, Replies: true, RingBytes: ringBytes, Log: log})
	if err != nil {
		return err
	}
	defer link.Close()
	in, err := initiator.New(link, initiator.Local{MAC: ifi.MAC, MTU: ifi.MTU})
	if err != nil {
		return fmt.Errorf("interface %s: %w", o.netif, err)
	}
	if o.discover {
		return o.list(in, stdout)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	exports, err := in.OpenAll(o.addrs, initiator.Options{Window: o.window, MaxSectors: o.sectors, Retransmit: o.retransmit, Timeout: o.timeout})
	if err != nil {
		return fmt.Errorf("on %s: %w", o.netif, err)
	}
	b, err := newBench(o, exports, link)
	if err != nil {
		return err
	}
	return b.all(ifi.MTU, stdout, stderr)
}

// ringBytes takes a whole window of replies at any MTU, while this program is
// kept from its processor for a while. Ours.
const ringBytes = 16 << 20

// all runs every phase and reports.
func (b *bench) all(mtu int, stdout, stderr io.Writer) error {
	b.say(stderr)
	p := &progress{w: stderr}
	if isTerminal(stderr) {
		b.tell = p.tell
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		<-signals
		b.stop.Store(true)
		signal.Stop(signals) // a second one ends the program
	}()
	err := b.phases()
	if b.tell != nil {
		p.clear()
	}
	if err != nil {
		return err
	}
	r := b.result()
	r.Target.MTU = mtu
	if b.o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		r.print(stdout)
	}
	if err == nil && !r.OK {
		err = errFailed
	}
	return err
}

func (b *bench) phases() error {
	if b.o.prepare {
		if err := b.prepare(); err != nil {
			return err
		}
	}
	if err := b.run(b.o.rw, b.load()); err != nil {
		return err
	}
	if b.ledger == nil || b.stop.Load() {
		return nil
	}
	return b.readBack()
}

// say warns of what the numbers will not show.
func (b *bench) say(w io.Writer) {
	if n := b.o.depth * b.frames(); n > b.window() {
		fmt.Fprintf(w, "aoebench: depth %d is %d frames, and the target takes %d at a time: the others wait here (--window N overrides)\n",
			b.o.depth, n, b.window())
	}
	if b.o.verify && !kinds[b.o.rw].writes && !b.o.prepare {
		fmt.Fprintln(w, "aoebench: --verify has nothing of its own to check, since nothing is written: "+
			"only that a sector reads the same every time (--prepare writes first)")
	}
}

// list prints who answers a broadcast query.
func (o *options) list(in *initiator.Initiator, w io.Writer) error {
	found, err := in.Discover(time.Second)
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(w).Encode(struct {
			Exports []export `json:"exports"`
		}{exports(found)})
	}
	for _, x := range exports(found) {
		fmt.Fprintf(w, "e%-8s %s  %3d buffers  %3d sectors a frame  firmware %04x  config %q\n",
			x.Address, x.MAC, x.Buffers, x.Sectors, x.Firmware, x.Config)
	}
	if len(found) == 0 {
		return fmt.Errorf("nothing answers on %s", o.netif)
	}
	return nil
}

// export is one line of --discover.
type export struct {
	Address  string `json:"address"`
	MAC      string `json:"mac"`
	Buffers  int    `json:"buffers"`
	Sectors  int    `json:"sectors_per_frame"`
	Firmware uint16 `json:"firmware_version"`
	Config   string `json:"config"`
}

func exports(found []initiator.Found) []export {
	list := make([]export, 0, len(found))
	for _, f := range found {
		list = append(list, export{f.Addr.String(), f.MAC.String(), f.Buffers, f.Sectors, f.Firmware, f.Config})
	}
	return list
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
