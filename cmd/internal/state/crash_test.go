package state

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The crash tests start this test binary again as a child that saves one state
// after the other and dies by SIGKILL.

// What a child is told: its folder, and STEP:N for death at that step of its
// N-th save.
const (
	envFolder = "VBLADEFS_TEST_STATE_FOLDER"
	envDeath  = "VBLADEFS_TEST_STATE_DEATH"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envFolder); dir != "" {
		child(dir, os.Getenv(envDeath))
	}
	os.Exit(m.Run())
}

// child saves the states 1, 2, 3 and prints the number of each that is durable.
func child(dir, death string) {
	k, err := Open(dir, quiet())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var s source
	s.version.Store(int64(number(k.Loaded())))
	begin := int(s.version.Load())
	name, nth, _ := strings.Cut(death, ":")
	n, _ := strconv.Atoi(nth)
	step = func(at string) {
		if at == name && int(s.version.Load()) == begin+n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	k.Start(s.text)
	for {
		s.version.Add(1)
		if err := k.Save(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.version.Load())
	}
}

// number is that of a state of numbered, -1 for what is none; 0 for none at all.
func number(text []byte) int {
	if text == nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("version "))
	digits, _, _ := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.Atoi(string(digits))
	if err != nil || !bytes.Equal(text, numbered(n)) {
		return -1
	}
	return n
}

// run starts a child that dies, and returns the last state that it was told is
// durable, or before. kill, if not nil, kills it; saved is closed when it has said
// that something is durable, or ended.
func run(t *testing.T, dir, death string, before int, kill func(p *os.Process, saved <-chan struct{})) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envFolder+"="+dir, envDeath+"="+death)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan struct{})
	said := sync.OnceFunc(func() { close(saved) })
	defer said()
	if kill != nil {
		go kill(cmd.Process, saved)
	}
	durable := before
	for lines := bufio.NewScanner(out); lines.Scan(); said() {
		if durable, err = strconv.Atoi(lines.Text()); err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v, not by SIGKILL", cmd.ProcessState)
	}
	return durable
}

// left is the number of the state that a dead child has left.
func left(t *testing.T, dir string) int {
	t.Helper()
	text, err := contents(filepath.Join(dir, fileName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	n := number(text)
	if n < 0 {
		t.Fatalf("a torn state of %d bytes: %.80q", len(text), text)
	}
	return n
}

// Whatever step of a save a daemon dies at, the state is the old or the new one,
// and the next daemon takes it.
func TestKilledAtEveryStep(t *testing.T) {
	newFrom := len(steps) // the first step at which the new state is there
	for i, name := range steps {
		if name == "renamed" {
			newFrom = i
		}
	}
	for i, name := range steps {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n := 0
			for _, nth := range []int{1, 2, 3} { // the first with no state before it
				durable := run(t, dir, fmt.Sprintf("%s:%d", name, nth), n, nil)
				if durable != n+nth-1 {
					t.Fatalf("it died after %d saves, want %d", durable-n, nth-1)
				}
				want := durable
				if i >= newFrom {
					want++
				}
				if n = left(t, dir); n != want {
					t.Errorf("killed %s in save %d: state %d is left, want %d", name, durable+1, n, want)
				}
			}
			k := open(t, dir, quiet())
			if number(k.Loaded()) != n {
				t.Errorf("loaded %.60q, want state %d", k.Loaded(), n)
			}
			if rest, _ := filepath.Glob(filepath.Join(dir, tempName)); len(rest) > 0 {
				t.Errorf("%v is left after a start", rest)
			}
		})
	}
}

// Killed at any moment, it has all that it was told is durable, and at most the
// one state that was on its way.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	n := 0
	const rounds = 30
	for i := range rounds {
		durable := run(t, dir, "", n, func(p *os.Process, saved <-chan struct{}) {
			if i%2 == 1 {
				<-saved // a loaded machine may take longer than what follows to start it
			}
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
			_ = p.Kill()
		})
		if n = left(t, dir); n != durable && n != durable+1 {
			t.Fatalf("state %d is left, and %d is durable", n, durable)
		}
	}
	if n < rounds/2 {
		t.Errorf("only %d states were saved in all", n)
	}
}
