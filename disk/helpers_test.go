package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// need ends a test that this machine cannot run: a failure where everything must run, a skip elsewhere.
func need(t testing.TB, have bool, what string) {
	t.Helper()
	switch {
	case have:
	case os.Getenv("CI") == "true":
		t.Fatalf("this test needs %s", what)
	default:
		t.Skipf("this test needs %s", what)
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	need(t, os.Getuid() == 0, "root")
}

// run runs a program of the system and returns what it printed.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	_, err := exec.LookPath(name)
	need(t, err == nil, name)
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// image makes a file of random content, in dir or in a directory of its own.
func image(t testing.TB, dir string, sizeBytes int) (path string, content []byte) {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	content = randomBytes(sizeBytes)
	path = filepath.Join(dir, "image")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	return data
}

// tmpfsDir makes a directory on a tmpfs.
func tmpfsDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "disk-test-")
	need(t, err == nil, "a tmpfs at /dev/shm")
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// loopDevice attaches a file to a free loop device.
func loopDevice(t testing.TB, file string, options ...string) (path string) {
	t.Helper()
	needRoot(t)
	unlock, err := netiotest.LoopLock()
	need(t, err == nil, "loop devices")
	defer unlock()
	path = run(t, "losetup", append(options, "-f", "--show", file)...)
	detach := fmt.Sprintf(`case $(losetup -n -O BACK-FILE %s) in "%s"*) losetup -d %s; esac`, path, file, path)
	done := netiotest.Afterwards(detach)
	t.Cleanup(func() {
		defer done()
		// Detached already where that was the test, and perhaps another's by now.
		out, _ := exec.Command("losetup", "-n", "-O", "BACK-FILE", path).Output()
		if strings.HasPrefix(strings.TrimSpace(string(out)), file) {
			run(t, "losetup", "-d", path)
		}
	})
	return path
}

// mount mounts something on dir until the test ends.
func mount(t testing.TB, dir string, what ...string) {
	t.Helper()
	run(t, "mount", append(what, dir)...)
	done := netiotest.Afterwards("umount -l " + dir)
	t.Cleanup(func() { run(t, "umount", dir); done() })
}

// mounted mounts a new ext4 file system of an image on a loop device.
func mounted(t testing.TB, sizeBytes int) (device, dir string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ext4")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, int64(sizeBytes)); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", "-F", file)
	device = loopDevice(t, file)
	dir = t.TempDir()
	mount(t, dir, device)
	return device, dir
}

func open(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// patience bounds every wait of the tests for something that must happen.
const patience = 20 * time.Second

// reapAll waits for n requests and returns their results by token.
func reapAll(t testing.TB, q Queue, n int) map[uint64]error {
	t.Helper()
	results := make(map[uint64]error, n)
	var tokens [8]uint64
	var errs [8]error
	for deadline := time.Now().Add(patience); len(results) < n; {
		got := q.Reap(tokens[:], errs[:])
		for i := range got {
			if _, twice := results[tokens[i]]; twice {
				t.Fatalf("token %d was reaped twice", tokens[i])
			}
			results[tokens[i]] = errs[i]
		}
		if got == 0 && time.Now().After(deadline) {
			t.Fatalf("%d of %d requests finished in %v", len(results), n, patience)
		}
		if got == 0 {
			if err := q.Wait(-1, time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	return results
}

// do carries out one request, inline or not, as a worker does.
func do(t testing.TB, q Queue, s *Store, op Op, data []byte, offset int64) error {
	t.Helper()
	if done, err := q.Try(s, op, data, offset); done {
		return err
	}
	q.Submit(s, op, data, offset, 7)
	return reapAll(t, q, 1)[7]
}

func wantErrno(t testing.TB, err error, want unix.Errno) {
	t.Helper()
	var errno unix.Errno
	if !errors.As(err, &errno) || errno != want {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func wantSame(t testing.TB, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("content differs from byte %d on", i)
			}
		}
		t.Fatalf("content is %d bytes long, want %d", len(got), len(want))
	}
}
