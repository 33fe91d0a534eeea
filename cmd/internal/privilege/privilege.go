// Package privilege takes from this process what it does not need:
//
//	root, all capabilities ─Limit─▶ the few that Kept lists, on every thread
//	                       ─Become─▶ the same, and another user
//
// It is called once, before the first store is opened and the first frame comes in:
// threads begin with what the one has that makes them, and changing a thread that
// hangs in a system call would wait for its disk.
//
// It is not a sandbox: which files and system calls are left is for who starts the
// daemon to say (scripts/systemd/vbladefs.service).
package privilege

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A Capability is a number of capabilities(7).
type Capability uint

// names are those of the capabilities that are kept, as /proc and capsh(1) have them.
var names = map[Capability]string{
	unix.CAP_DAC_OVERRIDE: "CAP_DAC_OVERRIDE",
	unix.CAP_NET_ADMIN:    "CAP_NET_ADMIN",
	unix.CAP_NET_RAW:      "CAP_NET_RAW",
	unix.CAP_IPC_LOCK:     "CAP_IPC_LOCK",
	unix.CAP_SYS_PTRACE:   "CAP_SYS_PTRACE",
	unix.CAP_SYS_ADMIN:    "CAP_SYS_ADMIN",
	unix.CAP_BPF:          "CAP_BPF",
}

func (c Capability) String() string {
	if name := names[c]; name != "" {
		return name
	}
	return fmt.Sprintf("capability %d", uint(c))
}

// Network is what links need, whenever an interface comes: packet sockets (NET_RAW),
// their buffers and XDP programs (NET_ADMIN), steering frames to workers and XDP
// again (BPF), and memory for XDP and io_uring beyond ulimit -l (IPC_LOCK).
var Network = []Capability{unix.CAP_NET_RAW, unix.CAP_NET_ADMIN, unix.CAP_BPF, unix.CAP_IPC_LOCK}

// Files is what opening the files and devices of others needs, which root may.
var Files = []Capability{unix.CAP_DAC_OVERRIDE}

// Tree is what a control tree needs: to be unmounted at the end, or replaced by
// that of a daemon that takes over.
var Tree = []Capability{unix.CAP_SYS_ADMIN}

// Callers is what telling the working folder of who writes to the tree needs, for
// paths that are relative to it: root's shells have capabilities that we have not.
var Callers = []Capability{unix.CAP_SYS_PTRACE}

// set is a set of capabilities, a bit each.
type set uint64

func setOf(lists ...[]Capability) (s set) {
	for _, list := range lists {
		for _, c := range list {
			s |= 1 << c
		}
	}
	return s
}
