package vm

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestNetwork(t *testing.T) {
	need(t)
	n := newNetwork(t, 9000)
	for _, name := range []string{TargetIf, OtherIf, TapIf, "br0"} {
		out, err := n.Command(t.Context(), "ip", "-o", "link", "show", name).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "mtu 9000") || !strings.Contains(string(out), "UP") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	if err := n.IP("link set " + TargetIf + " mtu 1500"); err != nil {
		t.Error(err)
	}
	if err := n.IP("link set nonesuch up"); err == nil {
		t.Error("an interface that does not exist comes up")
	}
	netns := n.Netns()
	if err := errors.Join(n.Close(), n.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(netns); err == nil {
		t.Errorf("%s is still there", netns)
	}
}
