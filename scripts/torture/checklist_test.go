package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

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
