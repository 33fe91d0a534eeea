package main_test

import (
	"strings"
	"testing"

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
				if errno := d.tryEcho(line, file); errno != "EADDRINUSE" {
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
