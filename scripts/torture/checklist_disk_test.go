package main

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"vbladefs/disk/disktest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// Events of the checklist that have to do with disks, load and clients.

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
