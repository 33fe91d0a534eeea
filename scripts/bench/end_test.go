package main

import (
	"encoding/json"
	"os"
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
		{[]string{"-only", "writes", "-plot", "/nonexistent"}, exitUsage, "-only"},
		{[]string{"-rounds", "1", "-seconds", "0.1", "-only", "reads", "-peer", "bad=/bin/false {interface} {file}"}, exitFailed, "bad"},
	} {
		cmd := program(t, c.args...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.status || !strings.Contains(string(out), c.says) {
			t.Errorf("%q: status %d, %s; want %d and a word of %s", c.args, cmd.ProcessState.ExitCode(), out, c.status, c.says)
		}
	}
}

// A group that fails does not take the others' measurements with it.
func TestFailedGroupIsLeftOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	cmd := program(t, "-rounds", "2", "-seconds", "0.1", "-only", "writes,slow", "-json", path, "-peer", "bad=/bin/false {interface} {file}")
	var stderr, stdout strings.Builder
	cmd.Stderr, cmd.Stdout = &stderr, &stdout
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("%v, want status %d", err, exitFailed)
	}
	for _, want := range []string{"group writes, round 1", "bad", "without group writes"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no %q in %s", want, stderr.String())
		}
	}
	if table := stdout.String(); !strings.Contains(table, "beside a slow export") || strings.Contains(table, "8 KiB writes") {
		t.Errorf("table: %s", table)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil || len(r.Measurements) != 4 {
		t.Errorf("%v, %d measurements in %s", err, len(r.Measurements), text)
	}
}
