package main_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// startVblade has Debian's vblade serve e0.1, then e0.2 and so on from images, one
// each, and returns what ends the first.
func startVblade(t *testing.T, ns netiotest.Netns, slots ...string) (stop func()) {
	t.Helper()
	need(t, "vblade")
	for _, slot := range slots {
		path, _ := image(t, mib)
		cmd := ns.Command("vblade", "0", slot, netiotest.Netif, path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := false
		end := func() {
			if !ended {
				ended = true
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
		}
		t.Cleanup(end)
		if stop == nil {
			stop = end
		}
	}
	return stop
}

// tryTaken is tryEcho of an add to an address that another machine serves. Where all machines share few processors one may
// answer after the time that an add waits for it; what was added then is removed, and by the next add the answer is known.
func (d *daemon) tryTaken(line, file, added string) (errno string) {
	d.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if errno = d.tryEcho(line, file); errno != "" {
			break
		}
		d.t.Logf("%s > %s: the other machine has not answered in time", line, file)
		d.echo(added, "kvblade/del")
	}
	return errno
}

// TestAnotherTarget: an address that Debian's vblade serves on the segment is
// refused in every dialect, unless forced; one that it serves later is shown.
func TestAnotherTarget(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"ring", "raw", "xdp"} {
		t.Run(link, func(t *testing.T) {
			here, there := netiotest.Pair(t, 1500)
			stop := startVblade(t, there, "1")
			connect(t, here, netiotest.Netif).discovers("0.1")
			host := macOf(t, there)
			device, _, _ := loopDisk(t, mib)
			d := serve(t, here, "-link", link)
			d.echo("add do "+device, "vblade/drives")
			for file, line := range map[string]string{
				"kvblade/add": "0 1 eth0 " + device, "aoeserver": "add " + device + " 0 1", "vblade/do/ports": "add eth0 0 1",
			} {
				if errno := d.tryTaken(line, file, "0 1 eth0"); errno != "EADDRINUSE" {
					t.Errorf("echo %s > %s: %q, want EADDRINUSE", line, file, errno)
				}
				if event := d.lastEvent(); !strings.Contains(event, host) || !strings.Contains(event, "force") {
					t.Errorf("the log says %q without %s and force", event, host)
				}
			}
			d.echo("add eth0 0 1 force", "vblade/do/ports")
			d.echo("del eth0 0 1", "vblade/do/ports")
			d.echo("0 1 eth0 "+device+" force", "kvblade/add")
			d.echo("0 1 eth0", "kvblade/del")
			d.echo("add "+device+" 0 1 force", "aoeserver")
			d.echo("del "+device+" 0 1", "aoeserver")

			d.echo("add eth0 0 2", "vblade/do/ports")
			startVblade(t, there, "2")
			d.await("vblade's announcement is a conflict", func() bool {
				for line := range strings.Lines(d.read("log")) {
					if strings.Contains(line, "conflict: 0.2 is served here") && strings.Contains(line, host) {
						return true
					}
				}
				return false
			})
			if text := d.read("targets/e0.2/conflicts"); !strings.HasPrefix(text, host+" eth0 ") {
				t.Errorf("conflicts holds %q", text)
			}
			stop() // whom it heard before it asks again
			d.await("the address is free when vblade has gone", func() bool { return d.tryEcho("add eth0 0 1", "vblade/do/ports") == "" })
		})
	}
}

// TestTakeoverOfADeadMachine: what a machine served that has died another one
// serves after one write, as soon as its last answers are no news any more.
func TestTakeoverOfADeadMachine(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	const exports = 1000
	commands := func(device string) string {
		var b strings.Builder
		for i := range exports {
			fmt.Fprintf(&b, "add %s %d %d eth0\n", device, i/100, i%100)
		}
		return b.String()
	}
	dying, heir := serve(t, there), serve(t, here)
	device, _, _ := loopDisk(t, mib)
	dying.writeAtOnce("aoeserver", commands(device))
	device, _, disk := loopDisk(t, mib)
	heir.echo("add "+device+" 99 0 eth0", "aoeserver") // it listens from now on
	refused := heir.tryEcho("add "+device+" 0 0 eth0", "aoeserver")
	if dying.stop(syscall.SIGKILL); refused != "EADDRINUSE" {
		t.Errorf("an address of the living: %q", refused)
	}
	_ = syscall.Unmount(dying.dir, syscall.MNT_DETACH)
	heir.await("the first is free", func() bool { return heir.tryEcho("add "+device+" 0 0 eth0", "aoeserver") == "" })
	heir.echo("del "+device+" 0 0", "aoeserver")
	heir.writeAtOnce("aoeserver", commands(device))
	if n := len(lines(heir.cat("targets/ports"))); n != exports+1 {
		t.Errorf("%d ports, want %d", n, exports+1)
	}
	checkBytes(t, "the last one", readAll(t, connect(t, there, netiotest.Netif).open("9.99")), disk)
}

// macOf is the address of the interface at the other end, as text.
func macOf(t *testing.T, ns netiotest.Netns) (mac string) {
	t.Helper()
	ns.Do(func() {
		info, err := netio.Lookup(netiotest.Netif)
		if err != nil {
			t.Fatal(err)
		}
		mac = aoe.MAC(info.MAC).String()
	})
	return mac
}
