package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// replaceProgram puts a program in the place of another at once, as package
// managers do.
func replaceProgram(t *testing.T, path string, text []byte) {
	t.Helper()
	writeProgram(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// writeProgram has another process write a program: a child that another test starts meanwhile would have what this one
// writes to open until it runs its own program, and what is written to cannot be run (ETXTBSY).
func writeProgram(t *testing.T, path string, text []byte) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `cat > "$0" && chmod 755 "$0"`, path)
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// installed is a copy of the program which may be replaced, in a folder that
// everybody may enter.
func installed(t *testing.T) (path string, text []byte) {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "vbladefs-installed-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "vbladefs")
	replaceProgram(t, path, text)
	return path, text
}

// upgraded has a daemon upgraded, and returns the process that serves now.
func upgraded(t *testing.T, path, state string) int {
	t.Helper()
	out, err := exec.Command(path, "upgrade", "-state", state).CombinedOutput()
	said := regexp.MustCompile(`^process ([0-9]+) serves now\n$`).FindSubmatch(out)
	if err != nil || said == nil {
		t.Fatalf("upgrade: %v\n%s", err, out)
	}
	pid, _ := strconv.Atoi(string(said[1]))
	t.Cleanup(func() { // of this test's own, and nobody's child
		if syscall.Kill(pid, syscall.SIGTERM) == nil {
			awaitEnd(t, pid)
		}
	})
	return pid
}

// awaitEnd waits for a process that may be nobody's child here.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(end) {
			t.Errorf("process %d does not end", pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
}

// TestUpgrade: the program on the disk takes over under load, the service manager
// is told of it all, and one that does not work changes nothing.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	need(t)
	here, there := netiotest.Pair(t, 9000)
	path, text := installed(t)
	m := manage(t)
	dir, state := mountDir(t), t.TempDir()
	d := startProgram(t, here, "env", append(m.environment(time.Second), path, "serve", "-state", state, dir)...)
	d.dir = dir
	m.await("READY=1")
	d.check()
	addrs := d.exports(4)
	m.await("WATCHDOG=1\nSTATUS=4 exports, 4 ports on 1 interfaces")
	v := loadOn(t, there, "eth0", 16, addrs...)
	v.goesOn(100)

	replaceProgram(t, path, []byte("#!/bin/sh\necho this is no daemon >&2\nexit 3\n"))
	out, err := exec.Command(program, "upgrade", "-state", state).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the running daemon goes on: process") || !strings.Contains(string(out), "exit status 3") {
		t.Errorf("an upgrade to what is no daemon: %v\n%s", err, out)
	}
	v.goesOn(100)
	d.check()

	replaceProgram(t, path, text)
	first := upgraded(t, path, state)
	awaitEnd(t, d.cmd.Process.Pid)
	m.await(fmt.Sprintf("MAINPID=%d", first), "READY=1", "WATCHDOG=1")
	v.goesOn(100)
	second := upgraded(t, path, state)
	awaitEnd(t, first)
	m.await(fmt.Sprintf("MAINPID=%d", second), "READY=1")
	v.goesOn(100)
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", second)); err != nil || strings.Count(string(line), "-takeover") != 1 {
		t.Errorf("the command line after two upgrades is %q, %v", line, err)
	}
	v.check()
	d.echo("6 0 eth0", "kvblade/del")
	_ = syscall.Kill(second, syscall.SIGTERM)
	m.await("STOPPING=1")
	if code := d.exitCode(); code != 0 { // which waits for those who have its stderr
		t.Errorf("the daemon of before ended with %d", code)
	}
	d.checkUnmounted()
}

// TestUpgradeUser: one that is not root has its capabilities afterwards, too, and as
// many as there are where a service manager keeps some from it.
func TestUpgradeUser(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "mknod", "setpriv")
	here, _ := netiotest.Pair(t, 1500)
	path, _ := installed(t)
	bounded := filepath.Join(filepath.Dir(path), "bounded")
	script := "#!/bin/sh\nexec setpriv --bounding-set -ipc_lock " + path + ` "$@"`
	writeProgram(t, bounded, []byte(script))
	all := documented(t, "-user")
	upgradeUser(t, here, path, path, all)
	upgradeUser(t, here, bounded, path, all&^(1<<unix.CAP_IPC_LOCK))
}

func upgradeUser(t *testing.T, here netiotest.Netns, start, path string, kept uint64) {
	t.Helper()
	dir, state := mountDir(t), filepath.Join(filepath.Dir(path), "state")
	if err := errors.Join(os.MkdirAll(state, 0o700), os.Chown(state, nobody, nobody), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	d := serveProgramAs(t, here, start, dir, "-user", "nobody", "-state", state)
	pid := upgraded(t, path, state)
	awaitEnd(t, d.cmd.Process.Pid)
	checkLimited(t, pid, kept)
	next := &daemon{t: t, dir: fmt.Sprintf("/proc/%d/root%s", pid, dir)}
	if text := next.read("README"); !strings.Contains(text, "aoeserver") {
		t.Errorf("the tree is %q", text)
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	if code := d.exitCode(); code != 0 {
		t.Errorf("the daemon of before ended with %d", code)
	}
}

// TestUpgradeOfNobody says what is missing.
func TestUpgradeOfNobody(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(program, "upgrade", "-state", t.TempDir()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "start it") {
		t.Errorf("%v\n%s", err, out)
	}
}
