package main

import (
	"bufio"
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
	Locked int64 `json:"locked_bytes"`    // mlock, VmLck
	Rings  int64 `json:"rings_bytes"`     // mapped of sockets and io_uring
	CPU    int64 `json:"cpu_us_a_second"` // while idle
}

// Goals for one idle interface. The kernel does not tell the Go heap, which lies
// at a random address, from other anonymous memory: that all of it is within the
// heap's limit says the same of the heap.
const (
	maxRSS  = 64 << 20
	maxHeap = 16 << 20
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

// memoryOf reads /proc/PID/smaps.
func memoryOf(pid int) (footprint, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return footprint{}, err
	}
	defer file.Close()
	var f footprint
	ring := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) > 1 && !strings.HasSuffix(words[0], ":") {
			ring = isRing(words[len(words)-1])
			continue
		}
		if len(words) != 3 || words[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return f, fmt.Errorf("smaps of process %d: %q", pid, lines.Text())
		}
		f.count(words[0], kib<<10, ring)
	}
	if f.RSS == 0 {
		return f, fmt.Errorf("smaps of process %d shows no memory", pid)
	}
	return f, nil
}

func (f *footprint) count(what string, bytes int64, ring bool) {
	switch {
	case what == "Rss:":
		f.RSS += bytes
	case what == "Anonymous:":
		f.Anon += bytes
	case what == "Locked:":
		f.Locked += bytes
	case what == "Size:" && ring:
		f.Rings += bytes
	}
}

func isRing(name string) bool {
	return strings.HasPrefix(name, "socket:") || strings.Contains(name, "[io_uring]")
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
