package main_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// TestMountAdvice: where the tree cannot be mounted, serve says what to do.
func TestMountAdvice(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "setpriv")
	ns := netiotest.New(t)
	for name, tt := range map[string]struct{ script, says string }{
		"no FUSE": {`mount -t tmpfs none /dev && exec "$0" serve -state= "$1"`, "there is no /dev/fuse"},
		"no root": {`mount -t tmpfs none /mnt && cp "$0" /mnt/vbladefs && install -d -o 65534 /mnt/tree &&
			exec setpriv --reuid=65534 --clear-groups /mnt/vbladefs serve -state= /mnt/tree`, "start it as root"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := ns.Command("unshare", "--mount", "sh", "-c", tt.script, program, mountDir(t)).CombinedOutput()
			var ended *exec.ExitError
			if !errors.As(err, &ended) || ended.ExitCode() != 1 || !strings.Contains(string(out), tt.says) {
				t.Errorf("%v, want exit code 1 and %q; it says\n%s", err, tt.says, out)
			}
		})
	}
}
