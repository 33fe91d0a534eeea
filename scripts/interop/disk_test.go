package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// disk is a backing file full of random bytes, behind a loop device.
type disk struct {
	file      string
	loop      string // /dev/loopN
	sizeBytes int64
	cached    bool // its daemon writes through the page cache, and a loop device's is not its file's
}

// newDisk makes one for as long as the test runs. The loop device is detached at once, which the kernel carries out when
// its last user closes it: ours is the descriptor here, so it goes even if the test is killed.
func newDisk(t *testing.T, sizeBytes int64) disk {
	t.Helper()
	d := disk{file: filepath.Join(t.TempDir(), "disk"), sizeBytes: sizeBytes}
	file, err := os.Create(d.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	random := rand.NewChaCha8([32]byte{1: byte(sizeBytes >> 9), 2: byte(sizeBytes >> 17), 3: byte(sizeBytes >> 25)})
	if _, err := io.CopyN(file, random, sizeBytes); err != nil {
		t.Fatal(err)
	}
	unlock, err := netiotest.LoopLock()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "-f", "--show", d.file).CombinedOutput()
	unlock()
	if err != nil {
		t.Fatalf("losetup: %v: %s", err, out)
	}
	d.loop = strings.TrimSpace(string(out))
	held, openErr := os.Open(d.loop)
	if out, err := exec.Command("losetup", "-d", d.loop).CombinedOutput(); err != nil {
		t.Fatalf("losetup -d: %v: %s", err, out)
	}
	if openErr != nil {
		t.Fatal(openErr)
	}
	t.Cleanup(func() { held.Close() })
	return d
}

// sum is the host's view of the whole disk.
func (d disk) sum(t *testing.T) string {
	t.Helper()
	if d.cached {
		d.sync(t)
	}
	file, err := os.Open(d.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	if n, err := io.Copy(hash, file); err != nil || n != d.sizeBytes {
		t.Fatalf("%s: %d bytes, not %d; %v", d.file, n, d.sizeBytes, err)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// sync has the file contain what was written to the loop device.
func (d disk) sync(t *testing.T) {
	t.Helper()
	device, err := os.OpenFile(d.loop, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if err := device.Sync(); err != nil {
		t.Fatal(err)
	}
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
