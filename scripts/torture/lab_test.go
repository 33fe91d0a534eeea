package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/disk/disktest"
	"vbladefs/netio"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// lab is a daemon with two exports on one interface: the first on a disk with
// faults, the second on a file, which nothing that happens to the first may
// touch.
type lab struct {
	t       *testing.T
	r       *rig
	d       *daemon
	w       *wire
	disk    *disktest.Disk
	x, well *initiator.Export
}

const labBytes = 1 << 20

// newLab makes a lab, in a rig of its own, for as long as the test lasts.
func newLab(t *testing.T, flags ...string) *lab {
	t.Helper()
	l := &lab{t: t, r: rigOf(t)}
	l.ok(l.r.pair("c0", "t0", 9000))
	var err error
	l.disk, err = l.r.disk(labContent(1))
	l.ok(err)
	file := filepath.Join(l.r.dir, "well")
	l.ok(os.WriteFile(file, labContent(2), 0o600))
	l.d, err = l.r.serve(flags...)
	l.ok(err)
	l.w = newWire(t, "c0", "t0", first)
	l.export("d0", l.disk.Path(), first)
	l.export("d1", file, second)
	l.x, l.well = l.open("c0", first), l.open("c0", second)
	return l
}

// labContent is what a disk holds at first.
func labContent(seed byte) []byte {
	content := make([]byte, labBytes)
	for lba := range labBytes / aoe.SectorSize {
		copy(content[lba*aoe.SectorSize:], staleStamp(uint64(lba), uint32(seed)))
	}
	return content
}

func (l *lab) ok(errs ...error) {
	l.t.Helper()
	if err := errors.Join(errs...); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) export(drive, path string, addr aoe.Addr) {
	l.t.Helper()
	l.ok(l.d.echo("add "+drive+" "+path, "vblade/drives"),
		l.d.echo(fmt.Sprintf("add t0 %d %d", addr.Shelf, addr.Slot), "vblade/"+drive+"/ports"))
}

// open finds an export from an interface of the client, with a link of its own.
func (l *lab) open(netif string, addr aoe.Addr) *initiator.Export {
	l.t.Helper()
	return l.openAs(netif, addr, initiator.Options{})
}

// openAs opens an export as a client with those options.
func (l *lab) openAs(netif string, addr aoe.Addr, o initiator.Options) *initiator.Export {
	l.t.Helper()
	link, err := netio.Open(netif, netio.Options{Replies: true})
	l.ok(err)
	l.t.Cleanup(func() { _ = link.Close() })
	info, err := netio.Lookup(netif)
	l.ok(err)
	i, err := initiator.New(link, initiator.Local{MAC: info.MAC, MTU: info.MTU})
	l.ok(err)
	o.Timeout, o.FindTimeout, o.FirstRTO = giveUp, patience, 20*time.Millisecond
	x, err := i.Open(addr, o)
	l.ok(err)
	return x
}

// holds checks what an export shows.
func (l *lab) holds(x *initiator.Export, at int, want []byte) {
	l.t.Helper()
	got := make([]byte, len(want))
	if _, err := x.ReadAt(got, int64(at)); err != nil {
		l.t.Error(err)
	} else if !bytes.Equal(got, want) {
		l.t.Errorf("%v: other bytes at %d than were written", x.Addr, at)
	}
}

// put writes to an export.
func (l *lab) put(x *initiator.Export, at int, data []byte) {
	l.t.Helper()
	if _, err := x.WriteAt(data, int64(at)); err != nil {
		l.t.Error(err)
	}
}

// unharmed checks that the other export works and is what it was, and that the
// daemon answers.
func (l *lab) unharmed() {
	l.t.Helper()
	content := labContent(2)
	l.holds(l.well, 0, content)
	l.put(l.well, 4096, content[4096:12288])
	l.ok(l.d.alive())
	if _, err := l.d.read("vblade/stats"); err != nil {
		l.t.Error(err)
	}
}

// refused checks that err is an ATA error.
func (l *lab) refused(what string, err error) {
	l.t.Helper()
	var failed *initiator.ATAError
	if !errors.As(err, &failed) || failed.Status != bad {
		l.t.Errorf("%s: %v, want an ATA error", what, err)
	}
}

// begin has a request on its way.
func (l *lab) begin(x *initiator.Export, io *initiator.IO) {
	l.t.Helper()
	l.ok(x.Engine().Submit(io), x.Engine().Push())
}

// finish waits for requests, repeating them.
func (l *lab) finish(x *initiator.Export, n int) {
	l.t.Helper()
	for end := time.Now().Add(patience); n > 0; {
		l.ok(x.Engine().Push())
		done, err := x.Engine().Poll()
		l.ok(err)
		if n -= len(done); len(done) == 0 {
			x.Engine().Wait(10 * time.Millisecond)
		}
		if time.Now().After(end) {
			l.t.Fatalf("%d requests are not answered", n)
		}
	}
}

// await waits until something is so.
func (l *lab) await(what string, so func() bool) {
	l.t.Helper()
	l.ok(l.d.await(what, so))
}

// announced waits for an announcement of an export, and returns it.
func (l *lab) announced(w *wire, addr aoe.Addr) aoe.Config {
	l.t.Helper()
	for {
		frame := w.receive()
		h, _ := aoe.DecodeHeader(frame)
		if c, ok := aoe.DecodeConfig(frame); ok && h.Dst.Group() && h.Command == aoe.CmdConfig && h.Addr == addr {
			if h.Tag != 0 || !h.Response || c.Command != 0 {
				l.t.Errorf("an announcement with tag %d, CCmd %d", h.Tag, c.Command)
			}
			return c
		}
	}
}

// settled waits until the announcements of the start are over, and forgets what
// the wire has seen.
func (l *lab) settled() {
	l.t.Helper()
	l.await("the first has been announced three times", func() bool { return l.stat("kvblade/1.1@t0/stats", "announces") == "3" })
	l.w.drain()
}

// read is the content of a file of the tree.
func (d *daemon) read(file string) (string, error) {
	text, err := os.ReadFile(filepath.Join(d.dir, file))
	return string(text), err
}

// stat is a value of a statistics file.
func (l *lab) stat(file, name string) string {
	l.t.Helper()
	text, err := l.d.read(file)
	l.ok(err)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return value
		}
	}
	l.t.Fatalf("%s has no %s:\n%s", file, name, text)
	return ""
}
