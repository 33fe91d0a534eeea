package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// A history is a row of commands in which each state is that after so many of
// them, and no other: every third takes away what the one before it has added.
type history struct{ path string }

func (h history) command(n int) string {
	if n%3 == 2 {
		return fmt.Sprintf("del %s 3 %d eth0", h.path, (n-1)%200)
	}
	return fmt.Sprintf("add %s 3 %d eth0", h.path, n%200)
}

// after lists the addresses that there are after n commands.
func (h history) after(n int) []string {
	var addrs []string
	for i := range n {
		if i%3 == 0 || i%3 == 1 && i == n-1 {
			addrs = append(addrs, fmt.Sprintf("e3.%d", i%200))
		}
	}
	slices.Sort(addrs)
	return addrs
}

// A daemon that is killed at any moment comes back with what was there after
// some number of commands: all that had returned, and at most the one that was
// under way.
func TestStateKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	dir, mount := t.TempDir(), mountDir(t)
	path, _ := image(t, mib)
	h := history{path}
	done := 0 // commands in the state
	d := serveOn(t, here, mount, "-state", dir)
	for kill := range 20 {
		if done > 150 { // addresses repeat after 200
			break
		}
		began := time.Now()
		go func(p *os.Process) {
			time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // the first command waits for neighbours to answer
			_ = p.Kill()
		}(d.cmd.Process)
		returned := done
		for ; returned < 190; returned++ {
			if err := os.WriteFile(filepath.Join(mount, "aoeserver"), []byte(h.command(returned)+"\n"), 0); err != nil {
				break
			}
		}
		waited := time.Since(began)
		d.exitCode()
		d = serveOn(t, here, mount, "-state", dir)
		got := exported(d)
		least := returned
		if waited > 2*time.Second {
			least = done // waits for the disk may have been over their allowance
		}
		found := -1
		for n := least; n <= returned+1; n++ {
			if slices.Equal(got, h.after(n)) {
				found = n
			}
		}
		if found < 0 {
			t.Fatalf("kill %d: after %d to %d commands there are %v, want %v or %v", kill, least, returned+1, got, h.after(returned), h.after(returned+1))
		}
		done = found
	}
	if done < 20 {
		t.Errorf("only %d commands in all", done)
	}
}

// exported lists the addresses that saved has.
func exported(d *daemon) []string {
	d.t.Helper()
	var addrs []string
	for line := range strings.Lines(d.read("saved")) {
		if f := strings.Fields(line); len(f) >= 4 && f[0] == "targets/ports" {
			addrs = append(addrs, f[2])
		}
	}
	slices.Sort(addrs)
	return addrs
}

// A device that is missing at the start leaves its export down, with the reason
// in the log, and keeps it in the state; the rest serves, and it comes up with
// its device. So does a port with its interface.
func TestStateMissingDevice(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	netiotest.Join(here, "eth1", there, "eth1", 1500)
	dir, mount := t.TempDir(), mountDir(t)
	path, disk := image(t, mib)
	lost, lostDisk := image(t, mib)
	d := serveOn(t, here, mount, "-state", dir)
	d.echo("add one "+path, "vblade/drives")
	d.echo("add eth0 0 1", "vblade/one/ports")
	d.echo("add eth1 0 1", "vblade/one/ports")
	d.echo("add two "+lost, "vblade/drives")
	d.echo("add eth0 0 2", "vblade/two/ports")
	d.echo("two's config", "targets/e0.2/config")
	want := d.read("saved")
	d.stop(syscall.SIGTERM)

	if err := os.Rename(lost, lost+".away"); err != nil {
		t.Fatal(err)
	}
	here.Run("ip", "link", "set", "eth1", "name", "later")
	for range 2 { // it stays in the state, whatever is saved meanwhile
		d = serveOn(t, here, mount, "-state", dir)
		if got := d.read("saved"); got != want {
			t.Errorf("saved has\n%s\nwant\n%s", got, want)
		}
		checkBytes(t, "beside a missing one", readAll(t, connect(t, there, "eth0").open("0.1")), disk)
		connect(t, there, "eth0").discovers("0.1")
		if log := d.read("log"); !strings.Contains(log, lost) || !strings.Contains(log, "eth1") {
			t.Errorf("the log does not name %s and eth1:\n%s", lost, log)
		}
		if got := d.read("vblade/two/state"); !strings.HasPrefix(got, "down ") {
			t.Errorf("vblade/two/state has %q", got)
		}
		if got := d.read("targets/e0.1/ports/eth1/state"); !strings.HasPrefix(got, "down ") {
			t.Errorf("the state of the port on eth1 is %q", got)
		}
		d.echo("durable", "vblade/one/cache")
		d.echo("direct", "vblade/one/cache")
		d.stop(syscall.SIGKILL)
	}
	d = serveOn(t, here, mount, "-state", dir)
	if err := os.Rename(lost+".away", lost); err != nil {
		t.Fatal(err)
	}
	here.Run("ip", "link", "set", "later", "name", "eth1")
	here.Run("ip", "link", "set", "eth1", "up")
	there.Run("ip", "link", "set", "eth1", "up")
	x := connect(t, there, "eth0").open("0.2")
	checkBytes(t, "the device that came", readAll(t, x), lostDisk)
	if string(x.Found.Config) != "two's config" {
		t.Errorf("its config string is %q", x.Found.Config)
	}
	checkBytes(t, "on the interface that came", readAll(t, connect(t, there, "eth1").open("0.1")), disk)
	if got := d.read("saved"); got != want {
		t.Errorf("saved has\n%s\nwant\n%s", got, want)
	}
}
