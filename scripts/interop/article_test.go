package interop

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestArticle types the article's lines for the three kernel targets under `vbladefs run`, as they are there but for the
// names of the loop devices, and mounts each export from the Linux client.
func TestArticle(t *testing.T) {
	binary := build(t)
	r := newRig(t, 9000)
	d := startDaemon(t, r, binary)
	disks := []disk{newDisk(t, 16<<20), newDisk(t, 16<<20), newDisk(t, 16<<20)}
	kvadd, err := filepath.Abs("../kvadd")
	if err != nil {
		t.Fatal(err)
	}
	out := underRun(t, r, d, binary, strings.NewReplacer("/dev/loop0", disks[0].loop, "/dev/loop1", disks[1].loop,
		"/dev/loop2", disks[2].loop, "./kvadd", kvadd).Replace(`set -e
		[ -d /sys/kvblade ]
		./kvadd 0 0 eth0 /dev/loop0
		echo add /dev/loop1 0 1 eth0 > /proc/aoeserver
		echo add do /dev/loop2 > /sys/vblade/drives
		echo add eth0 0 2 32 8 > /sys/vblade/do/ports
		cat /proc/aoeserver
		cat /sys/kvblade/*@*/bpath
		cat /sys/vblade/do/ports`))
	t.Logf("under vbladefs run:\n%s", out)
	for _, d := range disks {
		if !strings.Contains(out, d.loop) {
			t.Errorf("%s is not listed", d.loop)
		}
	}
	full := framePayload(9000)
	exports := []export{{"e0.0", disks[0], full, 0}, {"e0.1", disks[1], full, 0}, {"e0.2", disks[2], 8 * 512, 32}}
	checkDiscovery(t, r, exports...)
	checkSize(t, r, exports...)
	checkPayload(t, r, exports...)
	for _, e := range exports {
		t.Run("ext4 on "+e.name, func(t *testing.T) { checkExt4(t, r, e) })
	}
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
}

// underRun runs a shell script under `vbladefs run`.
func underRun(t *testing.T, r *rig, d *daemon, binary, script string) string {
	t.Helper()
	cmd := exec.CommandContext(r.ctx, binary, "run", "-mount", d.mount, "--", "sh", "-c", script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("vbladefs run: %v\n%s\nits log:\n%s", err, out, d.cat(t, "log"))
	}
	return string(out)
}

// successions is how often one daemon follows another: VBLADEFS_CRASHES, or few times.
func successions(t *testing.T, few int) int {
	t.Helper()
	given := os.Getenv("VBLADEFS_CRASHES")
	if given == "" {
		return few
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 {
		t.Fatalf("VBLADEFS_CRASHES=%s: want how often to kill the daemon, or to take over from it", given)
	}
	return n
}

// TestRestart kills the daemon at random moments under a mounted file system of the Linux client that writes and reads
// back, and starts it again from its state.
func TestRestart(t *testing.T) {
	binary := build(t)
	r := newRig(t, 9000)
	d := startDaemon(t, r, binary, "-state", filepath.Join(t.TempDir(), "state"))
	e := export{"e3.7", newDisk(t, 32<<20), framePayload(9000), 0}
	d.echo(t, "add data "+e.disk.loop, "vblade/drives")
	d.echo(t, "add eth0 3 7", "vblade/data/ports")
	checkDiscovery(t, r, e)
	load := startLoad(t, r, e)
	times, longest := successions(t, 2), time.Duration(0)
	for range times {
		saved := d.cat(t, "saved")
		time.Sleep(rand.N(200 * time.Millisecond))
		if err := d.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		err := <-d.exited
		d.exited <- err
		began := time.Now()
		d = startDaemonAt(t, r, binary, d.mount, d.args...)
		longest = max(longest, time.Since(began))
		if now := d.cat(t, "saved"); now != saved {
			t.Errorf("state before:\n%s\nafter:\n%s", saved, now)
		}
		load.goesOn(t)
	}
	load.stop(t)
	t.Logf("%d deaths, started again within %v", times, longest.Round(time.Millisecond))
	if os.Getenv("VBLADEFS_STRICT") != "" && longest > time.Second {
		t.Errorf("a start took %v, want a second at most", longest)
	}
	t.Run("complaints", func(t *testing.T) { checkComplaints(t, r) })
	checkContent(t, r, e)
	d.stop(t)
}
