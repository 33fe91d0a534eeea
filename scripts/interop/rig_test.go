package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/scripts/vm"
)

// limit is for one guest, boot to end. Generous: a test fails for what is wrong, not for a busy machine.
const limit = 6 * time.Minute

// rig is one segment with a guest on it.
type rig struct {
	ctx       context.Context
	net       *vm.Network
	guest     *vm.Guest
	artifacts string // directory for logs
}

// newRig boots a guest, with more programs of this machine if they are named. All goes when the test ends; the logs stay
// if it failed.
func newRig(t *testing.T, mtu int, programs ...string) *rig {
	t.Helper()
	need(t, programs...)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	r := &rig{ctx: ctx, artifacts: artifactsDir(t)}
	network, err := vm.NewNetwork(mtu)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	r.net = network
	r.guest, err = vm.Boot(ctx, vm.Config{
		Netns: network.Netns(), Tap: vm.TapIf, MTU: mtu, ConsoleLog: filepath.Join(r.artifacts, "console.log"),
		Programs: programs, MemoryMiB: 384 + 256*len(programs),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.guest.Close() })
	return r
}

// need skips the test where something is missing, and fails it on CI.
func need(t *testing.T, programs ...string) {
	t.Helper()
	err := vm.Missing()
	for _, name := range programs {
		if _, lookErr := exec.LookPath(name); err == nil && lookErr != nil {
			err = fmt.Errorf("no program %s: install it with scripts/setup.sh %[1]s", name)
		}
	}
	if _, statErr := os.Stat("/dev/fuse"); err == nil && statErr != nil {
		err = fmt.Errorf("no FUSE: %w", statErr)
	}
	switch {
	case err == nil:
	case onCI():
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// artifactsDir makes the directory for the logs of a test: below $VBLADEFS_ARTIFACTS, where they always stay, or a
// temporary one that stays only after a failure.
func artifactsDir(t *testing.T) string {
	t.Helper()
	name := "vbladefs-interop-" + strings.ReplaceAll(t.Name(), "/", "-")
	given, dir := os.Getenv("VBLADEFS_ARTIFACTS"), ""
	var err error
	if given == "" {
		dir, err = os.MkdirTemp("", name+"-")
	} else {
		dir = filepath.Join(given, name)
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		switch {
		case t.Failed():
			t.Logf("logs are kept in %s", dir)
		case given == "":
			os.RemoveAll(dir)
		}
	})
	return dir
}

// prelude is put before each script: the first failing command ends it.
const prelude = `set -e
# until_ok COMMAND...: waits for it to succeed, for a minute of the guest's time, or as many tenths of a second as $tenths says.
until_ok() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt ${tenths:-600} ] || { echo "in vain: $*"; return 1; }
        sleep 0.1
    done
}
sha() { sha256sum "$1" | cut -d' ' -f1; }
`

// run runs a script in the guest and returns its output; the test fails unless it exits with 0.
func (r *rig) run(t *testing.T, format string, args ...any) string {
	t.Helper()
	script := fmt.Sprintf(format, args...)
	output, exit, err := r.guest.Run(r.ctx, prelude+script)
	if err != nil {
		t.Fatalf("%v\noutput:\n%s", err, output)
	}
	if exit != 0 {
		t.Fatalf("exit %d from the guest's script\n%s\noutput:\n%s%s", exit, script, output, r.evidence())
	}
	return output
}

// evidence is what the client's driver knows, for a failed script.
func (r *rig) evidence() string {
	output, _, err := r.guest.Run(r.ctx, `
		echo "--- aoe-stat"; aoe-stat
		echo "--- dmesg"; dmesg | tail -n 12
		echo "--- /dev/etherd/err"; tail -n 12 /var/log/aoe.err
		for f in /sys/kernel/debug/aoe/e*; do echo "--- $f"; cat $f; done`)
	if err != nil {
		return "\n(no evidence: " + err.Error() + ")"
	}
	return "\nThe client says:\n" + output
}
