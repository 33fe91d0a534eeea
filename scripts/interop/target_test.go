package interop

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// build compiles the daemon as `make build` does.
func build(t *testing.T) string {
	t.Helper()
	need(t)
	binary := filepath.Join(t.TempDir(), "vbladefs")
	cmd := exec.Command("go", "build", "-trimpath", "-o", binary, "vbladefs/cmd/vbladefs")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// daemon is `vbladefs serve` on the rig's segment.
type daemon struct {
	cmd    *exec.Cmd
	args   []string // of serve, besides the mount point
	mount  string
	exited chan error // its end, once
}

func startDaemon(t *testing.T, r *rig, binary string, args ...string) *daemon {
	t.Helper()
	mount := filepath.Join(t.TempDir(), "ctl")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	return startDaemonAt(t, r, binary, mount, args...)
}

// startDaemonAt starts it on a mount point that is there, perhaps that of one that was killed.
func startDaemonAt(t *testing.T, r *rig, binary, mount string, args ...string) *daemon {
	t.Helper()
	d := &daemon{mount: mount, args: args, exited: make(chan error, 1)}
	d.cmd = r.net.Command(r.ctx, binary, slices.Concat([]string{"serve", "-state="}, args, []string{d.mount})...)
	start(t, r, d.cmd, "vbladefs.log", d.exited)
	t.Cleanup(func() { d.cleanUp(t, r) })
	for deadline := time.Now().Add(time.Minute); !d.serves(); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-d.exited:
			d.exited <- err
			t.Fatalf("vbladefs serve ended at once: %v\n%s", err, readLog(r, "vbladefs.log"))
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("vbladefs serve mounts nothing on %s\n%s", d.mount, readLog(r, "vbladefs.log"))
		}
	}
	return d
}

// serves reports whether the tree is there; a mount that a killed daemon left behind has no files.
func (d *daemon) serves() bool {
	_, err := os.Stat(filepath.Join(d.mount, "README"))
	return err == nil
}

// start starts a target with its output in a log file among the artifacts.
func start(t *testing.T, r *rig, cmd *exec.Cmd, logName string, exited chan<- error) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(r.artifacts, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { exited <- cmd.Wait() }()
}

func readLog(r *rig, name string) string {
	text, err := os.ReadFile(filepath.Join(r.artifacts, name))
	return errors.Join(errors.New(string(text)), err).Error()
}

// echo writes a command as a user does, with the shell.
func (d *daemon) echo(t *testing.T, command, file string) {
	t.Helper()
	out, err := exec.Command("sh", "-c", `echo "$1" > "$2"`, "sh", command, filepath.Join(d.mount, file)).CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(d.mount, "log"))
		t.Fatalf("echo %s > %s: %v: %s\nits log:\n%s", command, file, err, out, log)
	}
}

// cat reads a file of the tree as a user does.
func (d *daemon) cat(t *testing.T, file string) string {
	t.Helper()
	out, err := exec.Command("cat", filepath.Join(d.mount, file)).CombinedOutput()
	if err != nil {
		t.Errorf("cat %s: %v: %s", file, err, out)
	}
	return string(out)
}

// stop ends the daemon as a service manager does, and checks that it ends well and leaves no mount.
func (d *daemon) stop(t *testing.T) {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.exited:
		d.exited <- err
		if err != nil {
			t.Errorf("after SIGTERM it ends with: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("a minute after SIGTERM it still runs")
	}
	if isMountPoint(d.mount) {
		t.Errorf("%s is still mounted", d.mount)
	}
}

// keepTree saves what the daemon says of itself among the artifacts of a failed test.
func (d *daemon) keepTree(t *testing.T, r *rig) {
	if !t.Failed() || !isMountPoint(d.mount) {
		return
	}
	const script = `cd "$1" && tail -n +1 log aoeserver vblade/drives vblade/*/ports vblade/*/stats`
	out, _ := exec.Command("timeout", "10", "sh", "-c", script, "sh", d.mount).CombinedOutput()
	os.WriteFile(filepath.Join(r.artifacts, "tree.txt"), out, 0o644)
}

// cleanUp leaves nothing, however badly the daemon behaved.
func (d *daemon) cleanUp(t *testing.T, r *rig) {
	d.keepTree(t, r)
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
	case <-time.After(20 * time.Second):
		d.cmd.Process.Kill()
		<-d.exited
	}
	unix.Unmount(d.mount, unix.MNT_DETACH)
}

func isMountPoint(dir string) bool {
	mounts, err := os.ReadFile("/proc/self/mounts")
	return err == nil && strings.Contains(string(mounts), " "+dir+" ")
}

// startVblade starts Debian's vblade and returns what ends it.
func startVblade(t *testing.T, r *rig, args ...string) (stop func()) {
	t.Helper()
	exited := make(chan error, 1)
	cmd := r.net.Command(r.ctx, "vblade", args...)
	start(t, r, cmd, "vblade.log", exited)
	ended := false
	stop = func() {
		if !ended {
			cmd.Process.Kill()
			<-exited
			ended = true
		}
	}
	t.Cleanup(stop)
	return stop
}
