package main_test

import (
	"io"
	"os/exec"
	"testing"
)

// startReady starts cmd and returns when it has written something; it ends what
// it reads with leave.
func startReady(t *testing.T, cmd *exec.Cmd) (leave io.Closer) {
	t.Helper()
	leave, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ready, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := ready.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	return leave
}
