package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"vbladefs/netio/netiotest"
)

// The tests of this package use the daemon as its user does: the binary in a
// network namespace of the test, shell commands on the mounted tree, loop
// devices, and initiators at the other end of a veth pair.

// program is the binary under test.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	remove, err := netiotest.OwnTemp()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	program = filepath.Join(os.TempDir(), "vbladefs")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=1.2-test", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the daemon: %v\n%s", err, out)
		return 1
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // nohup is passed on otherwise
	before := usualState()
	code := m.Run()
	if usualState() != before {
		fmt.Fprintln(os.Stderr, "a test let a daemon keep its state in one of", usualFolders, "- give it a folder of its own")
		return 1
	}
	return code
}

// usualFolders are where daemons of this machine may keep their state.
var usualFolders = []string{"/var/lib/vbladefs", "/var/lib/ggaoed"}

// usualState tells whether there is a state, and of when.
func usualState() string {
	var found string
	for _, folder := range usualFolders {
		for _, name := range []string{"", "lock", "state"} {
			if info, err := os.Stat(filepath.Join(folder, name)); err == nil {
				found += info.ModTime().String()
			}
		}
	}
	return found
}

// need ends the test unless these programs and FUSE are there: it fails under
// CI=true and is skipped elsewhere.
func need(t *testing.T, programs ...string) {
	t.Helper()
	missing := ""
	if os.Geteuid() != 0 {
		missing = "root"
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		missing = "/dev/fuse (modprobe fuse)"
	}
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			missing = "the program " + name
		}
	}
	switch {
	case missing == "":
	case os.Getenv("CI") == "true":
		t.Fatal("needs " + missing)
	default:
		t.Skip("needs " + missing)
	}
}
