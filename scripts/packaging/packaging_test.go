// Package packaging tries the Debian packages that deb.sh makes, and the units in
// them, on a fresh Debian with systemd as its first process: its services run with
// all of their sandbox. Nothing of this machine is changed.
package packaging

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

const top = "../.."

// built are the packages of a version, by name, and the folder of its programs.
type built struct{ programs, vbladefs, daemons string }

// packagesDir has a folder for each version that was built.
var packagesDir string

func TestMain(m *testing.M) {
	var err error
	if packagesDir, err = os.MkdirTemp("", "vbladefs-packages-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(packagesDir)
	os.Exit(code)
}

// build makes the packages of a version, unless they are there.
func build(t *testing.T, version string) (b built) {
	t.Helper()
	b.programs = filepath.Join(packagesDir, version)
	t.Setenv("DEB_COMPRESSION", "gzip") // xz takes minutes on a busy machine
	out := run(t, 5*time.Minute, "make", "-s", "-C", top, "deb", "BIN="+b.programs, "DEBDIR="+b.programs, "VERSION="+version, "DEBVERSION="+version)
	for _, path := range strings.Fields(out) {
		if name := filepath.Base(path); strings.HasPrefix(name, "vbladefs_") {
			b.vbladefs = path
		} else if strings.HasPrefix(name, "vbladefs-daemons_") {
			b.daemons = path
		}
	}
	if b.vbladefs == "" || b.daemons == "" {
		t.Fatalf("make deb says %q", out)
	}
	return b
}

// site is the fresh machine, and another host on its network.
type site struct {
	*machine
	there netiotest.Netns
	bench string // aoebench
}

func newSite(t *testing.T, bench string) *site {
	t.Helper()
	here, there := netiotest.Pair(t, 9000)
	return &site{start(t, here), there, bench}
}

// install puts packages onto the machine.
func (s *site) install(packages ...string) string {
	s.t.Helper()
	command := "dpkg -i"
	for _, path := range packages {
		s.put(path, "/root/"+filepath.Base(path))
		command += " /root/" + filepath.Base(path)
	}
	return s.do(command)
}

// exported waits until the other host finds these addresses.
func (s *site) exported(addrs ...string) {
	s.t.Helper()
	s.await(fmt.Sprintf("%v are found", addrs), func() bool {
		out, _ := s.there.Command(s.bench, "-i", "eth0", "--discover").Output()
		for _, addr := range addrs {
			if !strings.Contains("\n"+string(out), "\n"+addr+" ") {
				return false
			}
		}
		return true
	})
}

// loopDevice is a disk that the machine has, too.
func (s *site) loopDevice() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "disk.img")
	if err := os.WriteFile(path, make([]byte, 8<<20), 0o600); err != nil {
		s.t.Fatal(err)
	}
	unlock, err := netiotest.LoopLock()
	if err != nil {
		s.t.Fatal(err)
	}
	defer unlock() // which run may not get to
	device := strings.TrimSpace(run(s.t, patience, "losetup", "-f", "--show", path))
	s.t.Cleanup(func() { run(s.t, patience, "losetup", "-d", device) })
	var stat unix.Stat_t
	if err := unix.Stat(device, &stat); err != nil {
		s.t.Fatal(err)
	}
	if err := unix.Mknod(s.root+device, unix.S_IFBLK|0o600, int(stat.Rdev)); err != nil {
		s.t.Fatal(err)
	}
	return device
}

// load is a verified load from the other host; its result is told once it has ended.
func (s *site) load(addr string, runtime time.Duration) (result func()) {
	s.t.Helper()
	cmd := s.there.Command(s.bench, "-i", "eth0", "-t", addr, "--rw", "randrw", "--verify", "--depth", "8", "--sleep",
		"--runtime", runtime.String(), "--timeout", "30s")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() {
		s.t.Helper()
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("the load on %s: %v\n%s", addr, err, out.String())
		}
	}
}

// needs ends the test where it cannot run.
func needs(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root")
	}
	for _, name := range []string{"mmdebstrap", "dpkg-deb", "unshare", "nsenter", "losetup"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, name+" (scripts/setup.sh packaging)")
		}
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		missing(t, "/dev/fuse (modprobe fuse)")
	}
}

// TestPackage installs, exports, upgrades under load, and removes.
func TestPackage(t *testing.T) {
	needs(t)
	first, second := build(t, "1.0"), build(t, "1.1")
	s := newSite(t, filepath.Join(first.programs, "aoebench"))

	s.install(first.vbladefs, first.daemons)
	if state := s.show("vbladefs", "ActiveState") + " " + s.show("vbladefs", "UnitFileState"); state != "active enabled" {
		t.Errorf("installed, the service is %s", state)
	}
	s.checkSandbox()
	device := s.loopDevice()
	s.do("truncate -s 16M /srv/disk.img && echo add /srv/disk.img 0 1 eth0 > /run/vbladefs/aoeserver")
	s.do("echo add " + device + " 0 2 eth0 > /run/vbladefs/aoeserver")
	s.exported("e0.1", "e0.2")
	if out, err := s.try("truncate -s 1M /root/hidden.img; echo add /root/hidden.img 0 3 eth0 > /run/vbladefs/aoeserver"); err == nil {
		t.Errorf("the sandbox lets a file of /root be exported: %s", out)
	}

	s.upgrade(second)
	s.brokenUpgrade(second)
	s.watchdog()
	s.personalities()
	s.remove(second)
}

// checkSandbox holds the running daemon to what the unit promises.
func (s *site) checkSandbox() {
	s.t.Helper()
	status := s.do("cat /proc/" + s.show("vbladefs", "MainPID") + "/status")
	for _, want := range []string{"\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n", "\nCapBnd:\t0000008000203002\n"} {
		if !strings.Contains(status, want) {
			s.t.Errorf("the daemon's status has no %q:\n%s", want, status)
		}
	}
}

// upgrade installs another version while initiators work.
func (s *site) upgrade(to built) {
	s.t.Helper()
	before := s.show("vbladefs", "MainPID")
	s.do("echo VBLADEFS_OPTIONS= > /etc/default/vbladefs") // the administrator's file, which stays
	loads := []func(){s.load("e0.1", 5*time.Second), s.load("e0.2", 5*time.Second)}
	time.Sleep(time.Second) // they are under way
	s.install(to.vbladefs, to.daemons)
	for _, load := range loads {
		load()
	}
	after := s.show("vbladefs", "MainPID")
	if after == before || s.show("vbladefs", "NRestarts") != "0" || s.show("vbladefs", "ActiveState") != "active" {
		s.t.Errorf("process %s before, %s after, %s restarts", before, after, s.show("vbladefs", "NRestarts"))
	}
	if exe := s.do("readlink /proc/" + after + "/exe"); exe != "/usr/sbin/vbladefs" {
		s.t.Errorf("the process runs %s", exe)
	}
	if text := s.do("journalctl --no-pager -q -u vbladefs"); !strings.Contains(text, "took over from process "+before+", version 1.0") {
		s.t.Errorf("nobody took over:\n%s", text)
	}
	if text := s.do("cat /etc/default/vbladefs"); text != "VBLADEFS_OPTIONS=" {
		s.t.Errorf("the administrator's file is %q", text)
	}
	s.checkSandbox()
	s.do("cat /run/vbladefs/aoeserver")
}

// brokenUpgrade has a program come that does not work: the reload fails, and the
// daemon goes on.
func (s *site) brokenUpgrade(to built) {
	s.t.Helper()
	before := s.show("vbladefs", "MainPID")
	s.do("cd /usr/sbin && printf '#!/bin/sh\nexit 7\n' > new && chmod 755 new && mv vbladefs kept && mv new vbladefs")
	if out, err := s.try("systemctl reload vbladefs"); err == nil {
		s.t.Errorf("the reload succeeded: %s", out)
	}
	if after := s.show("vbladefs", "MainPID"); after != before || s.show("vbladefs", "ActiveState") != "active" {
		s.t.Errorf("process %s before, %s after", before, after)
	}
	s.do("mv /usr/sbin/kept /usr/sbin/vbladefs && systemctl reload vbladefs")
	s.exported("e0.1", "e0.2")
}

// watchdog has the daemon hang: systemd starts another.
func (s *site) watchdog() {
	s.t.Helper()
	s.do("mkdir -p /run/systemd/system/vbladefs.service.d && printf '[Service]\nWatchdogSec=3\nTimeoutAbortSec=3\n' > /run/systemd/system/vbladefs.service.d/watchdog.conf")
	s.do("systemctl daemon-reload && systemctl restart vbladefs")
	before := s.show("vbladefs", "MainPID")
	time.Sleep(5 * time.Second)
	if after := s.show("vbladefs", "MainPID"); after != before {
		s.t.Errorf("one that is alive was ended: %s", s.do("journalctl --no-pager -q -u vbladefs"))
	}
	s.do("kill -STOP " + before)
	s.await("another daemon serves", func() bool {
		return s.show("vbladefs", "MainPID") != before && s.show("vbladefs", "ActiveState") == "active"
	})
	if s.show("vbladefs", "NRestarts") != "1" {
		s.t.Errorf("%s restarts", s.show("vbladefs", "NRestarts"))
	}
	s.exported("e0.1", "e0.2")
	s.do("cat /run/vbladefs/README && rm -r /run/systemd/system/vbladefs.service.d && systemctl daemon-reload")
}

// personalities starts the services of the other daemons, and has them read their
// files again.
func (s *site) personalities() {
	s.t.Helper()
	s.do(`mkdir -p /etc/vblade.conf.d && truncate -s 4M /srv/1.img /srv/2.img /srv/3.img
printf "shelf=1\nslot=1\nnetif=eth0\nfilename=/srv/1.img\noptions='-r'\n" > /etc/vblade.conf.d/one.conf
printf '[defaults]\ninterfaces = eth0\n[two]\npath = /srv/2.img\nshelf = 1\nslot = 2\n' > /etc/ggaoed.conf
printf 'default { shelf = 1; slot = 3; interface = eth0; }\ndevice { target = /srv/3.img; }\n' > /etc/qaoed.conf`)
	units := "vbladefs-vblade@one vbladefs-ggaoed vbladefs-qaoed"
	s.do("systemctl start " + units)
	for _, unit := range strings.Fields(units) {
		if state, status := s.show(unit, "ActiveState"), s.show(unit, "StatusText"); state != "active" || status == "" {
			s.t.Errorf("%s is %s, %q", unit, state, status)
		}
	}
	s.exported("e1.1", "e1.2", "e1.3")
	s.do(`truncate -s 4M /srv/4.img; printf '[four]\npath = /srv/4.img\nshelf = 1\nslot = 4\n' >> /etc/ggaoed.conf`)
	s.do("systemctl reload vbladefs-ggaoed vbladefs-qaoed")
	s.exported("e1.1", "e1.2", "e1.3", "e1.4")
	s.do("ggaoectl show-config > /dev/null")
	s.do("systemctl stop " + units)
	for _, unit := range strings.Fields(units) {
		if state := s.show(unit, "ActiveState"); state != "inactive" {
			s.t.Errorf("stopped, %s is %s", unit, state)
		}
	}
}

// remove removes the packages, installs them anew, and purges them.
func (s *site) remove(of built) {
	s.t.Helper()
	s.do("dpkg -r vbladefs-daemons vbladefs")
	if out, _ := s.try("pgrep -x vbladefs; ls -d /run/vbladefs*; cat /proc/1/mountinfo | grep vbladefs"); strings.Contains(out, "fuse.vbladefs") {
		s.t.Errorf("removed, there is still: %s", out)
	}
	s.do("test -s /var/lib/vbladefs/state")
	s.install(of.vbladefs)
	s.exported("e0.1", "e0.2")
	s.do("dpkg -P vbladefs")
	left := s.do("find / -xdev -name '*vbladefs*' ! -path '/root/*' ! -path '/srv/*'; systemctl list-units --all --no-legend 'vbladefs*'; ls /run | grep vbladefs || :")
	if left != "" {
		s.t.Errorf("purged, there is still:\n%s", left)
	}
}
