package netiotest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Temporary files go, however the process ends, and before that everybody may get to them.
func TestOwnTemp(t *testing.T) {
	if how := os.Getenv("OWN_TEMP"); how != "" {
		remove, err := OwnTemp()
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		info, err := os.Stat(os.TempDir())
		if err != nil || info.Mode().Perm() != 0o755 || !strings.HasPrefix(dir, os.TempDir()+"/") {
			t.Fatalf("%s in %s: %v, %v", dir, os.TempDir(), info, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "left"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if how == "killed" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		remove()
		return
	}
	for _, how := range []string{"killed", "ended"} {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestOwnTemp$")
		cmd.Env = append(os.Environ(), "OWN_TEMP="+how, "TMPDIR="+dir)
		if out, err := cmd.CombinedOutput(); (err == nil) != (how == "ended") {
			t.Fatalf("%s: %v\n%s", how, err, out)
		}
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: left is %v", how, left)
			}
		}
	}
}
