package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Interrupted or killed, it leaves nothing.
func TestBenchCleansUp(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		cmd := program(t, "-rounds", "1", "-seconds", "30")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		dir, _ := build()
		await(t, "aoebench to run", func() bool { return strings.Contains(leftovers(t, dir), "--runtime 30s") })
		_ = cmd.Process.Signal(signal)
		err := cmd.Wait()
		if signal == syscall.SIGINT && (cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(stderr.String(), "interrupted")) {
			t.Errorf("%v: %v, %s", signal, err, stderr.String())
		}
		await(t, "everything to end", func() bool { return leftovers(t, filepath.Join(dir, "none")) == "" })
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestProgramStatus(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"-rounds", "x"}, exitUsage, `"x"`},
		{[]string{"-json", "/nonexistent/file"}, exitFailed, "/nonexistent/file"},
		{[]string{"-bin", "/nonexistent"}, exitFailed, "make build"},
		{[]string{"-rounds", "1", "-seconds", "0.1", "-only", "reads", "-peer", "bad=/bin/false {interface} {file}"}, exitFailed, "bad"},
	} {
		cmd := program(t, c.args...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.status || !strings.Contains(string(out), c.says) {
			t.Errorf("%q: status %d, %s; want %d and a word of %s", c.args, cmd.ProcessState.ExitCode(), out, c.status, c.says)
		}
	}
}
