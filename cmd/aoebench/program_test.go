package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
)

// The tests here run aoebench as a program, over veth between namespaces.

var build = sync.OnceValues(func() (string, error) {
	program := filepath.Join(os.TempDir(), "aoebench")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	if err != nil {
		err = errors.Join(err, errors.New(string(out)))
	}
	return program, err
})

func TestMain(m *testing.M) {
	remove, err := netiotest.OwnTemp()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	remove()
	os.Exit(status)
}

// command prepares aoebench in ns.
func command(t *testing.T, ns netiotest.Netns, args ...string) *exec.Cmd {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return ns.Command(program, append([]string{"-i", netiotest.Netif}, args...)...)
}

// runBench runs aoebench and returns its status, its JSON report and its messages.
func runBench(t *testing.T, ns netiotest.Netns, args ...string) (int, result, string) {
	t.Helper()
	cmd := command(t, ns, append(args, "--json")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var r result
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
			t.Fatalf("%v in %s", err, stdout.String())
		}
	}
	return cmd.ProcessState.ExitCode(), r, stderr.String()
}

// serve runs a fake target in ns until the test ends.
func serve(t *testing.T, ns netiotest.Netns, target *fakeTarget) {
	t.Helper()
	var link netio.Link
	var err error
	ns.Do(func() {
		var ifi netio.Interface
		if ifi, err = netio.Lookup(netiotest.Netif); err == nil {
			target.mac = ifi.MAC
			link, err = netio.Open(netiotest.Netif, netio.Options{})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		frames, reply := make([][]byte, 32), make([]byte, 0, 16<<10)
		for !stop.Load() {
			n, err := link.Receive(frames)
			for _, frame := range frames[:n] {
				if reply = target.answer(frame, reply[:0]); len(reply) > 0 {
					link.Send([][]byte{reply}, [][]byte{nil})
				}
			}
			if link.Release(); err != nil {
				return
			}
			if n == 0 {
				time.Sleep(20 * time.Microsecond)
			}
		}
	})
	t.Cleanup(func() {
		stop.Store(true)
		done.Wait()
		link.Close()
	})
}

func TestProgramAgainstVblade(t *testing.T) {
	a, b := netiotest.Pair(t, 9000)
	vblade, err := exec.LookPath("/usr/sbin/vblade")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("vblade is missing: apt-get install vblade")
		}
		t.Skip("vblade is missing: apt-get install vblade")
	}
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(disk, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	peer := b.Command(vblade, "6", "2", netiotest.Netif, disk)
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Process.Kill(); peer.Wait() })
	for _, args := range []string{"--rw randread --depth 1", "--rw randrw --verify --overlap", "--rw read --bs 100k --prepare --verify",
		"--rw write --bs 512 --verify --retransmit none", "--rw randwrite --link raw --verify", "--rw randrw --verify --retransmit linux", "--rw randread --rate 1000"} {
		t.Run(args, func(t *testing.T) {
			status, r, messages := runBench(t, a, append(strings.Fields(args), "-t", "e6.2", "--runtime", "300ms", "--warmup", "50ms", "--pid", pid(peer))...)
			if status != exitOK || !r.OK || r.Errors.Total != 0 {
				t.Fatalf("status %d, %+v, %s", status, r, messages)
			}
			if r.Target.Address != "6.2" || r.Target.SizeBytes != 8<<20 || r.Target.Buffers != 16 || r.Target.SectorsPerFrame != 17 {
				t.Errorf("target %+v", r.Target)
			}
			sane(t, r)
			if v := r.Verify; strings.Contains(args, "verify") && (v == nil || v.Checked == 0 || v.Bad != 0) {
				t.Errorf("verification %+v", v)
			}
		})
	}
	out, err := command(t, a, "--discover").Output()
	if err != nil || !strings.HasPrefix(string(out), "e6.2 ") {
		t.Errorf("discover: %q, %v", out, err)
	}
}

func pid(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }

// sane checks the figures of a run against each other.
func sane(t *testing.T, r result) {
	t.Helper()
	if r.IOs == 0 || r.IOs != r.Read.IOs+r.Write.IOs || r.IOPS <= 0 || r.MBs <= 0 || r.Frames.Sent < r.IOs {
		t.Errorf("%d I/Os, %d reads, %d writes, %v IOPS, %d frames", r.IOs, r.Read.IOs, r.Write.IOs, r.IOPS, r.Frames.Sent)
	}
	if l := r.Latency; l == nil || l.P50 <= 0 || l.P99 < l.P50 || l.P999 < l.P99 || l.Max < l.P999 || l.Max < l.Mean {
		t.Errorf("latency %+v", l)
	}
	if c := r.TargetCPU; c == nil || c.NsPerIO <= 0 || c.Cores <= 0 {
		t.Errorf("CPU of the target %+v", c)
	}
	if r.BenchBusy <= 0 || r.BenchBusy > 1 {
		t.Errorf("busy %v", r.BenchBusy)
	}
}

func TestProgramSeesBetrayal(t *testing.T) {
	for name, betrayal := range betrayals {
		t.Run(name, func(t *testing.T) {
			a, b := netiotest.Pair(t, 9000)
			serve(t, b, newFakeTarget(1<<20, betrayal))
			status, r, messages := runBench(t, a, "-t", "3.4", "--rw", "randrw", "--verify", "--runtime", "200ms", "--warmup", "0s")
			if name == "honest" {
				if status != exitOK || !r.OK || r.Verify.Checked == 0 {
					t.Errorf("status %d, %+v, %s", status, r, messages)
				}
				return
			}
			if status != exitFailures || r.OK || r.Verify.Bad+r.Errors.Total == 0 {
				t.Errorf("status %d, %+v, %+v", status, r.Verify, r.Errors)
			}
			for _, bad := range r.Verify.First {
				if bad.Kind == "" || bad.Expected == "" || bad.Found == "" || bad.LBA >= 2048 {
					t.Errorf("bad sector without its story: %+v", bad)
				}
			}
		})
	}
}

func TestProgramStopsOnASignal(t *testing.T) {
	a, b := netiotest.Pair(t, 9000)
	target := newFakeTarget(1<<20, betrayal{})
	serve(t, b, target)
	cmd := command(t, a, "-t", "3.4", "--runtime", "1h", "--json", "--warmup", "0s")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); target.requests.Load() < 1000 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	cmd.Process.Signal(syscall.SIGINT)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("interrupted: %v", err)
	}
	var r result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || !r.Interrupted || r.IOs == 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestProgramStatus(t *testing.T) {
	ns, other := netiotest.Pair(t, 1500)
	serve(t, other, newFakeTarget(1<<20, betrayal{}))
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"-t 3.4 --bs 3k1", exitUsage, `"3k1"`},
		{"-t 3.4 --size 2m", exitUsage, "--size 2m"},
		{"-t 3.4 --pid 999999999", exitUsage, "process 999999999"},
		{"-t 9.9", exitFailures, "9.9"},
		{"-i nosuch -t 3.4", exitUsage, "nosuch"},
	} {
		status, _, messages := runBench(t, ns, strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(messages, c.says) {
			t.Errorf("%s: status %d, %q; want %d and a word of %s", c.args, status, messages, c.status, c.says)
		}
	}
}
