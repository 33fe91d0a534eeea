package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"vbladefs/netio/netiotest"
)

// Two processes serve an export each; one run loads both.
func TestProgramLoadsSeveralExports(t *testing.T) {
	a, b := netiotest.Pair(t, 9000)
	const vblade = "/usr/sbin/vblade"
	if _, err := os.Stat(vblade); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("vblade is missing: apt-get install vblade")
		}
		t.Skip("vblade is missing: apt-get install vblade")
	}
	var peers []*exec.Cmd
	for i, size := range []int64{8 << 20, 4 << 20} {
		disk := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(disk, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		peer := b.Command(vblade, "6", []string{"2", "3"}[i], netiotest.Netif, disk)
		if err := peer.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { peer.Process.Kill(); peer.Wait() })
		peers = append(peers, peer)
	}
	for _, more := range [][]string{{}, {"--sleep"}, {"--rw", "write"}} {
		status, r, messages := runBench(t, a, append(more, "-t", "e6.2-3", "--runtime", "300ms", "--warmup", "50ms", "--pid", pid(peers[0])+","+pid(peers[1]))...)
		if status != exitOK || !r.OK || r.Errors.Total != 0 {
			t.Fatalf("status %d, %+v, %s", status, r, messages)
		}
		if r.Target.Exports != 2 || r.Target.Address != "6.2-3" || r.Workload.SpanBytes != 4<<20 {
			t.Errorf("target %+v, workload %+v", r.Target, r.Workload)
		}
		sane(t, r)
		for _, p := range peers {
			if cpu, err := cpuTime(p.Process.Pid); err != nil || cpu < 1e6 {
				t.Errorf("process %d has used %v: not loaded (%v)", p.Process.Pid, cpu, err)
			}
		}
	}
}
