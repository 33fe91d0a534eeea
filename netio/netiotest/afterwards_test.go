package netiotest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// What is left to do is done after a death of the test process, and nothing else.
func TestAfterwards(t *testing.T) {
	if dir := os.Getenv("AFTERWARDS_IN"); dir != "" {
		Afterwards("mv " + dir + "/second " + dir + "/third")
		forgotten := Afterwards("rm -r " + dir)
		Afterwards("mv " + dir + "/first " + dir + "/second; test ! -e " + dir + "/first")
		forgotten()
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "first"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestAfterwards$")
	cmd.Env = append(os.Environ(), "AFTERWARDS_IN="+dir)
	if err := cmd.Run(); err == nil {
		t.Fatal("it was not killed")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "third")); err == nil {
			return
		}
		if time.Now().After(end) {
			left, err := os.ReadDir(dir)
			t.Fatalf("nothing was done: %v, %v", left, err)
		}
	}
}
