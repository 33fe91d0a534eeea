package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// stateFile is the state in a folder, without the seal.
func stateFile(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	state, _, _ := strings.Cut(string(text), "# seal ")
	return state
}

// What was done when a command returned, and what an initiator was told is done,
// is there after the daemon was killed the next moment.
func TestStateSurvivesAKill(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	dir, mount := t.TempDir(), mountDir(t)
	device, _, disk := loopDisk(t, mib)
	path, _ := image(t, mib)
	d := serveOn(t, here, mount, "-state", dir)
	d.echo("add do "+device, "vblade/drives")
	d.echo("durable", "vblade/do/cache")
	d.echo("my serial", "vblade/do/serial")
	d.echo("add eth0 0 2 32 1", "vblade/do/ports")
	d.echo("add "+path+" 7 1", "aoeserver")
	client := connect(t, there, "eth0")
	x := client.open("0.2")
	if _, err := x.Config(aoe.ConfigSet, "set by an initiator\nwith \x00 bytes"); err != nil {
		t.Fatal(err)
	}
	d.stop(syscall.SIGKILL)
	d = serveOn(t, here, mount, "-state", dir)
	x = connect(t, there, "eth0").open("0.2")
	if c, err := x.Config(aoe.ConfigRead, ""); err != nil || string(c.String) != "set by an initiator\nwith \x00 bytes" {
		t.Errorf("config string %q, %v", c.String, err)
	}
	other := aoe.MAC{2, 0, 0, 0, 0, 9}
	if _, err := x.MaskList(initiator.MaskEdit{Do: aoe.MaskAdd, MAC: client.mac}, initiator.MaskEdit{Do: aoe.MaskAdd, MAC: other}); err != nil {
		t.Fatal(err)
	}
	d.stop(syscall.SIGKILL)
	d = serveOn(t, here, mount, "-state", dir)
	x = connect(t, there, "eth0").open("0.2")
	if list, err := x.MaskList(); err != nil || !slices.Equal(list, []aoe.MAC{client.mac, other}) {
		t.Errorf("mask list %v, %v", list, err)
	}
	if _, err := x.Reserve(aoe.ReserveSet, client.mac); err != nil {
		t.Fatal(err)
	}
	d.stop(syscall.SIGKILL)
	d = serveOn(t, here, mount, "-state", dir)
	x = connect(t, there, "eth0").open("0.2")
	if list, err := x.Reserve(aoe.ReserveRead); err != nil || !slices.Equal(list, []aoe.MAC{client.mac}) {
		t.Errorf("reserve list %v, %v", list, err)
	}
	checkBytes(t, "after three kills", readAll(t, x), disk)
	for file, want := range map[string]string{"vblade/do/cache": "durable\n", "vblade/do/serial": "my serial\n"} {
		if got := d.read(file); got != want {
			t.Errorf("%s has %q, want %q", file, got, want)
		}
	}
	want := d.read("saved")
	if got := stateFile(t, dir); got != want {
		t.Errorf("the state is\n%s\nwant\n%s", got, want)
	}
	d.echo("del "+path+" 7 1", "aoeserver")
	want = d.read("saved")
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := stateFile(t, dir); got != want || strings.Contains(got, path) {
		t.Errorf("after SIGTERM the state is\n%s\nwant\n%s", got, want)
	}
	d = serveOn(t, here, mount, "-state", dir)
	if got := d.read("saved"); got != want {
		t.Errorf("saved has\n%s\nwant\n%s", got, want)
	}
}

// Without a folder nothing is kept.
func TestNoState(t *testing.T) {
	t.Parallel()
	ns, mount := netiotest.New(t), mountDir(t)
	path, _ := image(t, mib)
	for range 2 {
		d := serveOn(t, ns, mount, "-state", "")
		if strings.Contains(d.read("saved"), path) {
			t.Error("something is there at the start")
		}
		d.echo("add do "+path, "vblade/drives")
		if stdout, stderr, code := vbladefs(t, "", "save", "-mount", mount); code != 1 || !strings.Contains(stderr, "nothing is kept") {
			t.Errorf("save: %d, %s%s", code, stdout, stderr)
		}
		d.stop(syscall.SIGTERM)
	}
}

// No frame is answered before the lists that forbid it are in force.
func TestListsBeforeFrames(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	dir, mount := t.TempDir(), mountDir(t)
	path, _ := image(t, mib)
	client := connect(t, there, "eth0")
	d := serveOn(t, here, mount, "-state", dir)
	d.echo("add do "+path, "vblade/drives")
	d.echo("add eth0 0 2", "vblade/do/ports")
	d.echo("add "+client.mac.String(), "targets/e0.2/deny")
	d.echo("add eth0 0 3", "vblade/do/ports")
	d.echo("add 02:00:00:00:00:09", "targets/e0.3/accept")
	d.echo("add eth0 0 4", "vblade/do/ports")
	for range 3 {
		d.stop(syscall.SIGKILL)
		d = serveOn(t, here, mount, "-state", dir)
		for seen := false; !seen; { // asks from before the first port is there
			frames, err := client.Discover(0)
			if err != nil && !strings.Contains(err.Error(), "not sent") {
				t.Fatal(err)
			}
			for _, f := range frames {
				if f.Addr.Slot != 4 {
					t.Fatalf("%s was answered", f.Addr)
				}
				seen = true
			}
		}
	}
}

// One folder serves one daemon, and what has mistakes none; it stays as it is.
func TestStateRefused(t *testing.T) {
	t.Parallel()
	ns := netiotest.New(t)
	path, _ := image(t, mib)
	first := serve(t, ns, "-state", t.TempDir())
	taken := first.cmd.Args[slices.Index(first.cmd.Args, "-state")+1]
	for _, tt := range []struct {
		name, state string
		want        []string
	}{
		{"bad command", "# vbladefs state 1\nvblade/drives add do " + path + "\nvblade/do/cache sometimes\n",
			[]string{"/state:3:17:", "sometimes", "vbladefs check ", "move it away"}},
		{"no such file", "# vbladefs state 1\n\nnowhere/at/all x\n", []string{"/state:3:1:", "nowhere"}},
		{"unknown drive", "# vbladefs state 1\ntargets/blades add e0.1 do\n", []string{"/state:2:", "do"}},
		{"torn", "# vbladefs state 1\nvblade/drives add d", []string{"/state:2:"}},
		{"cut off at a line end", "# vbladefs state 2\nvblade/drives add do " + path + "\n", []string{"/state:2:1:", "cut off", `add "# end 1"`}},
		{"later version", "# vbladefs state 3\n", []string{"/state:1:1:", "another version"}},
		{"empty", "", []string{"/state:1:1:", "empty"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			need(t)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "state"), []byte(tt.state), 0o600); err != nil {
				t.Fatal(err)
			}
			d := start(t, ns, "serve", "-state", dir, filepath.Join(mountDir(t), "tree"))
			if code := d.exitCode(); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, want := range append(tt.want, dir) {
				if !strings.Contains(d.stderr.String(), want) {
					t.Errorf("says\n%s\nwithout %q", d.stderr, want)
				}
			}
			if got := stateFile(t, dir); got != tt.state {
				t.Errorf("the state is now %q", got)
			}
		})
	}
	second := start(t, ns, "serve", "-state", taken, filepath.Join(mountDir(t), "tree"))
	if code := second.exitCode(); code != 1 || !strings.Contains(second.stderr.String(), fmt.Sprintf("process %d", first.cmd.Process.Pid)) {
		t.Errorf("a second daemon: exit code %d\n%s", code, second.stderr)
	}
	first.check()
}

// A full disk stops nothing; the old state stays, and a later one is saved when
// there is room.
func TestStateOnAFullDisk(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	dir := smallDisk(t, 128<<10)
	path, disk := image(t, mib)
	d := serve(t, here, "-state", dir)
	d.echo("add "+path+" 0 1 eth0", "aoeserver")
	old := stateFile(t, dir)
	makeRoom := fillUp(t, dir)
	d.echo("add "+path+" 0 2 eth0", "aoeserver")
	checkBytes(t, "on a full disk", readAll(t, connect(t, there, "eth0").open("0.2")), disk)
	if got := stateFile(t, dir); got != old {
		t.Errorf("the old state is now %q", got)
	}
	for _, want := range []string{"THE STATE IS NOT SAVED", "Free space where " + dir} {
		if !strings.Contains(d.read("log"), want) {
			t.Errorf("the log has no %q:\n%s", want, d.read("log"))
		}
	}
	stdout, stderr, code := vbladefs(t, "", "save", "-mount", d.dir)
	if code != 1 || !strings.Contains(stderr, "ENOSPC") {
		t.Errorf("save: %d, %s%s", code, stdout, stderr)
	}
	makeRoom()
	if stdout, stderr, code := vbladefs(t, "", "save", "-mount", d.dir); code != 0 {
		t.Errorf("save: %d, %s%s", code, stdout, stderr)
	}
	if got, want := stateFile(t, dir), d.read("saved"); got != want || !strings.Contains(got, "e0.2") {
		t.Errorf("the state is %q, want %q", got, want)
	}
}

// smallDisk is a folder on a file system of its own.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	need(t)
	dir := mountDir(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	return dir
}
