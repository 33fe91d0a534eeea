package fusectl

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// caller is the thread that makes a call, by its number; 0: of a pid namespace
// that is not ours, or unknown.
type caller uint32

func callerOf(ctx context.Context) caller {
	c, ok := fuse.FromContext(ctx)
	if !ok {
		return 0
	}
	return caller(c.Pid)
}

// own is whether the caller is this process.
func (c caller) own() bool { return c != 0 && unix.Tgkill(os.Getpid(), int(c), 0) == nil }

// folder is the caller's working directory, where relative paths start; empty
// if it cannot be told.
func (c caller) folder() string {
	if c == 0 {
		return ""
	}
	folder, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", c))
	if err != nil {
		return ""
	}
	return folder
}

// process is the number of the caller's process (proc_pid_status(5), Tgid), so
// that all of its threads are the same; 0 if it cannot be told.
func (c caller) process() int {
	if c == 0 {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "\nTgid:")
	line, _, _ := strings.Cut(rest, "\n")
	process, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return process
}
