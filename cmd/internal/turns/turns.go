// Package turns says how long the kernel lets a thread of this process run before it
// looks for another, and so how soon a thread gets a processor that others want:
//
//	all threads of a daemon ─Shorten─▶ short turns: whoever serves the control tree comes soon
//	the thread of a worker  ─Usual─▶   those of other processes
//
// Who takes short turns is not given more of the processor, only sooner: a thread
// that waits has a deadline, which is one turn away, and the earliest is served
// first, even before the end of another's turn. (EEVDF, Linux 6.12; an older kernel
// ignores it. sched(7), sched_setattr(2): sched_runtime of SCHED_OTHER.)
//
// It is neither a priority nor a privilege: nothing that is read in a loop can take the
// processor from the workers.
package turns

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Short is the shortest turn that the kernel gives. Answering one request of the
// control tree takes less.
const Short = 100 * time.Microsecond

// Shorten has all threads of this process take turns of Short, and those that they
// will make. It changes no policy but the two of ordinary processes.
func Shorten() error {
	// Threads may be made meanwhile, by one that has been seen or one that has not.
	for done := map[int]bool{}; ; {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		more := false
		for _, entry := range threads {
			thread, err := strconv.Atoi(entry.Name())
			if err != nil || done[thread] {
				continue
			}
			if err := set(thread, Short); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
			done[thread], more = true, true
		}
		if !more {
			return nil
		}
	}
}

// Usual has the calling thread take the turns that processes have of which nothing
// has been said.
func Usual() error { return set(0, 0) }

// set changes the turn of a thread, and nothing else of it; 0 are the calling
// thread and the usual turn.
func set(thread int, turn time.Duration) error {
	attr, err := unix.SchedGetAttr(thread, 0)
	if err != nil {
		return fmt.Errorf("sched_getattr: %w", err)
	}
	if attr.Policy != unix.SCHED_NORMAL && attr.Policy != unix.SCHED_BATCH {
		return nil // realtime(7) knows no turns, or has been told of them by who chose it
	}
	attr.Runtime = uint64(turn)
	if err := unix.SchedSetAttr(thread, attr, 0); err != nil {
		return fmt.Errorf("sched_setattr: %w", err)
	}
	return nil
}
