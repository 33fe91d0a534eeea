package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// daemon is a running `vbladefs serve`.
type daemon struct {
	dir  string // its tree
	cmd  *exec.Cmd
	said words
	done chan struct{} // closed when it has ended
	dies bool          // of SIGTERM, as those whose place it takes
}

// words collects what a process says while others read it.
type words struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// serve starts a daemon that keeps no state, unless flags say otherwise, and
// waits for its tree.
func (r *rig) serve(flags ...string) (*daemon, error) {
	r.daemons++
	dir, err := r.folder(fmt.Sprintf("tree-%d", r.daemons))
	if err != nil {
		return nil, err
	}
	d, err := r.start(append(append([]string{"serve", "-state="}, flags...), dir)...)
	if err != nil {
		return nil, err
	}
	d.dir = dir
	return d, d.awaitTree()
}

func (d *daemon) awaitTree() error {
	return d.await("its tree is there", func() bool {
		_, err := os.Stat(filepath.Join(d.dir, "log"))
		return err == nil
	})
}

// start starts the program with a command line.
func (r *rig) start(args ...string) (*daemon, error) {
	d := &daemon{done: make(chan struct{}), cmd: exec.Command(r.program, args...)}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	d.cmd.Stdout, d.cmd.Stderr = &d.said, &d.said
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func(cmd *exec.Cmd) { // stop forgets d.cmd
		_ = cmd.Wait()
		close(d.done)
	}(d.cmd)
	r.later(d.stop)
	return d, nil
}

func (d *daemon) says(what string) bool { return strings.Contains(d.said.String(), what) }

// await waits until something is so.
func (d *daemon) await(what string, so func() bool) error {
	for end := time.Now().Add(patience); !so(); time.Sleep(2 * time.Millisecond) {
		if err := d.alive(); err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %v in vain until %s; the daemon says:\n%s", patience, what, d.said.String())
		}
	}
	return nil
}

// alive is an error when the daemon has ended.
func (d *daemon) alive() error {
	select {
	case <-d.done:
		return fmt.Errorf("the daemon has ended: %v; it said:\n%s", d.cmd.ProcessState, d.said.String())
	default:
		return nil
	}
}

// stop ends the daemon in order; that it had ended before, or ends badly, is an
// error. Once is enough.
func (d *daemon) stop() error {
	if d.cmd == nil {
		return nil
	}
	cmd := d.cmd
	d.cmd = nil
	select {
	case <-d.done:
		return fmt.Errorf("the daemon had ended: %v; it said:\n%s", cmd.ProcessState, d.said.String())
	default:
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-d.done
		return fmt.Errorf("the daemon did not end within %v; it said:\n%s", patience, d.said.String())
	}
	died, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !cmd.ProcessState.Success() && !(d.dies && died.Signal() == syscall.SIGTERM) {
		return fmt.Errorf("the daemon ended with %v; it said:\n%s", cmd.ProcessState, d.said.String())
	}
	return nil
}

// kill ends the daemon at once.
func (d *daemon) kill() error {
	err := errors.Join(d.alive(), d.cmd.Process.Kill())
	<-d.done
	d.cmd = nil
	return err
}

// echo writes a command to a file of the tree.
func (d *daemon) echo(line, file string) error {
	err := os.WriteFile(filepath.Join(d.dir, file), []byte(line+"\n"), 0)
	if err == nil {
		return nil
	}
	log, logErr := os.ReadFile(filepath.Join(d.dir, "log"))
	events := strings.Split(strings.TrimSpace(string(log)), "\n")
	return errors.Join(fmt.Errorf("echo %s > %s: %w: %s", line, file, err, events[len(events)-1]), logErr)
}

// echoMeanwhile is echo by a shell, while the caller goes on.
func (d *daemon) echoMeanwhile(line, file string) (<-chan error, error) {
	cmd := exec.Command("sh", "-c", `echo "$1" > "$2"`, "sh", line, filepath.Join(d.dir, file))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return done, nil
}
