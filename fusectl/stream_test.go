package fusectl

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// follow runs cat on a trace.
func follow(t *testing.T, d *daemon, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("cat", filepath.Join(d.dir, path))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// ended waits for the end of a process that must come by itself.
func ended(t *testing.T, what string, cmd *exec.Cmd) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatalf("%s: the reader does not end", what)
		return nil
	}
}

// opens reports whether a process has opened a file below dir.
func opens(pid int, dir string) bool {
	fds, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fd", "*"))
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir+"/") {
			return true
		}
	}
	return false
}

// TestTraceReaders: readers that wait hold nobody up, however many, and there are only
// so many; they end when they are interrupted, when the address goes and when the tree
// does.
func TestTraceReaders(t *testing.T) {
	d := mounted(t)
	d.sh(t, "for i in 0 1 2 3; do echo 0 $i eth0 /dev/loop0 > kvblade/add; done")
	var readers []*exec.Cmd
	for _, addr := range []string{"e0.0", "e0.1", "e0.2", "e0.3"} {
		for range 8 {
			readers = append(readers, follow(t, d, "targets/"+addr+"/trace"))
		}
	}
	await(t, "all have opened their trace", func() bool {
		for _, r := range readers {
			if !opens(r.Process.Pid, d.dir) {
				return false
			}
		}
		return true
	})
	if got := d.sh(t, "cat targets/e0.0/trace 2>&1; stat -c %a targets/e0.0/trace; wc -l < targets/status"); got !=
		"cat: targets/e0.0/trace: Device or resource busy\n400\n4\n" {
		t.Errorf("one more: %s", got)
	}
	_ = readers[0].Process.Signal(os.Interrupt)
	if err := ended(t, "interrupted", readers[0]); err == nil || !strings.Contains(err.Error(), "interrupt") {
		t.Errorf("interrupted: %v", err)
	}
	again := follow(t, d, "targets/e0.0/trace")
	await(t, "there is room again", func() bool { return opens(again.Process.Pid, d.dir) })
	d.sh(t, "echo 0 1 eth0 > kvblade/del")
	if err := ended(t, "the address is gone", readers[8]); err != nil {
		t.Errorf("the address is gone: %v", err)
	}
	if err := d.stop(); err != nil {
		t.Error(err)
	}
	_ = ended(t, "the tree is gone", again) // by the end of the file, or with ECONNABORTED if the tree is quicker
}

// TestTracePrivate: the group that may write may read a trace, others may not.
func TestTracePrivate(t *testing.T) {
	need(t, "setpriv")
	d := mounted(t, groupEnv+"=54321")
	if err := os.Chmod(filepath.Dir(filepath.Dir(d.dir)), 0o755); err != nil { // of this test's own folders
		t.Fatal(err)
	}
	d.sh(t, "echo 0 0 eth0 /dev/loop0 > kvblade/add")
	const stranger = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "
	got := d.sh(t, "stat -c '%a %g' targets/e0.0/trace; "+stranger+"'cat targets/e0.0/trace; echo x > targets/e0.0/trace'; echo x > targets/e0.0/trace")
	for _, want := range []string{"440 54321\n", "cat: targets/e0.0/trace: Permission denied\n", "cannot create targets/e0.0/trace: Permission denied"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q without %q", got, want)
		}
	}
	if !strings.Contains(d.sh(t, "cat targets/e0.0/latency"), "read count 0\n") {
		t.Error("latency does not say that there were no reads")
	}
}
