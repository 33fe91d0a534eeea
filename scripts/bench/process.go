package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child that runs until it is stopped.
type process struct {
	rig  *rig
	cmd  *exec.Cmd
	log  string // path of what it says
	done chan error
}

// stopPatience is how long a process may take to end by itself.
const stopPatience = 15 * time.Second

// command prepares a child: in a process group of its own, so that an interrupt
// from the terminal reaches only this program, which then ends it in order; and
// killed with this program, should that be killed. Its mounts and interfaces go
// with the namespaces then.
func command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// on starts cmd on some processors.
func (r *rig) on(cpus *unix.CPUSet, cmd *exec.Cmd) error {
	if err := unix.SchedSetaffinity(0, cpus); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	err := cmd.Start()
	if back := unix.SchedSetaffinity(0, &r.all); err == nil && back != nil {
		err = fmt.Errorf("sched_setaffinity: %w", back)
	}
	return err
}

// start runs a program on cpus until it is stopped. Its output is kept.
func (r *rig) start(cpus *unix.CPUSet, args ...string) (*process, error) {
	r.started++
	p := &process{rig: r, log: filepath.Join(memory, fmt.Sprintf("log-%d", r.started)), done: make(chan error, 1)}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = command(context.Background(), args)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := r.on(cpus, p.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", args[0], err)
	}
	r.alive = append(r.alive, p)
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended reports whether the process is gone already, with what it said.
func (p *process) ended() error {
	select {
	case err := <-p.done:
		p.done <- err
		return fmt.Errorf("%s has ended by itself (%v): %s", filepath.Base(p.cmd.Path), err, p.said())
	default:
		return nil
	}
}

// said is the end of the process's output.
func (p *process) said() string {
	text, _ := os.ReadFile(p.log)
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-1000):])
}

// stop ends the process, kindly first, and returns how it ended.
func (p *process) stop() error {
	for i, q := range p.rig.alive {
		if q == p {
			p.rig.alive = append(p.rig.alive[:i], p.rig.alive[i+1:]...)
			break
		}
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.done:
		p.done <- err
		return err
	case <-time.After(stopPatience):
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("%s did not end within %v: %w", filepath.Base(p.cmd.Path), stopPatience, <-p.done)
	}
}

// output runs a program on cpus to its end and returns what it prints, and its
// processor time.
func (r *rig) output(cpus *unix.CPUSet, args ...string) ([]byte, time.Duration, error) {
	cmd := command(r.ctx, args)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGKILL) }
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	err := r.on(cpus, cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if r.ctx.Err() != nil {
		return nil, 0, r.ctx.Err()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w: %s%s", filepath.Base(args[0]), err, messages.Bytes(), out.Bytes())
	}
	return out.Bytes(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// pause waits, or until the program is interrupted.
func (r *rig) pause(d time.Duration) error {
	select {
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-time.After(d):
		return nil
	}
}
