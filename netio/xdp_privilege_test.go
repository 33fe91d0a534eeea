package netio

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// unprivileged makes this test binary open a link and say what came of it.
const unprivileged = "NETIO_XDP_UNPRIVILEGED"

// TestXDPPrivileges opens links with few capabilities (setpriv(1)): some lead to the ring, with a reason.
func TestXDPPrivileges(t *testing.T) {
	if os.Getenv(unprivileged) != "" {
		say := func(m string) { fmt.Println("log:", m) }
		l, err := Open("eth0", Options{Kind: "xdp", RingBytes: 32 << 20, Log: say, Note: say})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("kind:", l.Kind())
		return
	}
	ns, _ := netiotest.Pair(t, 9000)
	for capabilities, want := range map[string][]string{
		"net_raw":                           {"kind: ring", "needs root, or CAP_NET_ADMIN and CAP_BPF"},
		"net_raw,+net_admin,+bpf":           {"kind: ring", "needs CAP_IPC_LOCK or a larger ulimit -l"},
		"net_raw,+net_admin,+bpf,+ipc_lock": {"kind: xdp", "native"},
	} {
		child := ns.Command("prlimit", "--memlock=65536", "setpriv", "--bounding-set=-all,+"+capabilities,
			os.Args[0], "-test.run=^TestXDPPrivileges$")
		child.Env = append(os.Environ(), unprivileged+"=1")
		out, err := child.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", capabilities, err, out)
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("with %s: no %q in\n%s", capabilities, w, out)
			}
		}
	}
}
