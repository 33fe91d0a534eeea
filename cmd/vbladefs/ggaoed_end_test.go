package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// deadFile is a file whose file system does not answer any more.
func deadFile(t *testing.T) string {
	t.Helper()
	d := serve(t, netiotest.New(t))
	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Signal(syscall.SIGCONT) }) // before it ends
	return filepath.Join(d.dir, "targets", "log")
}

// waitsForFile reports whether a thread of the daemon waits for such a file.
func (d *daemon) waitsForFile() bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", d.cmd.Process.Pid))
	for _, file := range files {
		if text, _ := os.ReadFile(file); strings.Contains(string(text), "request_wait_answer") {
			return true
		}
	}
	return false
}

// TestGgaoedEndsWhileItReloads: neither a device that hangs nor signals before it
// keep SIGTERM from ending the daemon.
func TestGgaoedEndsWhileItReloads(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	disk, content := image(t, 1<<20)
	good := fmt.Sprintf("[disk]\npath = %s\nshelf = 1\nslot = 2\n", disk)
	g := ggaoed(t, here, good)
	g.write(good + "[dead]\npath = " + deadFile(t) + "\nshelf = 1\nslot = 3\n")
	_ = g.cmd.Process.Signal(syscall.SIGHUP)
	g.await("the new device is looked at", g.waitsForFile)
	checkBytes(t, "the other device", readAll(t, connect(t, there, netiotest.Netif).open("1.2")), content)
	for range 5 {
		_ = g.cmd.Process.Signal(syscall.SIGHUP)
	}
	g.stop(syscall.SIGTERM)
	for _, name := range []string{"pid", "sock"} {
		if _, err := os.Lstat(g.path(name)); err == nil {
			t.Errorf("%s is there still", name)
		}
	}
}

// TestVbladeSurvivesHangup: nohup keeps it alive when the terminal goes.
func TestVbladeSurvivesHangup(t *testing.T) {
	t.Parallel()
	need(t, "nohup")
	here, there := netiotest.Pair(t, 1500)
	path, content := image(t, 1<<20)
	f := run(t, here, "sectors", "nohup", called(t, "vblade"), "1", "2", netiotest.Netif, path)
	_ = f.cmd.Process.Signal(syscall.SIGHUP)
	checkBytes(t, "the export", readAll(t, connect(t, there, netiotest.Netif).open("1.2")), content)
	f.endsBy(syscall.SIGTERM)
}

// TestGgaoedKilled: what an initiator was told is set is set after a kill, however
// soon that comes.
func TestGgaoedKilled(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	disk, _ := image(t, 1<<20)
	g := ggaoed(t, here, fmt.Sprintf("[disk]\npath = %s\nshelf = 1\nslot = 2\n", disk))
	c := connect(t, there, netiotest.Netif)
	for round := range 5 {
		want := fmt.Sprintf("round %d", round)
		if _, err := c.open("1.2").Config(aoe.ConfigForceSet, want); err != nil {
			t.Fatal(err)
		}
		g.stop(syscall.SIGKILL)
		g.foreground = run(t, here, "serving", filepath.Join(filepath.Dir(g.ctl), "ggaoed"), "-c", g.config, "-d")
		if found := c.discovers("1.2"); found[0].Config != want {
			t.Errorf("the config string is %q, want %q", found[0].Config, want)
		}
	}
}

// TestGgaoedWaits starts before its interface and its disk are there.
func TestGgaoedWaits(t *testing.T) {
	t.Parallel()
	here, there := netiotest.New(t), netiotest.New(t)
	_, content := image(t, 1<<20)
	disk := filepath.Join(t.TempDir(), "late.img")
	g := ggaoed(t, here, fmt.Sprintf("mtu = 1500\n[disk]\npath = %s\nshelf = 1\nslot = 2\ninterfaces = late*\n", disk))
	if said := g.stdout.String(); !strings.Contains(said, "serving 0 devices; 1 more wait for their disks") {
		t.Errorf("it says\n%s", said)
	}
	if err := os.WriteFile(disk, content, 0o600); err != nil {
		t.Fatal(err)
	}
	netiotest.Join(here, "late0", there, "eth0", 4200)
	c := connect(t, there, "eth0")
	checkBytes(t, "1.2", readAll(t, c.open("1.2")), content)
	found := c.discovers("1.2")
	for end := time.Now().Add(patience); found[0].Sectors != 2 && time.Now().Before(end); {
		found = c.discovers("1.2")
	}
	if found[0].Sectors != 2 {
		t.Errorf("the mtu of [defaults] does not hold for it: %d sectors", found[0].Sectors)
	}
}
