package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// terminal opens a pseudo terminal: the side of the one who types, and the side of programs. See pty(7).
func terminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	keyboard = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { _ = keyboard.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keyboard, tty
}

// TestRunShell: without a command there is a shell, with the terminal, its keys and job control.
func TestRunShell(t *testing.T) {
	t.Parallel()
	need(t, "bash")
	d := serve(t, netiotest.New(t))
	keyboard, tty := terminal(t)
	cmd := exec.Command(program, "run", "-mount", d.dir)
	cmd.Env = append(os.Environ(), "SHELL=/bin/bash", "LC_ALL=C", "TERM=dumb", "HOME=/nonexistent", "HISTFILE=")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = tty.Close()
	said := saidOn(keyboard)
	// What is awaited is not what is typed, which the terminal shows too.
	for _, step := range []struct{ keys, answer string }{
		{"test -d /sys/kvblade && echo 'be'gun\n", "begun"},
		{"sh -c 'echo run''ning; exec sleep 1000'; echo 'be'hind $?\n", "running"},
		{"\x03", "^C"}, // bash gives up the whole line
		{"echo ali've'\n", "alive"},
		{"sh -c 'echo agai''n; exec sleep 1000'\n", "again"},
		{"\x1a", "Stopped"},
		{"jobs | sed s/Stopped/'jobs: 'one/; bg; kill %1; wait; echo wait'ed'\n", "waited"},
	} {
		from := len(said.String())
		if _, err := keyboard.Write([]byte(step.keys)); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); !strings.Contains(said.String()[from:], step.answer); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				_ = cmd.Process.Kill()
				t.Fatalf("after %q no %q:\n%s", step.keys, step.answer, said)
			}
		}
	}
	if _, err := keyboard.Write([]byte("exit 5\n")); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("exit code %d, want 5:\n%s", code, said)
	}
	for _, bad := range []string{"no job control", "Inappropriate ioctl", "behind 0"} {
		if strings.Contains(said.String(), bad) {
			t.Errorf("the shell says %q:\n%s", bad, said)
		}
	}
	d.awaitNoView()
}

// saidOn gathers what a terminal is written to, until it is closed.
func saidOn(keyboard *os.File) *output {
	said := &output{}
	go func() {
		var b [4096]byte
		for {
			n, err := keyboard.Read(b[:])
			_, _ = said.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	return said
}
