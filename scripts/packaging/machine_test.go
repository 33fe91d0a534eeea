package packaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
	"vbladefs/scripts/vm"
)

// patience is how long what takes a moment may take on a busy machine.
const patience = time.Minute

// machine is a fresh Debian whose first process is systemd: in namespaces of this
// machine, on its kernel, in a network namespace of the test's.
type machine struct {
	t    *testing.T
	root string // its root, as this process reaches it
	init int    // the number of its first process
}

// boot is the first process until systemd takes its place. $1 is the root.
const boot = `set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for n in null zero full random urandom tty fuse; do cp -a /dev/$n "$1/dev/"; done
mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
ln -s /proc/self/fd "$1/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$1/run"
cd "$1"
pivot_root . mnt
umount -l mnt
hostname fresh
exec env -i container=vbladefs-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console
`

// packages are what the machine has beside the essential ones.
const packages = "systemd,systemd-sysv,dbus,iproute2,init-system-helpers"

// freshRoot is a Debian that nothing was done to. It is fetched once.
func freshRoot(t *testing.T) string {
	t.Helper()
	cache := vm.CacheDir()
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(filepath.Join(cache, "debian.lock"), os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	suite := "stable"
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		if _, name, ok := strings.Cut(string(text), "\nVERSION_CODENAME="); ok {
			suite, _, _ = strings.Cut(name, "\n")
		}
	}
	root := filepath.Join(cache, "debian-"+suite+"-1")
	if _, err := os.Stat(root); err == nil {
		return root
	}
	t.Log("fetching a Debian with mmdebstrap")
	_ = os.RemoveAll(root + ".new")
	run(t, 10*time.Minute, "mmdebstrap", "--quiet", "--variant=apt", "--dpkgopt=force-unsafe-io", "--include="+packages, suite, root+".new")
	if err := os.Rename(root+".new", root); err != nil {
		t.Fatal(err)
	}
	return root
}

// run runs a command of this machine.
func run(t *testing.T, most time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// cgroups is where the unified hierarchy is mounted.
func cgroups(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); words[2] == "cgroup2" {
			return words[1]
		}
	}
	missing(t, "a mount of cgroup2")
	return ""
}

// missing ends the test for want of something.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}

// leaveDevicesAlone keeps udev from starting: it would hear of the loop devices of the whole host, and open and read those of
// other tests.
func (m *machine) leaveDevicesAlone() {
	m.t.Helper()
	for _, unit := range []string{"systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-udev-trigger.service"} {
		if err := os.Symlink("/dev/null", filepath.Join(m.root, "etc/systemd/system", unit)); err != nil {
			m.t.Fatal(err)
		}
	}
}

// start boots a machine whose interface eth0 is that of ns.
func start(t *testing.T, ns netiotest.Netns) *machine {
	t.Helper()
	lower, place := freshRoot(t), t.TempDir()
	m := &machine{t: t, root: filepath.Join(place, "root")}
	for _, dir := range []string{"root", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(place, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, place, place)
	if err := unix.Mount("overlay", m.root, "overlay", 0, layers); err != nil {
		t.Fatal(err)
	}
	mounted := m.root
	t.Cleanup(func() {
		if err := unix.Unmount(mounted, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", mounted, err)
		}
	})
	m.leaveDevicesAlone()
	group := filepath.Join(cgroups(t), fmt.Sprintf("vbladefs-test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeGroups(t, group) })
	// Its processes are of the group before they see it as the root of all groups.
	script := `echo $$ > "$1/cgroup.procs" && exec unshare --mount --pid --uts --ipc --cgroup --fork sh -c "$2" sh "$3"`
	cmd := ns.Command("sh", "-c", script, "sh", group, boot, m.root)
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		if m.init != 0 {
			_ = syscall.Kill(m.init, syscall.SIGKILL) // and all of its namespace with it
		} else {
			_ = cmd.Process.Kill()
		}
		<-ended
		if t.Failed() {
			t.Logf("its console:\n%s", console.String())
		}
	})
	m.await("its first process", func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		m.init, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", m.init))
		return string(name) == "systemd\n"
	})
	m.root = fmt.Sprintf("/proc/%d/root", m.init)
	m.await("it is up", func() bool {
		out, _ := m.try("systemctl is-system-running")
		return out == "running\n" || out == "degraded\n"
	})
	return m
}

// removeGroups removes a group that is empty, once its processes have gone.
func removeGroups(t *testing.T, group string) {
	var err error
	for range 200 {
		var groups []string
		_ = filepath.WalkDir(group, func(path string, d fs.DirEntry, _ error) error {
			if d != nil && d.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		for i := len(groups) - 1; i >= 0; i-- {
			err = os.Remove(groups[i])
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the group is left: %v", err)
}

// try runs a shell command in the machine.
func (m *machine) try(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	pid := strconv.Itoa(m.init)
	cmd := exec.CommandContext(ctx, "nsenter", "-t", pid, "-m", "-p", "-u", "-i", "-n", "-r", "-w",
		"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "sh", "-c", command)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// do runs a shell command in the machine that has to succeed.
func (m *machine) do(command string) string {
	m.t.Helper()
	out, err := m.try(command)
	if err != nil {
		journal, _ := m.try("journalctl --no-pager -q -n 40")
		m.t.Fatalf("%s: %v\n%s\nthe journal:\n%s", command, err, out, journal)
	}
	return strings.TrimSpace(out)
}

// show is a property of a unit.
func (m *machine) show(unit, property string) string {
	m.t.Helper()
	return m.do("systemctl show -P " + property + " " + unit)
}

// await waits until something is so.
func (m *machine) await(what string, so func() bool) {
	m.t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			journal, _ := m.try("journalctl --no-pager -q -n 40")
			m.t.Fatalf("waited in vain until %s; the journal:\n%s", what, journal)
		}
	}
}

// put copies a file into the machine.
func (m *machine) put(path, to string) {
	m.t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(m.root+to, text, 0o755)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}
