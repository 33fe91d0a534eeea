package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vbladefs/cmd/internal/takeover"
	"vbladefs/netio/netiotest"
)

// patience bounds every wait for something that must happen; it decides only
// how long a failing test takes.
const patience = 20 * time.Second

// daemon is a running `vbladefs serve`.
type daemon struct {
	t      *testing.T
	dir    string // where the tree is mounted
	cmd    *exec.Cmd
	stderr *output
	ended  chan struct{} // closed when it has ended
}

// output collects what a process writes while others look at it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// serve starts a daemon in ns on a directory of its own and waits for its tree.
// The test's cleanup ends it, unless the test did, and checks that it ended
// well and left nothing.
func serve(t *testing.T, ns netiotest.Netns, flags ...string) *daemon {
	t.Helper()
	return serveOn(t, ns, mountDir(t), flags...)
}

// mountDir is a directory to mount on. It is not the test's TempDir, whose
// removal would reach into a tree that a failed test left mounted.
func mountDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vbladefs-tree-")
	if err != nil {
		t.Fatal(err)
	}
	done := netiotest.Afterwards("umount -l " + dir + "; rmdir " + dir)
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
			return
		}
		done()
	})
	return dir
}

func serveOn(t *testing.T, ns netiotest.Netns, dir string, flags ...string) *daemon {
	t.Helper()
	need(t, "bash", "cat")
	d := start(t, ns, append(append([]string{"serve"}, flags...), dir)...)
	d.dir = dir
	d.await("the tree is mounted", func() bool {
		_, err := os.Stat(filepath.Join(dir, "log"))
		return err == nil
	})
	d.await("it can be taken over from", func() bool { return d.offers() || strings.Contains(d.stderr.String(), "no other daemon can take over") })
	return d
}

// offers tells whether somebody can take over, if d keeps its state: it listens for that after it has mounted the tree.
func (d *daemon) offers() bool {
	for i, arg := range d.cmd.Args {
		folder, ok := strings.CutPrefix(arg, "-state=")
		if arg == "-state" {
			folder, ok = d.cmd.Args[i+1], true
		}
		if ok && folder != "" {
			sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/unix", d.cmd.Process.Pid))
			const listens = " 00010000 0001 01 " // __SO_ACCEPTCON of a stream, unconnected: net/unix/af_unix.c unix_seq_show
			return err == nil && slices.ContainsFunc(lines(string(sockets)), func(line string) bool {
				return strings.Contains(line, listens) && strings.HasSuffix(line, " "+takeover.SocketPath(folder))
			})
		}
	}
	return true
}

// start runs the binary in ns. A daemon keeps nothing unless args have a folder
// for its state.
func start(t *testing.T, ns netiotest.Netns, args ...string) *daemon {
	t.Helper()
	return startProgram(t, ns, program, args...)
}

func startProgram(t *testing.T, ns netiotest.Netns, program string, args ...string) *daemon {
	t.Helper()
	args = stateless(args)
	// nsenter becomes the program, so that the process is the daemon itself.
	d := &daemon{t: t, cmd: ns.Command(program, args...), stderr: &output{}, ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.stderr, d.stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := netiotest.Afterwards(fmt.Sprintf("kill -9 %d", d.cmd.Process.Pid))
	go func() {
		_ = d.cmd.Wait()
		done()
		close(d.ended)
	}()
	t.Cleanup(d.cleanUp)
	return d
}

// stateless has a daemon without a folder for its state keep nothing.
func stateless(args []string) []string {
	given := slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-state") })
	if len(args) == 0 || args[0] != "serve" || given {
		return args
	}
	return slices.Insert(slices.Clone(args), 1, "-state=")
}

func (d *daemon) cleanUp() {
	if d.running() {
		if code := d.stop(syscall.SIGTERM); code != 0 {
			d.t.Errorf("the daemon ended with exit code %d, want 0", code)
		}
		d.checkUnmounted()
	}
	if d.t.Failed() {
		d.t.Logf("the daemon said:\n%s", d.stderr)
	}
}

func (d *daemon) running() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// stop sends a signal and returns the exit code, -1 for a death by signal.
func (d *daemon) stop(sig syscall.Signal) int {
	d.t.Helper()
	_ = d.cmd.Process.Signal(sig)
	return d.exitCode()
}

// exitCode waits for the end of the process.
func (d *daemon) exitCode() int {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(patience):
		_ = d.cmd.Process.Signal(syscall.SIGQUIT) // says where it hangs
		time.Sleep(time.Second)
		_ = d.cmd.Process.Kill()
		<-d.ended
		if d.dir != "" {
			_ = syscall.Unmount(d.dir, syscall.MNT_DETACH)
		}
		d.t.Errorf("the daemon does not end; it said:\n%s", d.stderr)
	}
	return d.cmd.ProcessState.ExitCode()
}

// checkUnmounted fails the test, and tidies up, if the tree is still mounted.
func (d *daemon) checkUnmounted() {
	d.t.Helper()
	if mounted(d.t, d.dir) {
		d.t.Errorf("%s is still mounted", d.dir)
		_ = syscall.Unmount(d.dir, syscall.MNT_DETACH)
	}
}

func mounted(t *testing.T, dir string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), " "+dir+" ")
}

// await waits until something is so.
func (d *daemon) await(what string, so func() bool) {
	d.t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(2 * time.Millisecond) {
		if !d.running() {
			d.t.Fatalf("waiting until %s: the daemon ended: %v", what, d.cmd.ProcessState)
		}
		if time.Now().After(end) {
			d.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// check fails the test unless the daemon lives and answers.
func (d *daemon) check() {
	d.t.Helper()
	if !d.running() {
		d.t.Fatalf("the daemon died: %v", d.cmd.ProcessState)
	}
	if _, err := os.ReadFile(filepath.Join(d.dir, "aoeserver")); err != nil {
		d.t.Fatalf("the daemon lives, but its tree does not answer: %v", err)
	}
}

// count is the number of entries of the daemon's folder in /proc: "fd" its
// descriptors, "task" its threads.
func (d *daemon) count(folder string) int {
	d.t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", d.cmd.Process.Pid, folder))
	if err != nil {
		d.t.Fatal(err)
	}
	return len(entries)
}

// holds counts the daemon's descriptors that lead to path.
func (d *daemon) holds(path string) int {
	d.t.Helper()
	folder := fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid)
	entries, err := os.ReadDir(folder)
	if err != nil {
		d.t.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		to, err := os.Readlink(filepath.Join(folder, entry.Name()))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			d.t.Fatal(err)
		}
		if to == path {
			n++
		}
	}
	return n
}
