package main_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

const mib = 1 << 20

// image makes a disk image of random bytes.
func image(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = random(size)
	path = filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// random is size random bytes.
func random(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(rand.Uint32()), byte(rand.Uint32()), byte(rand.Uint32())}).Read(b)
	return b
}

// loop attaches image to a loop device until the test ends.
func loop(t *testing.T, image string, options ...string) (device string) {
	t.Helper()
	need(t, "losetup")
	unlock, err := netiotest.LoopLock()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", append(append([]string{"-f", "--show"}, options...), image)...).CombinedOutput()
	unlock()
	if err != nil {
		t.Fatalf("losetup: %v: %s", err, out)
	}
	device = strings.TrimSpace(string(out))
	done := netiotest.Afterwards("losetup -d " + device)
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", device).CombinedOutput(); err != nil {
			t.Errorf("losetup -d %s: %v: %s", device, err, out)
		}
		done()
	})
	return device
}

// loopDisk is a loop device on an image of random bytes.
func loopDisk(t *testing.T, size int, options ...string) (device, path string, content []byte) {
	t.Helper()
	path, content = image(t, size)
	return loop(t, path, options...), path, content
}

// checkFile compares a file with what it must hold.
func checkFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkBytes(t, path, got, want)
}

func checkBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d bytes, want %d", what, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: byte %d is %#02x, want %#02x", what, i, got[i], want[i])
			return
		}
	}
}

// tool runs a program and returns its output.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	need(t, name)
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// openExclusively claims a block device for a moment.
func openExclusively(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR|os.O_EXCL, 0)
	if err == nil {
		err = f.Close()
	}
	return err
}
