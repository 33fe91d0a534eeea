// Package dying tells a process that has been killed, and whose end a disk that hangs keeps from coming, from one that
// lives. The kernel closes what a process has open when the last of its threads has ended, and a thread that waits for
// such a disk does not end before it: until then all locks are held, packet sockets are bound, and a control tree has somebody
// behind it who will never answer. Nothing of the program itself runs any more, so others may take what they
// need not wait for.
//
//	/proc/PID/status, /proc/PID/task/TID/status ─▶ Process ─▶ whoever finds a lock or a mount taken
//
// It does not look for requests that the kernel still carries out for such a process: who takes a disk must wait for its claim.
package dying

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process reports whether pid is of a process that has been killed, or has ended itself, and is there still. What
// cannot be known is false. It may be called concurrently.
func Process(pid int) bool {
	return pid > 0 && ofFolder(filepath.Join("/proc", strconv.Itoa(pid)))
}

// ofFolder is Process for what proc(5) has of it. A thread ends alone in no program of ours but on its way: where the
// leader has ended, the others are about to.
func ofFolder(proc string) bool {
	text, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return false
	}
	if leader := parse(string(text)); !leader.ended && !leader.killed {
		return false
	}
	tasks, err := filepath.Glob(filepath.Join(proc, "task", "*", "status"))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		if text, err := os.ReadFile(task); err == nil && !parse(string(text)).ended {
			return true
		}
	}
	return false // all have: nothing is open any more
}

// thread is what /proc has of one.
type thread struct {
	ended  bool // a zombie
	killed bool // by a signal that nobody can block
}

// sigkill is the bit of SIGKILL in a set of signals.
const sigkill = 1 << 8

// parse reads a status file, see proc_pid_status(5).
func parse(status string) (t thread) {
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "State":
			t.ended = strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X")
		case "SigPnd", "ShdPnd":
			set, err := strconv.ParseUint(value, 16, 64)
			t.killed = t.killed || err == nil && set&sigkill != 0
		}
	}
	return t
}

// Files calls f with each descriptor of the process that is open, by a name in its folder of /proc, and what it leads
// to, until f returns false. A process whose first thread has ended shows them in those of others only.
func Files(pid int, f func(name, to string) bool) {
	proc := fmt.Sprintf("/proc/%d", pid)
	tables, err := filepath.Glob(filepath.Join(proc, "task", "*", "fd"))
	if err != nil {
		return
	}
	for _, table := range append([]string{filepath.Join(proc, "fd")}, tables...) {
		names, err := os.ReadDir(table)
		if err != nil || len(names) == 0 {
			continue
		}
		for _, name := range names {
			path := filepath.Join(table, name.Name())
			if to, err := os.Readlink(path); err == nil && !f(path, to) {
				return
			}
		}
		return // threads of one process share them
	}
}
