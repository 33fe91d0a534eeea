package netiotest_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

func TestPairIsJoinedAndRemoved(t *testing.T) {
	var names []string
	t.Run("inside", func(t *testing.T) {
		a, b := netiotest.Pair(t, 9000)
		names = []string{a.Name, b.Name}
		for _, ns := range []netiotest.Netns{a, b} {
			var ifi *net.Interface
			var err error
			ns.Do(func() { ifi, err = net.InterfaceByName(netiotest.Netif) })
			if err != nil || ifi.MTU != 9000 || ifi.Flags&net.FlagRunning == 0 {
				t.Errorf("%s: %+v, %v", ns.Name, ifi, err)
			}
		}
		a.SetMTU(netiotest.Netif, 1500)
		out, err := a.Command("ip", "-o", "link", "show", netiotest.Netif).Output()
		if err != nil || !strings.Contains(string(out), "mtu 1500") {
			t.Errorf("after SetMTU: %q, %v", out, err)
		}
	})
	for _, name := range names {
		if _, err := os.Stat("/run/netns/" + name); !os.IsNotExist(err) {
			t.Errorf("namespace %s is left: %v", name, err)
		}
	}
	if len(names) != 2 {
		t.Fatal("no namespaces made")
	}
}

func TestCommandKeepsTheMountNamespace(t *testing.T) {
	ns := netiotest.New(t)
	inside, err := ns.Command("readlink", "/proc/self/ns/mnt", "/proc/self/ns/net").Output()
	if err != nil {
		t.Fatal(err)
	}
	outside, err := exec.Command("readlink", "/proc/self/ns/mnt", "/proc/self/ns/net").Output()
	if err != nil {
		t.Fatal(err)
	}
	in, out := strings.Fields(string(inside)), strings.Fields(string(outside))
	if in[0] != out[0] || in[1] == out[1] {
		t.Errorf("inside %v, outside %v: want the same mounts and another network", in, out)
	}
}

func TestDoPassesOnAPanic(t *testing.T) {
	ns := netiotest.New(t)
	defer func() {
		if got := recover(); got != "boom" {
			t.Errorf("recovered %v, want boom", got)
		}
	}()
	ns.Do(func() { panic("boom") })
}
