package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/disk/disktest"
	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// TestEachPortIsToldOfLosses: two drives are parts of one block device, whose kernel tells of a failed write-back once. Each client
// has written, and the flush of each fails, once, whoever flushed first: the other client, or the control plane.
func TestEachPortIsToldOfLosses(t *testing.T) {
	for _, first := range []string{"the other", "a pause"} {
		t.Run(first, func(t *testing.T) {
			disk, device := loopOnFUSE(t)
			tgt, x := twoParts(t, device)
			for _, x := range x {
				if _, err := x.WriteAt(make([]byte, 4096), 8192); err != nil {
					t.Fatal(err)
				}
			}
			disk.Fail(disktest.Write, 0, -1, syscall.EIO)
			if first == "a pause" {
				if err := tgt.Do(target.SetPaused{Drive: "part0", Paused: true}); err == nil {
					t.Fatal("a pause of a disk that cannot be flushed succeeded")
				}
			} else {
				wantFlushFailed(t, x[0])
			}
			disk.Heal()
			if first == "a pause" {
				wantFlushFailed(t, x[0])
			}
			wantFlushFailed(t, x[1])
			for i, x := range x {
				if err := x.Flush(); err != nil {
					t.Errorf("client %d is told again: %v", i, err)
				}
			}
		})
	}
}

func wantFlushFailed(t *testing.T, x *initiator.Export) {
	t.Helper()
	var failed *initiator.ATAError
	if err := x.Flush(); !errors.As(err, &failed) {
		t.Errorf("what was written is lost, and a flush gives %v", err)
	}
}

// loopOnFUSE is a loop device on a disk with faults.
func loopOnFUSE(t *testing.T) (*disktest.Disk, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fuse")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	disk, err := disktest.Mount(dir, make([]byte, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := disk.Close(); err != nil {
			t.Error(err)
		}
	})
	return disk, loopOf(t, disk.Path())
}

// twoParts serves both halves of a device of 1 MiB, with the policy writeback.
func twoParts(t *testing.T, device string) (*target.Target, [2]*initiator.Export) {
	t.Helper()
	ours, theirs := netiotest.Pair(t, 1500)
	log := logrus.New()
	log.SetOutput(io.Discard)
	tgt := New(Options{Log: log, Spin: target.DefaultSpin})
	t.Cleanup(func() {
		if err := tgt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	var x [2]*initiator.Export
	for i := range x {
		name, addr := fmt.Sprintf("part%d", i), aoe.Addr{Shelf: 7, Slot: uint8(i)}
		ours.Do(func() {
			err := errors.Join(tgt.Do(target.AddDrive{Name: name, Path: device, Cache: target.CacheWriteback, Offset: uint64(i) * 1024, Length: 1024}),
				tgt.Do(target.AddPort{Drive: name, Addr: addr, Interface: netiotest.Netif}))
			if err != nil {
				t.Fatal(err)
			}
		})
		theirs.Do(func() {
			info, err := netio.Lookup(netiotest.Netif)
			if err != nil {
				t.Fatal(err)
			}
			l, err := netio.Open(netiotest.Netif, netio.Options{Replies: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			who, err := initiator.New(l, initiator.Local{MAC: info.MAC, MTU: info.MTU})
			if err == nil {
				x[i], err = who.Open(addr, initiator.Options{Window: 4, Timeout: 5 * time.Second})
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	return tgt, x
}
