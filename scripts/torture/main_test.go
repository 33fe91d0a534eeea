package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
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

var buildDir string

var build = sync.OnceValues(func() (string, error) {
	var err error
	if buildDir, err = os.MkdirTemp("", "vbladefs-torture-"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(buildDir, "vbladefs"), "../../cmd/vbladefs")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return filepath.Join(buildDir, "vbladefs"), cmd.Run()
})

func TestMain(m *testing.M) {
	status := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
	os.Exit(status)
}
