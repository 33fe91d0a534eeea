package main_test

import (
	"fmt"
	"syscall"
	"testing"

	"vbladefs/netio/netiotest"
)

// TestCapabilitiesOfDaemons: those that have no control tree keep fewer.
func TestCapabilitiesOfDaemons(t *testing.T) {
	here, _ := netiotest.Pair(t, 1500)
	const name = netiotest.Netif
	disk, _ := image(t, mib)
	for _, daemon := range []struct {
		name  string
		start func() *foreground
	}{
		{"vblade", func() *foreground { return run(t, here, "sectors", called(t, "vblade"), "7", "1", name, disk) }},
		{"sqaoed", func() *foreground { return run(t, here, "sectors", called(t, "sqaoed"), name, disk, "7", "2") }},
		{"ggaoed", func() *foreground {
			return ggaoed(t, here, fmt.Sprintf("[disk]\npath = %s\nshelf = 7\nslot = 3\n", disk)).foreground
		}},
		{"qaoed", func() *foreground {
			return startQaoed(t, here, fmt.Sprintf("apisocket = $S;\ndevice { target = %s; shelf = 7; slot = 4; interface = %s; }\n", disk, name)).foreground
		}},
	} {
		f := daemon.start()
		checkLimited(t, f.cmd.Process.Pid, documented(t, "no tree"))
		if t.Failed() {
			t.Fatal(daemon.name)
		}
		f.stop(syscall.SIGTERM)
	}
}
