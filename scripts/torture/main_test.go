package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"vbladefs/netio/netiotest"
)

// program builds the daemon once, or ends the test where it cannot run.
func program(t *testing.T) string {
	t.Helper()
	lacking := t.Skip
	if os.Getenv("CI") == "true" {
		lacking = t.Fatal
	}
	if os.Geteuid() != 0 {
		lacking("needs root for namespaces, mounts and loop devices")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		lacking("needs /dev/fuse (modprobe fuse)")
	}
	if _, err := exec.LookPath("losetup"); err != nil {
		lacking("needs the program losetup (Debian package mount)")
	}
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), "vbladefs")
	cmd := exec.Command("go", "build", "-o", path, "../../cmd/vbladefs")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return path, cmd.Run()
})

func TestMain(m *testing.M) {
	remove, err := netiotest.OwnTemp()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	remove()
	os.Exit(status)
}
