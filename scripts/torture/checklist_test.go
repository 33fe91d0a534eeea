package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk/disktest"
	"vbladefs/netio"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// TestChecklist holds the daemon against the operational checklist of
// INITIATORS.md §7, event by event. A foreign owner of an address at start is in
// cmd/vbladefs's TestAnotherTarget, with a real one.
func TestChecklist(t *testing.T) {
	for _, event := range checklist {
		t.Run(event.name, event.test)
	}
}

var checklist = []struct {
	name string
	test func(t *testing.T)
}{
	{"start: lock the backing store, serve, announce with tag 0 and repeat", checkStart},
	{"stop: let accepted writes finish and be answered, exit", checkStop},
	{"restart: same MAC, address, serial and size; config string, mask and reserve reloaded", checkRestart},
	{"grow: enlarge the store, then announce", checkGrow},
	{"shrink: IDNF for requests beyond the end", checkShrink},
	{"MTU change: recompute the sector count, announce on that interface", checkMTU},
	{"link change: survive its loss, rebind when the interface reappears", checkLink},
	{"read-only export: writes are ABRT 0x41", checkReadOnly},
	{"permanent I/O error: ATA ERR at once", checkPermanent},
	{"transient error: say nothing; clients repeat and recover without error", checkTransient},
	{"thin store full: ATA ERR", checkFull},
	{"overload: what is dropped is repeated, nothing old is answered late", checkOverload},
	{"several NICs: each with its own MAC and sector count, same buffer count; one going silent", checkNICs},
	{"fencing: mask list is silence, reserve is error 6", checkFencing},
	{"latency spikes: duplicates of what is in flight cost little and are all answered", checkDuplicates},
	{"announcements: event driven only", checkQuiet},
}

func checkStart(t *testing.T) {
	l := newLab(t)
	for range 3 {
		l.announced(l.w, first)
	}
	f, err := os.Open(filepath.Join(l.r.dir, "well"))
	l.ok(err)
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("the store can be locked by another: %v", err)
	}
}

func checkStop(t *testing.T) {
	l := newLab(t)
	l.disk.Stall(disktest.Write)
	write := &initiator.IO{Op: initiator.Write, LBA: 64, Data: bytes.Repeat([]byte{5}, 8192)}
	l.begin(l.x, write)
	l.await("the write is with the disk", func() bool { return l.disk.Waiting() > 0 })
	l.ok(l.d.cmd.Process.Signal(syscall.SIGTERM))
	l.await("it takes nothing any more", func() bool {
		_, err := os.Stat(filepath.Join(l.d.dir, "log"))
		return err != nil
	})
	l.disk.Heal()
	l.finish(l.x, 1)
	<-l.d.done
	if state := l.d.cmd.ProcessState; write.Err != nil || !state.Success() {
		t.Errorf("the write ends with %v, the daemon with %v: %s", write.Err, state, l.d.said.String())
	}
	if !bytes.Equal(l.disk.Contents()[64*512:][:8192], write.Data) {
		t.Error("the accepted write is not on the disk")
	}
	l.d.cmd = nil // it has ended as it should
}

func checkRestart(t *testing.T) {
	r := rigOf(t)
	l := &lab{t: t, r: r}
	l.ok(r.pair("c0", "t0", 9000))
	state, err := r.folder("state")
	l.ok(err)
	image := filepath.Join(r.dir, "disk")
	l.ok(os.WriteFile(image, labContent(1), 0o600))
	start := func() {
		t.Helper()
		l.d, err = r.serve("-state=" + state)
		l.ok(err)
	}
	start()
	l.export("d0", image, first)
	x := l.open("c0", first)
	before := *x.Identity
	_, configErr := x.Config(aoe.ConfigSet, "kept")
	mine, err := netio.Lookup("c0")
	l.ok(err)
	_, maskErr := x.MaskList(initiator.MaskEdit{Do: aoe.MaskAdd, MAC: mine.MAC})
	_, reserveErr := x.Reserve(aoe.ReserveSet, mine.MAC)
	l.ok(configErr, maskErr, reserveErr)
	l.put(x, 0, bytes.Repeat([]byte{6}, 4096))
	l.ok(l.d.stop())
	start()
	again := l.open("c0", first)
	if again.MAC != x.MAC || *again.Identity != before || again.Found.Config != "kept" {
		t.Errorf("before: %v %+v; after: %v %+v, config string %q", x.MAC, before, again.MAC, *again.Identity, again.Found.Config)
	}
	w := newWire(t, "c0", "t0", first)
	w.silent(from(other, w.config(first, aoe.Config{})))
	w.one(w.mask(w.mac, first, edit{aoe.MaskAdd, other}))
	w.wantError(6, from(other, w.ata(first, read(0, 1), nil)))
	l.holds(again, 0, bytes.Repeat([]byte{6}, 4096))
}

func checkGrow(t *testing.T) {
	l := newLab(t)
	l.settled()
	file := filepath.Join(l.r.dir, "well")
	l.ok(os.Truncate(file, 2*labBytes))
	l.announced(l.w, second)
	l.ok(l.well.Identify())
	if l.well.Size() != 2*labBytes {
		t.Errorf("announced, and IDENTIFY says %d bytes", l.well.Size())
	}
	l.put(l.well, 2*labBytes-4096, bytes.Repeat([]byte{1}, 4096))
	l.holds(l.well, 2*labBytes-4096, bytes.Repeat([]byte{1}, 4096))
}

func checkShrink(t *testing.T) {
	l := newLab(t)
	l.ok(os.Truncate(filepath.Join(l.r.dir, "well"), labBytes/2))
	l.await("the smaller size is seen", func() bool { return l.well.Identify() == nil && l.well.Size() == labBytes/2 })
	for _, frame := range [][]byte{l.w.ata(second, read(labBytes/1024, 1), nil), l.w.ata(second, write(labBytes/1024-1, 2), sectorsOf(1, 2))} {
		l.w.wantATA(bad, idnf, frame)
	}
	l.holds(l.well, 0, labContent(2)[:labBytes/2])
	if info, err := os.Stat(filepath.Join(l.r.dir, "well")); err != nil || info.Size() != labBytes/2 {
		t.Errorf("a write beyond the end made it larger: %v, %v", info.Size(), err)
	}
}

func checkMTU(t *testing.T) {
	l := newLab(t)
	l.settled()
	for _, mtu := range []int{4200, 1500, 9000} {
		for _, netif := range []string{"c0", "t0"} {
			_, err := tool("ip", "link", "set", netif, "mtu", fmt.Sprint(mtu))
			l.ok(err)
		}
		want := map[int]uint8{1500: 2, 4200: 8, 9000: 16}[mtu]
		for l.announced(l.w, first).Sectors != want { // the last repeats of the old one
			continue
		}
		l.holds(l.open("c0", first), 0, l.disk.Contents())
	}
}

func checkLink(t *testing.T) {
	l := newLab(t)
	for _, state := range []string{"down", "up"} {
		_, err := tool("ip", "link", "set", "c0", state)
		l.ok(err)
	}
	l.ok(awaitRunning("c0"))
	l.holds(l.open("c0", first), 0, l.disk.Contents())
	for range 3 {
		_, err := tool("ip", "link", "del", "t0")
		l.ok(err, l.r.pair("c0", "t0", 9000))
		x := l.open("c0", first)
		l.holds(x, 0, l.disk.Contents())
		l.put(x, 8192, bytes.Repeat([]byte{4}, 8192))
	}
	l.ok(l.d.alive())
}

func checkReadOnly(t *testing.T) {
	l := newLab(t)
	l.ok(l.d.echo("1", "vblade/d0/readonly"))
	l.w.wantATA(bad, abrt, l.w.ata(first, write(0, 1), sectorsOf(1, 1)))
	l.w.wantATA(bad, abrt, l.w.ata(first, aoe.ATA{Flags: 1, Count: 1, Command: 0x30}, sectorsOf(1, 1)))
	l.holds(l.x, 0, labContent(1))
}

func checkPermanent(t *testing.T) {
	l := newLab(t)
	l.disk.Fail(disktest.All, 0, 4096, syscall.EIO)
	l.w.wantATA(bad, unc, l.w.ata(first, read(0, 1), nil))
	if a, data := l.w.regs(l.w.ata(first, write(0, 8), sectorsOf(1, 8))); a.Command != bad || a.Count != 8 || len(data) > aoe.MinFrame-aoe.ATASize {
		t.Errorf("a write that fails: status %#02x, %d sectors not transferred", a.Command, a.Count)
	}
	l.unharmed()
}

func checkTransient(t *testing.T) {
	l := newLab(t)
	l.disk.Fail(disktest.Write, 0, -1, syscall.ENOMEM)
	write := &initiator.IO{Op: initiator.Write, LBA: 8, Data: bytes.Repeat([]byte{3}, 8192)}
	l.begin(l.x, write)
	l.await("it has failed", func() bool { _, failed := l.disk.Counts(disktest.Write); return failed > 0 })
	l.unharmed()
	l.disk.Heal()
	l.finish(l.x, 1)
	if c := l.x.Engine().Counters(); write.Err != nil || c.Retransmits == 0 || c.AoEErrorTotal()+c.ATAErrors > 0 {
		t.Errorf("%v; %+v", write.Err, *c)
	}
	l.holds(l.x, 4096, write.Data)
}

func checkFull(t *testing.T) {
	l := newLab(t)
	before := l.disk.Contents()
	l.disk.Fail(disktest.Write, 0, -1, syscall.ENOSPC)
	_, err := l.x.WriteAt(make([]byte, 16384), 0)
	l.refused("a write to a full store", err)
	l.holds(l.x, 0, before)
	l.unharmed()
}

// checkOverload sends twenty times more requests than the port has buffers,
// while the disk stands still.
func checkOverload(t *testing.T) {
	l := newLab(t)
	l.ok(l.d.echo("del t0 1 1", "vblade/d0/ports"), l.d.echo("add t0 1 1 4", "vblade/d0/ports"))
	l.x = l.openAs("c0", first, initiator.Options{Window: 80, Retransmit: initiator.RetransmitLinux})
	l.disk.Stall(disktest.Write)
	content := l.disk.Contents()
	ios := make([]initiator.IO, 80)
	for i := range ios {
		ios[i] = initiator.IO{Op: initiator.Write, LBA: uint64(i * 8), Data: bytes.Repeat([]byte{byte(i + 1)}, 4096)}
		copy(content[i*4096:], ios[i].Data)
		l.ok(l.x.Engine().Submit(&ios[i]))
	}
	l.ok(l.x.Engine().Push())
	l.await("requests are dropped", func() bool { return l.stat("kvblade/1.1@t0/stats", "dropped") != "0" })
	l.unharmed()
	l.disk.Heal()
	l.finish(l.x, len(ios))
	for i := range ios {
		if ios[i].Err != nil {
			t.Errorf("request %d: %v", i, ios[i].Err)
		}
	}
	l.holds(l.x, 0, content)
}

func checkNICs(t *testing.T) {
	l := newLab(t)
	l.ok(l.r.pair("c1", "t1", 1500), l.d.echo("add t1 1 1", "vblade/d0/ports"))
	wide, narrow := l.open("c0", first), l.open("c1", first)
	if wide.MAC == narrow.MAC || wide.Sectors != 16 || narrow.Sectors != 2 || wide.Buffers != narrow.Buffers {
		t.Errorf("%+v and %+v", wide.Found, narrow.Found)
	}
	l.put(wide, 0, bytes.Repeat([]byte{1}, 65536))
	l.holds(narrow, 0, bytes.Repeat([]byte{1}, 65536))
	_, err := tool("ip", "link", "set", "t0", "down")
	l.ok(err)
	l.put(narrow, 4096, bytes.Repeat([]byte{2}, 65536))
	_, err = tool("ip", "link", "set", "t0", "up")
	l.ok(err, awaitRunning("c0"))
	l.holds(wide, 4096, bytes.Repeat([]byte{2}, 65536))
}

func checkFencing(t *testing.T) {
	l := newLab(t)
	w := l.w
	w.one(w.reserve(w.mac, first, aoe.ReserveSet, w.mac))
	w.wantError(6, from(other, w.ata(first, write(0, 1), sectorsOf(9, 1))))
	w.one(w.reserve(w.mac, first, aoe.ReserveSet))
	w.one(w.mask(w.mac, first, edit{aoe.MaskAdd, w.mac}))
	w.silent(from(other, w.ata(first, write(0, 1), sectorsOf(9, 1))))
	l.holds(l.x, 0, labContent(1))
}

// checkDuplicates repeats a read and a write under new tags while the disk
// stands still: each copy is answered once, and none makes more than one
// transfer.
func checkDuplicates(t *testing.T) {
	const copies = 20
	l := newLab(t, "-cache", "direct")
	l.disk.Stall(disktest.All)
	reads, _ := l.disk.Counts(disktest.Read)
	writes, _ := l.disk.Counts(disktest.Write)
	wanted := map[uint32]bool{}
	for range copies {
		for _, registers := range []aoe.ATA{write(0, 8), read(0, 8)} {
			l.w.send(l.w.ata(first, registers, sectorsOf(7, 8)))
			wanted[l.w.tag] = true
		}
	}
	l.await("transfers wait", func() bool { return l.disk.Waiting() > 0 })
	l.unharmed()
	l.disk.Heal()
	for len(wanted) > 0 {
		frame := l.w.receive()
		h, _ := aoe.DecodeHeader(frame)
		if !wanted[h.Tag] { // the other export's, or one that is answered twice
			if h.Tag>>31 == 0 && h.Tag != 0 {
				t.Errorf("tag %#x is answered again", h.Tag)
			}
			continue
		}
		delete(wanted, h.Tag)
		if a, data, _ := aoe.DecodeATA(frame); a.Command != good || len(data) > 4000 && !bytes.Equal(data, sectorsOf(7, 8)) {
			t.Errorf("a copy is answered with status %#02x", a.Command)
		}
	}
	readsAfter, _ := l.disk.Counts(disktest.Read)
	writesAfter, _ := l.disk.Counts(disktest.Write)
	if r, w := readsAfter-reads, writesAfter-writes; r > copies || w > copies {
		t.Errorf("%d reads and %d writes of the disk for %d copies of each", r, w, copies)
	}
}

// checkQuiet: after those of the start there are none, whatever clients do.
func checkQuiet(t *testing.T) {
	l := newLab(t)
	l.settled()
	said := func() string {
		return l.stat("kvblade/1.1@t0/stats", "announces") + " and " + l.stat("kvblade/1.2@t0/stats", "announces")
	}
	before := said()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); {
		l.w.addrs(toAll(l.w.config(everyone, aoe.Config{})), first, second)
		l.ok(l.x.Identify())
		l.put(l.x, 0, make([]byte, 4096))
	}
	if after := said(); after != before {
		t.Errorf("%s announcements of the two, and then %s", before, after)
	}
}
