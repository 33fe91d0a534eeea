package engine

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// This file changes exports while a client uses them.

// do carries out an operation that must succeed.
func do(t testing.TB, tgt *target.Target, op target.Operation) {
	t.Helper()
	if err := tgt.Do(op); err != nil {
		t.Fatalf("%+v: %v", op, err)
	}
}

// loopOf attaches image to a loop device until the test ends.
func loopOf(t testing.TB, image string, options ...string) string {
	t.Helper()
	unlock, err := netiotest.LoopLock()
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	out, err := exec.Command("losetup", append(options, "-f", "--show", image)...).CombinedOutput()
	if err != nil {
		t.Fatalf("losetup: %v: %s", err, out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", device).CombinedOutput(); err != nil {
			t.Errorf("losetup -d %s: %v: %s", device, err, out)
		}
	})
	return device
}

// wantATAError checks that err is an ATA error, and no other failure.
func wantATAError(t testing.TB, what string, err error) {
	t.Helper()
	var ata *initiator.ATAError
	if !errors.As(err, &ata) {
		t.Errorf("%s: %v, want an ATA error", what, err)
	}
}

// TestSizesAreFollowed has a file and a loop device grow and shrink: by
// themselves the new sizes are served.
func TestSizesAreFollowed(t *testing.T) {
	for _, kind := range []string{"file", "loop"} {
		t.Run(kind, func(t *testing.T) { testSizesAreFollowed(t, kind == "loop") })
	}
}

func testSizesAreFollowed(t *testing.T, loop bool) {
	const small, large = 1 << 20, 3 << 20
	spare := filepath.Join(t.TempDir(), "spare")
	if err := os.WriteFile(spare, make([]byte, small), 0o600); err != nil {
		t.Fatal(err)
	}
	device := ""
	if loop {
		device = loopOf(t, spare) // detached after the target is closed
	}
	tgt, image, x := exportOn(t, Options{}, 9000, small)
	if loop {
		image = spare
		do(t, tgt, target.Rebind{Addr: exported, Interface: netiotest.Netif, Path: device})
	}
	resize := func(size int64) {
		t.Helper()
		if err := os.Truncate(image, size); err != nil {
			t.Fatal(err)
		}
		if loop {
			if out, err := exec.Command("losetup", "-c", device).CombinedOutput(); err != nil {
				t.Fatalf("losetup -c: %v: %s", err, out)
			}
		}
	}
	follow := func(size int64) {
		t.Helper()
		for end := time.Now().Add(forFrame); x.Size() != size; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the client sees %d bytes, want %d", x.Size(), size)
			}
			if err := x.Identify(); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := bytes.Repeat([]byte{0x5a}, 4096)
	resize(large)
	follow(large)
	if _, err := x.WriteAt(last, large-4096); err != nil {
		t.Fatal(err)
	}
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	if stored, err := os.ReadFile(image); err != nil || !bytes.Equal(stored[large-4096:], last) {
		t.Errorf("what was written to the new end is not there: %v", err)
	}
	resize(small)
	_, err := x.ReadAt(make([]byte, 4096), large-4096)
	wantATAError(t, "a read past the end before it is noticed", err)
	_, err = x.WriteAt(last, large-4096)
	wantATAError(t, "a write past the end before it is noticed", err)
	follow(small)
	if info, err := os.Stat(image); err != nil || info.Size() != small {
		t.Errorf("the file has %d bytes: a write made it longer", info.Size())
	}
	resize(large)
	do(t, tgt, target.Resize{Drive: tgt.Drives()[0].Name})
	if err := x.Identify(); err != nil || x.Size() != large {
		t.Errorf("after Resize the client sees %d bytes: %v", x.Size(), err)
	}
}

// TestPauseUnderLoad copies the file while a client writes: nothing changes
// during the pause, all that was acknowledged before is in the copy, and the
// client loses nothing.
func TestPauseUnderLoad(t *testing.T) {
	const size = 1 << 20
	tgt, image, x := exportOn(t, Options{}, 9000, size)
	drive := tgt.Drives()[0].Name
	written := make(chan byte, 1) // the last generation that is acknowledged as a whole
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for generation := byte(1); ; generation++ {
			if _, err := x.WriteAt(bytes.Repeat([]byte{generation}, size), 0); err != nil {
				stopped <- err
				return
			}
			select {
			case <-written:
			default:
			}
			written <- generation
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
		}
	}()
	for range 10 {
		least := <-written
		do(t, tgt, target.SetPaused{Drive: drive, Paused: true})
		first, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // the client repeats itself
		second, err := os.ReadFile(image)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Error("the file has changed during the pause")
		}
		for i := 0; i < size; i += aoe.SectorSize {
			if age := int8(first[i] - least); age < 0 {
				t.Fatalf("sector %d holds generation %d, and %d was acknowledged", i/aoe.SectorSize, first[i], least)
			}
		}
		do(t, tgt, target.SetPaused{Drive: drive})
	}
	close(stop)
	for { // the writer may be about to tell
		select {
		case <-written:
			continue
		case err := <-stopped:
			if err != nil {
				t.Error(err)
			}
		}
		break
	}
	if p, _ := tgt.Port(exported, netiotest.Netif); p.Stats.Dropped == 0 {
		t.Error("no request came during a pause, so this shows nothing")
	}
}

// TestReadOnlyWhileExported goes there and back, also from a store that was
// opened read-only.
func TestReadOnlyWhileExported(t *testing.T) {
	tgt, image, x := exportOn(t, Options{}, 9000, 1<<20)
	drive := tgt.Drives()[0].Name
	next := filepath.Join(t.TempDir(), "next")
	if err := os.WriteFile(next, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(b byte) error {
		_, err := x.WriteAt(bytes.Repeat([]byte{b}, 4096), 8192)
		return err
	}
	holds := func(path string, b byte) {
		t.Helper()
		if stored, err := os.ReadFile(path); err != nil || stored[8192] != b {
			t.Errorf("the file holds %d, want %d: %v", stored[8192], b, err)
		}
	}
	for round := byte(1); round < 4; round++ {
		if err := write(round); err != nil {
			t.Fatal(err)
		}
		do(t, tgt, target.SetReadOnly{Drive: drive, ReadOnly: true})
		wantATAError(t, "a write to a read-only drive", write(99))
		holds(image, round)
		do(t, tgt, target.SetReadOnly{Drive: drive})
	}
	do(t, tgt, target.SetReadOnly{Drive: drive, ReadOnly: true})
	do(t, tgt, target.Rebind{Addr: exported, Interface: netiotest.Netif, Path: next}) // opens it read-only
	wantATAError(t, "a write to a store that is open read-only", write(99))
	do(t, tgt, target.SetReadOnly{Drive: drive})
	if err := write(7); err != nil {
		t.Fatal(err)
	}
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	holds(next, 7)
}
