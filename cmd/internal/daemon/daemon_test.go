package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// actVariable has the test program play a daemon.
const actVariable = "VBLADEFS_TEST_ACT"

func TestMain(m *testing.M) {
	if act := os.Getenv(actVariable); act != "" {
		os.Exit(play(act))
	}
	os.Exit(m.Run())
}

// play is what the program does that a test has started.
func play(act string) int {
	switch act {
	case "lock":
		if _, _, err := WritePIDFile(os.Args[1]); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("locked")
		_, _ = os.Stdin.Read(make([]byte, 1))
		return 0
	}
	ready := InBackground()
	if ready == nil {
		return Background(os.Stderr)
	}
	sid, _ := unix.Getsid(0)
	switch {
	case sid != os.Getpid():
		ready.Failed(9, "not a session of its own")
	case act == "serve":
		ready.Serving()
	case act == "fail":
		ready.Failed(7, "no such interface\n")
	case act == "die":
		return 3
	}
	return 0
}

func acting(t *testing.T, act string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), actVariable+"="+act)
	return c
}

func TestBackground(t *testing.T) {
	for _, c := range []struct {
		act    string
		code   int
		stderr string
	}{
		{"serve", 0, ""},
		{"fail", 7, "no such interface\n"},
		{"die", 1, "ended before it served (exit status 3)"},
	} {
		cmd := acting(t, c.act)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run()
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%s: exit code %d, want %d", c.act, got, c.code)
		}
		if got := stderr.String(); !strings.Contains(got, c.stderr) || c.stderr == "" && got != "" {
			t.Errorf("%s: stderr %q, want %q", c.act, got, c.stderr)
		}
	}
}

func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.pid")
	if err := os.WriteFile(path, []byte("12345\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	holder := acting(t, "lock", path)
	stdin, _ := holder.StdinPipe()
	stdout, _ := holder.StdoutPipe()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 7)
	if _, err := stdout.Read(line); err != nil || string(line) != "locked\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	want := fmt.Sprintf("process %q", fmt.Sprint(holder.Process.Pid))
	if _, _, err := WritePIDFile(path); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), want) {
		t.Errorf("a locked file: %v, want an error with %s", err, want)
	}
	_ = stdin.Close()
	_ = holder.Wait()
	p, stale, err := WritePIDFile(path)
	if err != nil || stale != fmt.Sprint(holder.Process.Pid) {
		t.Fatalf("a stale file: %q, %v", stale, err)
	}
	info, _ := os.Stat(path)
	if text, _ := os.ReadFile(path); string(text) != fmt.Sprintln(os.Getpid()) || info.Mode().Perm() != 0o644 {
		t.Errorf("it holds %q, mode %v", text, info.Mode())
	}
	if err := p.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there still: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := WritePIDFile(link); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a symbolic link: %v", err)
	}
}

// TestPIDFileIsNoOther has a file that somebody needs stay as it is.
func TestPIDFileIsNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, []byte("precious\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := WritePIDFile(path); err == nil || errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), "give another path") {
		t.Errorf("error %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious\n" {
		t.Errorf("it holds %q now", text)
	}
	if _, _, err := WritePIDFile(filepath.Join(filepath.Dir(path), "no", "pid")); !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrRunning) {
		t.Errorf("no folder: %v", err)
	}
}

// TestPIDFileRace has a process take the file at the moment when another gives it
// up: what it locked is the file at the path, or a third would run beside it.
func TestPIDFileRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(path); err != nil { // as the one that ends does
		t.Fatal(err)
	}
	if _, err := fillPIDFile(f, path); !errors.Is(err, errReplaced) {
		t.Errorf("a file that is no more at its path: %v", err)
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := ListenStream(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Lstat(path); info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("mode %v, want a socket of 0600", info.Mode())
	}
	if _, err := ListenStream(path); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a socket in use: %v", err)
	}
	if _, err := ListenDatagram(path); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a stream socket in use: %v", err)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
	_ = l.Close() // and leaves its file, as a killed daemon does
	d, err := ListenDatagram(path)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	_ = d.Close()
	if err := RemoveSocket(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is there still: %v", err)
	}
}

func TestSocketRefusals(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		victim:                     "something else",
		link:                       "something else",
		filepath.Join(open, "s"):   "others may write",
		filepath.Join(victim, "s"): "not a directory",
		filepath.Join(dir, "no/s"): "no such file",
		filepath.Join(dir, strings.Repeat("n", 108)): "invalid argument",
	} {
		if _, err := ListenStream(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", path, err, want)
		}
	}
	if text, _ := os.ReadFile(victim); string(text) != "precious" {
		t.Errorf("the file holds %q", text)
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("a socket was made where a symbolic link points")
	}
	if err := os.Chmod(open, os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	l, err := ListenStream(filepath.Join(open, "s"))
	if err != nil {
		t.Fatalf("a folder like /tmp: %v", err)
	}
	_ = l.Close()
}
