package main

import (
	"errors"
	"syscall"
	"testing"

	"vbladefs/disk/disktest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
	"vbladefs/target/ata"
)

// This file is about what a client is told of the write cache, and of what fails: ATA8-ACS, by the way of real frames.

const (
	cacheOn  = 0x02 // SET FEATURES
	cacheOff = 0x82
)

// command sends an ATA command without data.
func (l *lab) command(opcode, feature uint8) error {
	_, err := l.x.Command(aoe.ATA{Command: opcode, Feature: feature}, nil)
	return err
}

// tells checks bit 5 of IDENTIFY's words 82 (it can be switched) and 85 (there is a volatile cache).
func (l *lab) tells(volatile bool, when string) {
	l.t.Helper()
	l.ok(l.x.Identify())
	data := l.x.Identity.Data
	if data[82*2]&0x20 == 0 || data[85*2]&0x20 != 0 != volatile {
		l.t.Errorf("%s: words 82 and 85 begin with %#02x, %#02x; want a volatile cache: %v", when, data[82*2], data[85*2], volatile)
	}
}

// flushes checks whether a write is followed by a flush before it is answered.
func (l *lab) flushes(want bool, when string) {
	l.t.Helper()
	before, _ := l.disk.Counts(disktest.Flush)
	l.put(l.x, 0, make([]byte, 4096))
	if after, _ := l.disk.Counts(disktest.Flush); after > before != want {
		l.t.Errorf("%s: a write is answered after a flush: %v, want %v", when, after > before, want)
	}
}

// TestCacheIsToldOfAsItIs: IDENTIFY tells of a volatile cache unless each write that is answered is durable. A FUSE file has no
// direct I/O, so that each write of the policy direct is made durable there, too: what is told may be too little, and not too much.
func TestCacheIsToldOfAsItIs(t *testing.T) {
	for _, policy := range []string{"writeback", "direct", "durable"} {
		t.Run(policy, func(t *testing.T) {
			l := newLab(t, "-cache", policy)
			volatile, direct := policy != "durable", policy == "direct"
			l.tells(volatile, "at first")
			l.flushes(!volatile || direct, "at first")
			for range 2 {
				l.ok(l.command(ata.OpSetFeatures, cacheOff))
				l.tells(false, "switched off")
				l.flushes(true, "switched off")
			}
			for range 2 {
				l.ok(l.command(ata.OpSetFeatures, cacheOn))
				l.tells(volatile, "switched on")
				l.flushes(!volatile || direct, "switched on")
			}
			l.disk.Fail(disktest.Flush, 0, -1, syscall.EIO)
			l.fails("SET FEATURES 82 that cannot flush", ata.ABRT, l.command(ata.OpSetFeatures, cacheOff))
			l.tells(volatile, "where it could not be switched off")
			l.disk.Heal()
			l.ok(l.command(ata.OpSetFeatures, cacheOn), l.d.echo("durable", "vblade/d0/cache"))
			l.tells(false, "durable from now on")
			l.ok(l.d.echo("writeback", "vblade/d0/cache"))
			l.tells(true, "no more")
			l.flushes(false, "no more")
			l.ok(l.command(ata.OpSetFeatures, cacheOff), l.d.echo("direct", "vblade/d0/cache"), l.d.echo("writeback", "vblade/d0/cache"))
			l.tells(false, "switched off, whatever the policy")
			l.flushes(true, "switched off, whatever the policy")
			l.ok(l.command(ata.OpFlushCache, 0), l.command(ata.OpFlushCacheExt, 0))
		})
	}
}

// fails checks that a request has failed with DRDY and ERR, and one bit of the error register.
func (l *lab) fails(what string, bit uint8, err error) {
	l.t.Helper()
	var failed *initiator.ATAError
	if !errors.As(err, &failed) || failed.Status != ata.DRDY|ata.ERR || failed.Reg != bit {
		l.t.Errorf("%s: %v, want status 0x41 and error %#02x", what, err, bit)
	}
}

// TestFailuresAreToldApart: a read that fails is UNC, and whatever does not read ABRT.
func TestFailuresAreToldApart(t *testing.T) {
	for _, policy := range []string{"writeback", "direct", "durable"} {
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			t.Run(policy+" "+errno.Error(), func(t *testing.T) {
				l := newLab(t, "-cache", policy)
				l.disk.Fail(disktest.Read|disktest.Write|disktest.Flush, 0, -1, errno)
				data := make([]byte, 4096)
				_, err := l.x.ReadAt(data, 0)
				l.fails("READ SECTORS EXT", ata.UNC, err)
				_, err = l.x.WriteAt(data, 0)
				l.fails("WRITE SECTORS EXT", ata.ABRT, err)
				_, err = l.x.Command(aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Count: 1, Command: ata.OpWriteDMAFUAExt}, data[:aoe.SectorSize])
				l.fails("WRITE DMA FUA EXT", ata.ABRT, err)
				l.fails("FLUSH CACHE", ata.ABRT, l.command(ata.OpFlushCache, 0))
				l.fails("FLUSH CACHE EXT", ata.ABRT, l.command(ata.OpFlushCacheExt, 0))
				l.fails("SET FEATURES 82", ata.ABRT, l.command(ata.OpSetFeatures, cacheOff))
				if n := l.x.Engine().Counters().AoEErrorTotal(); n > 0 {
					t.Errorf("%d AoE errors, which Linux takes for silence", n)
				}
				l.disk.Heal()
				l.put(l.x, 0, data)
				l.unharmed()
			})
		}
	}
}
