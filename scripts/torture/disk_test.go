package main

import (
	"bytes"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vbladefs/disk/disktest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// TestDiskFaults: what a client sees of a disk that fails: an ATA error or
// silence, never a wrong byte; and nothing of it on the other export.
func TestDiskFaults(t *testing.T) {
	for _, policy := range []string{"writeback", "direct", "durable"} {
		for _, queue := range []string{"uring", "sync"} {
			t.Run(policy+" "+queue, func(t *testing.T) {
				l := newLab(t, "-cache", policy, "-io", queue)
				for _, fault := range diskFaults {
					fault.test(l)
					l.unharmed()
					l.disk.Heal()
					if l.holds(l.x, 0, l.disk.Contents()); t.Failed() {
						t.Fatalf("%s: so far, or the disk differs afterwards", fault.name)
					}
				}
			})
		}
	}
}

var diskFaults = []struct {
	name string
	test func(l *lab)
}{
	{"bad sectors: reading them is an error, around them not", func(l *lab) {
		l.disk.Fail(disktest.Read, 8192, 12288, syscall.EIO)
		_, err := l.x.ReadAt(make([]byte, 4096), 8192)
		l.refused("a read of bad sectors", err)
		_, err = l.x.ReadAt(make([]byte, 65536), 0)
		l.refused("a read across bad sectors", err)
		content := l.disk.Contents()
		l.holds(l.x, 0, content[:8192])
		l.holds(l.x, 12288, content[12288:])
	}},
	{"writes that fail are errors and write nothing", func(l *lab) {
		before := l.disk.Contents()
		for i, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT} {
			l.disk.Fail(disktest.Write, 16384*int64(i), 16384*int64(i)+8192, errno)
			_, err := l.x.WriteAt(make([]byte, 4096), 16384*int64(i)+4096)
			l.refused("a write that fails with "+errno.Error(), err)
		}
		if !bytes.Equal(l.disk.Contents(), before) {
			l.t.Error("something was written")
		}
		l.put(l.x, 8192, bytes.Repeat([]byte{7}, 4096))
	}},
	{"a flush that fails is an error", func(l *lab) {
		l.put(l.x, 0, bytes.Repeat([]byte{8}, 4096))
		l.disk.Fail(disktest.Flush, 0, -1, syscall.EIO)
		l.refused("a flush", l.x.Flush())
		l.disk.Heal()
		l.ok(l.x.Flush())
	}},
	{"no room for the moment is silence, and repeating it helps", func(l *lab) {
		var left atomic.Int32
		left.Store(5)
		l.disk.Hook(func(op disktest.Op, _, _ int64) (time.Duration, syscall.Errno) {
			if op == disktest.Write && left.Add(-1) >= 0 {
				return 0, syscall.ENOMEM
			}
			return 0, 0
		})
		l.put(l.x, 20480, bytes.Repeat([]byte{9}, 4096))
		if n := left.Load(); n >= 0 {
			l.t.Errorf("%d writes were left to fail", n)
		}
	}},
	{"a disk that hangs is silence, and goes on where it was", func(l *lab) {
		l.disk.Stall(disktest.All)
		write := &initiator.IO{Op: initiator.Write, LBA: 100, Data: bytes.Repeat([]byte{10}, 8192)}
		read := &initiator.IO{Op: initiator.Read, LBA: 100, Data: make([]byte, 8192)}
		l.begin(l.x, write)
		l.begin(l.x, read)
		l.await("transfers hang", func() bool { return l.disk.Waiting() > 0 })
		l.unharmed()
		l.disk.Heal()
		l.finish(l.x, 2)
		if write.Err != nil || read.Err != nil || !bytes.Equal(read.Data, write.Data) {
			l.t.Errorf("after the stop: %v, %v, or not what was written", write.Err, read.Err)
		}
	}},
	{"a disk that is pulled is an error, and serves again when it is back", func(l *lab) {
		l.disk.Vanish()
		for range 3 {
			_, err := l.x.ReadAt(make([]byte, 4096), 0)
			l.refused("a read", err)
			_, err = l.x.WriteAt(make([]byte, 4096), 0)
			l.refused("a write", err)
		}
		l.disk.Heal()
		l.put(l.x, 0, bytes.Repeat([]byte{11}, 4096))
	}},
}

// TestDiskServerDies: the file system of a disk goes away under the daemon.
func TestDiskServerDies(t *testing.T) {
	l := newLab(t)
	l.put(l.x, 0, bytes.Repeat([]byte{1}, 4096))
	if err := l.disk.Abort(); err != nil {
		t.Fatal(err)
	}
	_, err := l.x.ReadAt(make([]byte, 4096), 0)
	l.refused("a read", err)
	_, err = l.x.WriteAt(make([]byte, 4096), 0)
	l.refused("a write", err)
	if n := l.x.Engine().Counters().AoEErrorTotal(); n > 0 {
		t.Errorf("%d AoE errors, which Linux takes for silence", n)
	}
	l.unharmed()
	l.ok(l.d.echo("del t0 1 1", "vblade/d0/ports"), l.d.echo("del d0", "vblade/drives"))
	l.w.probe = second
	l.w.silent(l.w.config(aoe.Addr{Shelf: 1, Slot: 1}, aoe.Config{}))
}
