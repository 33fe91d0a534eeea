package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Go program cannot fork, so a daemon starts itself a second time, in a
// session of its own and with nothing open. The first process stays until the
// second serves or has failed, and ends as that did: who started it learns what
// went wrong at the shell, not from a log.

// readyVariable tells the second process which descriptor the first listens at.
const readyVariable = "VBLADEFS_READY_FD"

// readyFD is the first descriptor behind the three that every process has.
const readyFD = 3

// Ready is how a process in the background tells that it serves, or why not.
type Ready struct{ pipe *os.File }

// InBackground is the Ready of a process that Background started; others get
// nil, which may be told as well.
func InBackground() *Ready {
	if os.Getenv(readyVariable) != strconv.Itoa(readyFD) {
		return nil
	}
	_ = os.Unsetenv(readyVariable)
	unix.CloseOnExec(readyFD)
	return &Ready{os.NewFile(readyFD, "ready")}
}

// Leave has a process in the background stand in no folder that somebody may want
// to unmount. Relative paths mean others afterwards.
func (r *Ready) Leave() error {
	if r == nil {
		return nil
	}
	return os.Chdir("/")
}

// Serving lets the process that waits end well.
func (r *Ready) Serving() { r.tell("0\n") }

// Failed has the process that waits end with code and say why on its stderr.
func (r *Ready) Failed(code int, reason string) { r.tell(fmt.Sprintf("%d\n%s", code, reason)) }

func (r *Ready) tell(text string) {
	if r != nil && r.pipe != nil {
		_, _ = io.WriteString(r.pipe, text) // nobody may wait any more
		_ = r.pipe.Close()
		r.pipe = nil
	}
}

// Background runs this command line in the background and returns its exit
// code, 0 once it serves. What it says on failing goes to stderr.
func Background(stderr io.Writer) int {
	listen, tell, err := os.Pipe()
	if err == nil {
		var code int
		if code, err = background(listen, tell, stderr); err == nil {
			return code
		}
	}
	_, _ = fmt.Fprintf(stderr, "%s: going into the background: %v\n", os.Args[0], err)
	return 1
}

func background(listen, tell *os.File, stderr io.Writer) (code int, err error) {
	defer listen.Close()
	self, err := os.Executable()
	if err != nil {
		return 0, errors.Join(err, tell.Close())
	}
	c := exec.Cmd{Path: self, Args: os.Args, Env: os.Environ(), SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	if err := startTelling(&c, tell); err != nil {
		return 0, err
	}
	said, err := io.ReadAll(listen)
	if err != nil {
		return 0, err
	}
	first, reason, _ := strings.Cut(string(said), "\n")
	code, err = strconv.Atoi(first)
	if err != nil {
		return 0, fmt.Errorf("process %d ended before it served (%v); the system log may say why", c.Process.Pid, ended(&c))
	}
	if reason != "" {
		_, _ = io.WriteString(stderr, reason)
	}
	return code, nil
}

// startTelling starts c, whose InBackground is a Ready that tell hears; tell is closed.
func startTelling(c *exec.Cmd, tell *os.File) error {
	c.Env = append(c.Env, readyVariable+"="+strconv.Itoa(readyFD))
	c.ExtraFiles = []*os.File{tell}
	err := c.Start()
	return errors.Join(err, tell.Close())
}

// StartListened starts c, which uses InBackground. failed waits for its end, and
// returns the reason that it gave.
func StartListened(c *exec.Cmd) (failed func() error, err error) {
	listen, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if err := startTelling(c, tell); err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	return func() error {
		defer listen.Close()
		said, err := io.ReadAll(listen)
		how := ended(c)
		if _, reason, _ := strings.Cut(string(said), "\n"); err == nil && reason != "" {
			return errors.New(reason)
		}
		return errors.New(how)
	}, nil
}

func ended(c *exec.Cmd) string {
	if err := c.Wait(); err != nil {
		return err.Error()
	}
	return c.ProcessState.String()
}
