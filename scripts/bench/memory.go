package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// footprint is the memory of a process, in bytes, as /proc/PID tells it.
type footprint struct {
	RSS    int64 `json:"rss_bytes"`
	Anon   int64 `json:"anonymous_bytes"` // of that: the Go heap, stacks and the runtime's own
	Heap   int64 `json:"go_heap_bytes"`   // of that: the Go heap
	Locked int64 `json:"locked_bytes"`    // mlock and io_uring, VmLck and VmPin
	Rings  int64 `json:"rings_bytes"`     // mapped of sockets and io_uring
	CPU    int64 `json:"cpu_us_a_second"` // while idle
}

// Goals for one idle interface.
const (
	maxRSS  = 64 << 20
	maxHeap = 16 << 20
)

// The Go heap lies in arenas, which are reserved as a whole: anonymous mappings
// that begin at a multiple of arenaBytes (heapArenaBytes of runtime/malloc.go),
// as hardly anything else does, and what follows up to the next multiple. Kernels
// with CONFIG_ANON_VMA_NAME name it.
const (
	arenaBytes = 64 << 20
	heapName   = "Go: heap"
)

// idleMemory is what our daemon takes with one interface and one export, which
// nobody uses.
func (r *rig) idleMemory() (*footprint, error) {
	s, err := onDisks(ours, "", disks{1, 1 << 20, false}).start(r, 0)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if err := r.pause(500 * time.Millisecond); err != nil {
		return nil, err
	}
	pid := s.processes[0].pid()
	before, err := cpuTicks(pid)
	if err != nil {
		return nil, err
	}
	const watched = 2 * time.Second
	if err := r.pause(watched); err != nil {
		return nil, err
	}
	after, err := cpuTicks(pid)
	if err != nil {
		return nil, err
	}
	f, err := memoryOf(pid)
	f.CPU = (after - before) / 1000 / int64(watched/time.Second)
	return &f, err
}

// cpuTicks is the processor time of a process in nanoseconds.
func cpuTicks(pid int) (int64, error) {
	var sum int64
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, task.Name()))
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, err
}

// memoryOf reads /proc/PID/smaps, and what is locked from /proc/PID/status.
func memoryOf(pid int) (footprint, error) {
	var f footprint
	var arena uint64
	heap, ring := false, false
	err := eachField(pid, "smaps", func(line string, name string, bytes int64) {
		switch {
		case name == "": // begins a mapping
			arena, heap = inArena(line, arena)
			ring = isRing(line)
		case name == "Rss":
			f.RSS += bytes
		case name == "Anonymous":
			f.Anon += bytes
			if heap {
				f.Heap += bytes
			}
		case name == "Size" && ring:
			f.Rings += bytes
		}
	})
	if err != nil {
		return f, err
	}
	if f.RSS == 0 {
		return f, fmt.Errorf("smaps of process %d shows no memory", pid)
	}
	return f, eachField(pid, "status", func(_, name string, bytes int64) {
		if name == "VmLck" || name == "VmPin" {
			f.Locked += bytes
		}
	})
}

// eachField calls f for the lines of a file of a process: those that give an
// amount of memory by its name, and others without one.
func eachField(pid int, file string, f func(line, name string, bytes int64)) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(line, ":")
		kib, isMemory := strings.CutSuffix(strings.TrimSpace(value), " kB")
		switch n, err := strconv.ParseInt(kib, 10, 64); {
		case found && isMemory && err == nil:
			f(line, name, n<<10)
		case strings.Contains(strings.Fields(line + " .")[0], "-"):
			f(line, "", 0)
		}
	}
	return nil
}

// inArena reads a line of smaps that begins a mapping: ADDRESS-ADDRESS
// PERMISSIONS OFFSET DEVICE INODE [NAME]. It returns the arena that lasts, given
// the one before it, and whether the mapping is of the Go heap.
func inArena(line string, arena uint64) (uint64, bool) {
	words := strings.Fields(line)
	first, _, _ := strings.Cut(words[0], "-")
	address, err := strconv.ParseUint(first, 16, 64)
	anonymous := err == nil && len(words) == 5 && words[4] == "0"
	if anonymous && address%arenaBytes == 0 {
		arena = address
	}
	return arena, anonymous && arena > 0 && address-arena < arenaBytes || strings.Contains(line, heapName)
}

func isRing(line string) bool {
	return strings.Contains(line, " socket:") || strings.Contains(line, "[io_uring]")
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
