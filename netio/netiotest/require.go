package netiotest

import (
	"os"
	"os/exec"
	"testing"
)

// RequireNetns ends the test unless it may make network namespaces: it fails under CI=true, and is skipped
// with the reason elsewhere.
func RequireNetns(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		lacking(t, "needs root for network namespaces and packet sockets")
	}
	for _, program := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(program); err != nil {
			lacking(t, "needs the program "+program+" (Debian packages iproute2 and util-linux)")
		}
	}
}

func lacking(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}
