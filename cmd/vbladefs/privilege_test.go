package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

// capabilityNumbers are those of the capabilities that docs/privileges.md may list.
var capabilityNumbers = map[string]uint{
	"CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_NET_RAW": unix.CAP_NET_RAW,
	"CAP_IPC_LOCK": unix.CAP_IPC_LOCK, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN,
	"CAP_BPF": unix.CAP_BPF,
}

// documented is the set of capabilities that the table of docs/privileges.md lists
// with this word in its second column.
func documented(t *testing.T, whose string) (set uint64) {
	t.Helper()
	text, err := os.ReadFile("../../docs/privileges.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(CAP_[A-Z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		number, known := capabilityNumbers[row[1]]
		if !known {
			t.Fatalf("docs/privileges.md lists %s, which this test does not know", row[1])
		}
		if slices.Contains(strings.Split(row[2], ", "), whose) {
			set |= 1 << number
		}
	}
	if set == 0 {
		t.Fatalf("docs/privileges.md lists no capabilities of %q", whose)
	}
	return set
}

// threads reads what /proc/PID/task/*/status says of each thread: its values by
// their names.
func threads(t *testing.T, pid int) (list []map[string]string) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		values := map[string]string{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			values[name] = strings.TrimSpace(value)
		}
		list = append(list, values)
	}
	if len(list) < 2 {
		t.Fatalf("process %d has %d threads, want several", pid, len(list))
	}
	return list
}

// checkLimited compares every thread of a process with the set it is to have.
func checkLimited(t *testing.T, pid int, want uint64) {
	t.Helper()
	for _, thread := range threads(t, pid) {
		for name, want := range map[string]uint64{"CapPrm": want, "CapEff": want, "CapBnd": want, "CapInh": 0, "CapAmb": 0} {
			if got, err := strconv.ParseUint(thread[name], 16, 64); err != nil || got != want {
				t.Errorf("thread %s: %s is %s, want %016x", thread["Pid"], name, thread[name], want)
			}
		}
		if thread["NoNewPrivs"] != "1" {
			t.Errorf("thread %s: NoNewPrivs is %s, want 1", thread["Pid"], thread["NoNewPrivs"])
		}
	}
}

// TestCapabilities: every thread of a daemon has what docs/privileges.md lists and no
// more, and with that it does what is to be done long after the start.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"ring", "raw", "xdp"} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			here, there := netiotest.Pair(t, 1500)
			dir := mountDir(t)
			for range 2 { // over the mount of one that was killed
				d := serveOn(t, here, dir, "-link", link, "-workers", "2")
				want := documented(t, "tree")
				checkLimited(t, d.cmd.Process.Pid, want)
				device, path, disk := loopDisk(t, mib)
				d.echo("add "+device+" 0 1 eth0", "aoeserver")
				if log := d.read("log"); !strings.Contains(log, "by "+link) {
					t.Errorf("no %q in the log:\n%s", "by "+link, log)
				}
				x := connect(t, there, "eth0").open("0.1")
				put(t, x, disk, 1000, 50000)
				checkBytes(t, "through the limited daemon", readAll(t, x), disk)
				checkFile(t, path, disk)
				exportOfAnother(t, d)
				checkLimited(t, d.cmd.Process.Pid, want)
				d.stop(syscall.SIGKILL)
			}
			d := serveOn(t, here, dir, "-link", link)
			if code := d.stop(syscall.SIGTERM); code != 0 {
				t.Errorf("exit code %d, want 0", code)
			}
			d.checkUnmounted()
		})
	}
}

// exportOfAnother has root's shell, with capabilities that the daemon has given up,
// export a file that is another user's alone, by a path relative to its folder.
func exportOfAnother(t *testing.T, d *daemon) {
	t.Helper()
	path, _ := image(t, mib)
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if _, complaint, _ := d.shell(`cd "$1" && echo add ./disk.img 0 2 eth0 > "$T/aoeserver"`, filepath.Dir(path)); complaint != "" {
		t.Errorf("a relative path: %s; the log says\n%s", complaint, d.read("log"))
	}
}

// TestUser: as another user the daemon opens what that user may, and refuses the
// rest; all else is as ever.
func TestUser(t *testing.T) {
	t.Parallel()
	need(t, "unshare", "mknod")
	here, there := netiotest.Pair(t, 1500)
	dir, state := mountDir(t), mountDir(t)
	images := map[string]string{}
	for name, uid := range map[string]int{"mine": nobody, "not-mine": 0} {
		path := filepath.Join(state, name)
		if err := os.WriteFile(path, make([]byte, mib), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
		images[name] = path
	}
	kept := filepath.Join(state, "kept")
	if err := errors.Join(os.Mkdir(kept, 0o700), os.Chown(kept, nobody, nobody), os.Chmod(state, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(os.RemoveAll(kept), os.Remove(images["mine"]), os.Remove(images["not-mine"])) })
	for round := range 2 { // the second restores what the first has kept
		d := serveAs(t, here, dir, "-user", "nobody", "-state", kept)
		pid := d.cmd.Process.Pid
		checkLimited(t, pid, documented(t, "-user"))
		for _, thread := range threads(t, pid) {
			if uid := strings.Fields(thread["Uid"]); strings.Join(uid, " ") != "65534 65534 65534 65534" || strings.Contains(" "+thread["Groups"]+" ", " 0 ") {
				t.Errorf("thread %s is of user %s with groups %q", thread["Pid"], thread["Uid"], thread["Groups"])
			}
		}
		if round == 0 {
			d.echo("add "+images["mine"]+" 0 1 eth0", "aoeserver")
		}
		if err := os.WriteFile(filepath.Join(d.dir, "aoeserver"), []byte("add "+images["not-mine"]+" 0 2 eth0\n"), 0); err == nil || !strings.Contains(d.read("log"), images["not-mine"]+": permission denied") {
			t.Errorf("a file that nobody may not open: %v; the log says\n%s", err, d.read("log"))
		}
		x := connect(t, there, "eth0").open("0.1")
		disk := random(mib)
		put(t, x, disk, 0, mib)
		checkBytes(t, "of a user", readAll(t, x), disk)
		if code := d.stop(syscall.SIGTERM); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		checkFile(t, images["mine"], disk)
	}
}

// nobody is the number of a user who may do nothing, and of its group.
const nobody = 65534

// serveAs is serveOn where everybody may open /dev/fuse, as on most machines: in a
// mount namespace of its own, whose tree the test reaches by way of /proc.
func serveAs(t *testing.T, ns netiotest.Netns, dir string, flags ...string) *daemon {
	t.Helper()
	return serveProgramAs(t, ns, program, dir, flags...)
}

func serveProgramAs(t *testing.T, ns netiotest.Netns, program, dir string, flags ...string) *daemon {
	t.Helper()
	script := `mount -t tmpfs none /mnt && mknod -m 666 /mnt/fuse c 10 229 && mount --bind /mnt/fuse /dev/fuse && exec "$@"`
	args := append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh", program, "serve"}, flags...)
	d := startProgram(t, ns, "unshare", append(args, dir)...)
	d.dir = fmt.Sprintf("/proc/%d/root%s", d.cmd.Process.Pid, dir)
	d.await("the tree is mounted", func() bool {
		_, err := os.Stat(filepath.Join(d.dir, "log"))
		return err == nil
	})
	return d
}
