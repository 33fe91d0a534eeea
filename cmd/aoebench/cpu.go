package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTimes is the cpuTime of all the processes together.
func cpuTimes(all []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range all {
		t, err := cpuTime(pid)
		if err != nil {
			return 0, err
		}
		sum += t
	}
	return sum, nil
}

// cpuTime is the processor time that process pid has used, user and system, all
// its threads, the ended ones too, in nanoseconds. The clock is the one that
// clock_getcpuclockid(3) gives: ~pid<<3 with CPUCLOCK_SCHED, 2
// (linux/include/linux/posix-timers_types.h).
func cpuTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w: is it running?", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}
