package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxCPU is the highest number that sched_setaffinity(2) is asked for here.
const maxCPU = 1023

// parseCPUs reads a list of processors as taskset(1) takes it, without strides:
// 0,2-3. Empty is none; one that is named twice is taken twice.
func parseCPUs(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		first, err := parseCPU(low)
		last := first
		if err == nil && isRange {
			last, err = parseCPU(high)
		}
		if err != nil || last < first || len(cpus) > maxCPU {
			return nil, fmt.Errorf("%q in %q: want processors from 0 to %d, such as 0,2-3", part, list, maxCPU)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

func parseCPU(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err == nil && n > maxCPU {
		err = strconv.ErrRange
	}
	return int(n), err
}

// checkCPUs refuses processors that this process may not run on.
func checkCPUs(cpus []int) error {
	if len(cpus) == 0 {
		return nil // and a machine with more than CPUSet holds is fine
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("asking which processors there are: %w", err)
	}
	if i := slices.IndexFunc(cpus, func(cpu int) bool { return !allowed.IsSet(cpu) }); i >= 0 {
		return fmt.Errorf("processor %d: not there, or not for this process; taskset -cp $$ shows those that are", cpus[i])
	}
	return nil
}
