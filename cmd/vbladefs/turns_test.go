package main_test

import (
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/turns"
	"vbladefs/netio/netiotest"
)

// TestTurns: whoever serves the control tree comes soon to a processor, and workers
// run as long as other processes; and that while the daemon is used, too.
func TestTurns(t *testing.T) {
	const workers = 3
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here, "-workers", strconv.Itoa(workers), "-io", "sync")
	device, _, disk := loopDisk(t, mib)
	d.echo("add "+device+" 0 1 eth0", "aoeserver")
	x := connect(t, there, "eth0").open("0.1")
	put(t, x, disk, 1000, 50000)
	checkBytes(t, "with threads that wait for the disk", readAll(t, x), disk)
	checkTurns(t, d.cmd.Process.Pid, workers)
}

// checkTurns checks that so many threads of a process take the usual turns, and the
// others short ones. Before Linux 6.12 nobody takes any.
func checkTurns(t *testing.T, pid, usual int) {
	t.Helper()
	found, all := 0, threads(t, pid)
	for _, thread := range all {
		number, err := strconv.Atoi(thread["Pid"])
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(number, 0)
		var turn time.Duration
		if err == nil {
			turn = time.Duration(attr.Runtime)
		}
		switch {
		case err != nil:
			t.Logf("thread %d has ended: %v", number, err)
		case turn == 0:
			t.Logf("this kernel knows no turns")
			return
		case turn != turns.Short:
			found++
		}
	}
	if found != usual {
		t.Errorf("%d of %d threads take other turns than %v, want the %d of workers", found, len(all), turns.Short, usual)
	}
}
