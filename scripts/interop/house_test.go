package interop

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vbladefs/scripts/vm"
)

// house is where daemons run with the paths that their files and command lines name: a view of the file system with a
// /dev, /run, /tmp, /var/lib and /usr/local of its own, and no interface but the rig's eth0 and lo. Whoever is in it works
// in /srv/san, where links to the program are. All processes in it end with the test, however well they hide.
//
//	/srv/vbladefs  the program    /srv/san  links, configuration files    /srv/syslog  what /dev/log leads to
type house struct {
	r      *rig
	dir    string // /srv, as it is called outside
	init   *exec.Cmd
	syslog *syslogd
}

// houseSetUp makes the house's view. Its arguments after the folder are words NAME=DEVICE: /dev/NAME is that device.
const houseSetUp = `set -e
	mount --bind "$1" /srv
	shift
	mkdir /srv/dev
	mount -t tmpfs -o mode=755 house /srv/dev
	cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/fuse /srv/dev/
	for word; do cp -aL "${word#*=}" "/srv/dev/${word%%=*}"; done
	ln -s /srv/syslog /srv/dev/log
	mount --move /srv/dev /dev
	mount -t tmpfs -o mode=1777 house /tmp
	for dir in /var/lib /usr/local /run; do mount -t tmpfs -o mode=755 house $dir; done
	cd /srv/san
	/srv/vbladefs install-links . >/dev/null
	touch /srv/ready
	while sleep 1000; do :; done`

// newHouse makes a house for as long as the test runs. devices are paths /dev/NAME and the disks behind them.
func newHouse(t *testing.T, r *rig, binary string, devices map[string]disk) *house {
	t.Helper()
	h := &house{r: r, dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(h.dir, "san"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(binary, filepath.Join(h.dir, "vbladefs")); err != nil {
		t.Fatal(err)
	}
	h.syslog = startSyslog(t, filepath.Join(h.dir, "syslog"))
	args := []string{"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
		"sh", "-c", houseSetUp, "sh", h.dir}
	for path, disk := range devices {
		args = append(args, strings.TrimPrefix(path, "/dev/")+"="+disk.loop)
	}
	h.init = r.net.Command(r.ctx, "unshare", args...)
	h.init.SysProcAttr.Pdeathsig = syscall.SIGKILL
	exited := make(chan error, 1)
	start(t, r, h.init, "house.log", exited)
	t.Cleanup(func() {
		h.init.Process.Kill()
		<-exited
		os.WriteFile(filepath.Join(r.artifacts, "syslog"), []byte(h.syslog.String()), 0o644)
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(h.dir, "ready")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no house: %s", readLog(r, "house.log"))
		}
	}
	if err := r.net.IP(fmt.Sprintf("link set %s netns %d", vm.TargetIf, h.init.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	h.types(t, "ip link set lo up; ip link set eth0 addrgenmode none; ip link set eth0 up")
	return h
}

// command is a shell script in the house.
func (h *house) command(script string) *exec.Cmd {
	pid := h.init.Process.Pid
	return h.r.net.Command(h.r.ctx, "nsenter", fmt.Sprintf("--net=/proc/%d/ns/net", pid), fmt.Sprintf("--mount=/proc/%d/ns/mnt", pid),
		fmt.Sprintf("--pid=/proc/%d/ns/pid_for_children", pid), "sh", "-c", "cd /srv/san && "+script)
}

// types runs a command line that has to end well, and returns what it says.
func (h *house) types(t *testing.T, line string) string {
	t.Helper()
	out, err := h.command(line).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s\nsyslog:\n%s", line, err, out, h.syslog)
	}
	return string(out)
}

// file writes a file into /srv/san.
func (h *house) file(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(h.dir, "san", name)
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// shell is a command line that stays in the foreground of a terminal.
type shell struct {
	h      *house
	line   string
	log    string // among the artifacts
	pid    string // in the house
	exited chan error
}

// stays runs a command line that does not end, and waits until it has said something.
func (h *house) stays(t *testing.T, log, line, said string) *shell {
	t.Helper()
	s := &shell{h: h, line: line, log: log, exited: make(chan error, 1)}
	cmd := h.command("echo $$ >" + log + ".pid; exec " + line)
	start(t, h.r, cmd, log, s.exited)
	s.awaits(t, said)
	s.pid = strings.TrimSpace(h.types(t, "cat "+log+".pid"))
	return s
}

// says is all that it has said.
func (s *shell) says() string {
	text, _ := os.ReadFile(filepath.Join(s.h.r.artifacts, s.log))
	return string(text)
}

func (s *shell) awaits(t *testing.T, said string) {
	t.Helper()
	s.awaitsMore(t, said, 0)
}

// awaitsMore waits until it has said something more than so many times.
func (s *shell) awaitsMore(t *testing.T, said string, times int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); strings.Count(s.says(), said) <= times; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-s.exited:
			s.exited <- err
			t.Fatalf("%s ended: %v\n%s", s.line, err, s.says())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not say %q for a minute:\n%s", s.line, said, s.says())
		}
	}
}

// signal sends it one, such as HUP.
func (s *shell) signal(t *testing.T, name string) {
	t.Helper()
	s.h.types(t, "kill -"+name+" "+s.pid)
}

// stop ends it with SIGTERM and returns how it ended.
func (s *shell) stop(t *testing.T) error {
	t.Helper()
	s.signal(t, "TERM")
	select {
	case err := <-s.exited:
		s.exited <- err
		return err
	case <-time.After(time.Minute):
		t.Fatalf("%s runs on a minute after SIGTERM:\n%s", s.line, s.says())
		return nil
	}
}

// processOf is the process that was started by a command line, in the background.
func (h *house) processOf(t *testing.T, line string) string {
	t.Helper()
	out := strings.Fields(h.types(t, fmt.Sprintf(
		`for i in $(seq 300); do found=$(for p in /proc/[0-9]*; do [ "$(tr '\0' ' ' <$p/cmdline)" != '%s ' ] || echo ${p#/proc/}; done 2>/dev/null)
[ -z "$found" ] || break; sleep 0.1; done; echo $found`, line)))
	if len(out) != 1 {
		t.Fatalf("processes of %q: %v, not one\nsyslog:\n%s", line, out, h.syslog)
	}
	return out[0]
}

// end ends a process in the background and waits for it.
func (h *house) end(t *testing.T, pid string) {
	t.Helper()
	h.endBy(t, "TERM", pid)
}

func (h *house) endBy(t *testing.T, signal, pid string) {
	t.Helper()
	h.types(t, fmt.Sprintf("kill -%s %s; for i in $(seq 600); do [ -e /proc/%[2]s ] || exit 0; sleep 0.1; done; exit 1", signal, pid))
}

// syslogd hears what is said to a socket.
type syslogd struct {
	mu    sync.Mutex
	lines strings.Builder // guarded by mu
}

func startSyslog(t *testing.T, path string) *syslogd {
	t.Helper()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	s := &syslogd{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 64<<10)
		for {
			n, err := socket.Read(b)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.lines.Write(append(b[:n:n], '\n'))
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		socket.Close()
		<-done
	})
	return s
}

func (s *syslogd) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.String()
}

// TestHouse: a process in the house sees its own paths, and none that hides stays.
func TestHouse(t *testing.T) {
	need(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	network, err := vm.NewNetwork(1500)
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	d := newDisk(t, 1<<20)
	hidden := fmt.Sprintf("sleep %d.5", 1000000+os.Getpid())
	t.Run("life", func(t *testing.T) {
		r := &rig{ctx: ctx, net: network, artifacts: t.TempDir()}
		h := newHouse(t, r, build(t), map[string]disk{"/dev/loop3": d})
		if got := h.types(t, "sha256sum </dev/loop3; ls /run /tmp /var/lib /usr/local; ls -l vbladed | grep -o '/srv/.*'"); !strings.HasPrefix(got, d.sum(t)) ||
			!strings.HasSuffix(got, "/run:\n\n/tmp:\n\n/usr/local:\n\n/var/lib:\n/srv/vbladefs\n") {
			t.Errorf("in the house:\n%s", got)
		}
		h.types(t, "setsid "+hidden+" </dev/null >/dev/null 2>&1 &")
		h.end(t, h.processOf(t, hidden))
		h.types(t, "setsid "+hidden+" </dev/null >/dev/null 2>&1 &")
	})
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(all) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	for _, file := range all {
		if line, _ := os.ReadFile(file); strings.ReplaceAll(string(line), "\x00", " ") == hidden+" " {
			t.Errorf("it left %s", file)
		}
	}
}
