package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// TestWorkersUnderLoad has three workers share an interface while one initiator
// reads and writes three exports, and meanwhile others are added and removed
// and the third gets one disk after the other, which moves it between workers:
// no request fails, and every sector is what it must be.
func TestWorkersUnderLoad(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 9000)
	client := connect(t, there, "eth0")
	d := serve(t, here, "-workers", "3")
	var paths []string
	var disks [][]byte
	for i := range 4 {
		path, content := image(t, mib)
		paths, disks = append(paths, path), append(disks, content)
		if i < 3 {
			d.echo(fmt.Sprintf("0 %d eth0 %s", i, path), "kvblade/add")
		}
	}
	requireWorkers(t, d, "3")
	moved := make(chan string, 1)
	var both atomic.Bool // of 0.2's own disk and others' have been seen
	go func() {
		for end := time.Now().Add(patience); ; {
			_, complaint, err := d.shell(`set -e
				readd() { echo 0 2 eth0 "$1" > "$T/kvblade/readd"; }
				for i in $(seq 20); do
					readd "$1"; readd "$3"; readd "$2"; readd "$3"
					echo 0 4 eth0 "$4" > "$T/kvblade/add"; echo 0 4 eth0 > "$T/kvblade/del"
				done
				readd "$1"`, paths...)
			if err != nil {
				complaint += ": " + err.Error()
			}
			if err != nil || both.Load() || time.Now().After(end) {
				moved <- complaint
				return
			}
		}
	}()
	const half, quarter = mib / 2, mib / 4
	a, b, c := client.open("0.0"), client.open("0.1"), client.open("0.2")
	rounds := 0
	var of [2]int
	for done := false; !done; rounds++ {
		select {
		case complaint := <-moved:
			if complaint != "" {
				t.Fatalf("%s: %s", complaint, d.lastEvent())
			}
			done = true
		default:
		}
		put(t, a, disks[0], half, quarter)
		put(t, b, disks[1], half, quarter)
		got := make([]byte, 2*half)
		if _, err := c.ReadAt(got[:half], 0); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(got[:4096], disks[2][:4096]) {
			of[0]++
		} else {
			of[1]++
		}
		both.Store(of[0] > 0 && of[1] > 0)
		for at := 0; at < half; at += 512 {
			if s := got[at : at+512]; !bytes.Equal(s, disks[0][at:at+512]) && !bytes.Equal(s, disks[1][at:at+512]) && !bytes.Equal(s, disks[2][at:at+512]) {
				t.Fatalf("round %d: sector %d is no disk's", rounds, at/512)
			}
		}
		// To where nobody else looks: it may be any disk's.
		if _, err := c.WriteAt(random(quarter), half+quarter); err != nil {
			t.Fatal(err)
		}
		checkBytes(t, "0.0", readAll(t, a)[:half+quarter], disks[0][:half+quarter])
		checkBytes(t, "0.1", readAll(t, b)[:half+quarter], disks[1][:half+quarter])
	}
	if of[0] == 0 || of[1] == 0 {
		t.Errorf("in %d rounds 0.2 had its own disk %d times, and others' %d times: want both", rounds, of[0], of[1])
	}
	put(t, c, disks[0], half+quarter, quarter) // 0.2 and 0.0 lead to one disk now
	checkBytes(t, "0.0 through 0.2", readAll(t, c), disks[0])
	checkFile(t, paths[0], disks[0])
	client.discovers("0.0", "0.1", "0.2")
	if k := a.Engine().Counters(); k.ATAErrors != 0 || k.AoEErrorTotal() != 0 || k.Malformed != 0 {
		t.Errorf("the initiator saw errors: %+v", *k)
	} else {
		t.Logf("%d rounds, counters %+v", rounds, *k)
	}
}

// requireWorkers ends the test unless links can be shared here.
func requireWorkers(t *testing.T, d *daemon, want string) {
	t.Helper()
	switch n := d.stat("interfaces/eth0/stats", "workers"); {
	case n == want:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s workers, want %s: this needs PACKET_FANOUT_EBPF and CAP_BPF", n, want)
	default:
		t.Skipf("%s workers, want %s: this needs PACKET_FANOUT_EBPF and CAP_BPF", n, want)
	}
}

// TestWorkersWhereLinksCannotBeShared: one worker serves, and the log says why.
func TestWorkersWhereLinksCannotBeShared(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here, "-workers", "3", "-link", "raw")
	path, content := image(t, mib)
	d.echo("0 1 eth0 "+path, "kvblade/add")
	if n := d.stat("interfaces/eth0/stats", "workers"); n != "1" {
		t.Errorf("%s workers", n)
	}
	if said := d.read("log"); strings.Count(said, "one link and not 3") != 1 || !strings.Contains(said, "kind raw") {
		t.Errorf("the log does not say once why there is one worker:\n%s", said)
	}
	checkBytes(t, "0.1", readAll(t, connect(t, there, "eth0").open("0.1")), content)
}

// TestWorkersArePinned: each to a processor of the list, and nothing else.
func TestWorkersArePinned(t *testing.T) {
	t.Parallel()
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	last := 0
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			last = cpu
		}
	}
	switch {
	case all.Count() > 1:
	case os.Getenv("CI") == "true":
		t.Fatal("one processor only, and every thread is on it: this needs two")
	default:
		t.Skip("one processor only, and every thread is on it: this needs two")
	}
	here, there := netiotest.Pair(t, 1500)
	d := serve(t, here, "-workers", "2", "-cpus", fmt.Sprint(last))
	pinned := func() (n int) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.cmd.Process.Pid))
		if err != nil || len(tasks) == 0 {
			t.Fatal("no threads", err)
		}
		for _, task := range tasks {
			status, err := os.ReadFile(task) // a thread may just have ended
			if err == nil && strings.Contains(string(status), fmt.Sprintf("Cpus_allowed_list:\t%d\n", last)) {
				n++
			}
		}
		return n
	}
	if n := pinned(); n != 0 {
		t.Errorf("%d threads are pinned before there is a worker", n)
	}
	path, content := image(t, mib)
	d.echo("0 1 eth0 "+path, "kvblade/add")
	requireWorkers(t, d, "2")
	d.await("two threads are pinned", func() bool { return pinned() == 2 })
	checkBytes(t, "0.1", readAll(t, connect(t, there, "eth0").open("0.1")), content)
	if n := pinned(); n != 2 {
		t.Errorf("%d threads are pinned", n)
	}
	d.echo("0 1 eth0", "kvblade/del")
	d.await("the threads have ended", func() bool { return pinned() == 0 })
}
