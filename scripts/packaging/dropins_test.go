package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// dropIn is the drop-in that a document has, for the program where the package puts it.
func dropIn(t *testing.T, document string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", document))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```ini\n(\\[Service\\]\n.+?)```").FindStringSubmatch(string(text))
	if found == nil {
		t.Fatalf("%s has no drop-in", document)
	}
	return strings.ReplaceAll(found[1], "/usr/local/sbin/", "/usr/sbin/")
}

// reconfigure has the service run with a drop-in alone.
func (s *site) reconfigure(text string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "drop-in.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.do("systemctl stop vbladefs; rm -rf /etc/systemd/system/vbladefs.service.d; mkdir -p /etc/systemd/system/vbladefs.service.d")
	s.put(file, "/etc/systemd/system/vbladefs.service.d/override.conf")
	if out, err := s.try("systemctl daemon-reload && systemctl start vbladefs"); err != nil {
		s.t.Fatalf("with\n%s\nit does not start: %s\n%s", text, out, s.do("journalctl --no-pager -q -u vbladefs"))
	}
	if state := s.show("vbladefs", "ActiveState"); state != "active" {
		s.t.Fatalf("with\n%s\nit is %s", text, state)
	}
}

// background runs a server until the end of the test.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// nbdServers start one on a Unix socket of the machine, and one on its loopback interface.
func (s *site) nbdServers(here netiotest.Netns) {
	s.t.Helper()
	background(s.t, exec.Command("nbdkit", "-f", "-U", s.root+"/srv/nbd.sock", "memory", "8M"))
	s.do("ip link set lo up")
	background(s.t, here.Command("nbdkit", "-f", "-i", "127.0.0.1", "-p", "10809", "memory", "8M"))
	s.await("both servers are there", func() bool {
		_, err := s.try("test -S /srv/nbd.sock && bash -c ': < /dev/tcp/127.0.0.1/10809'")
		return err == nil
	})
}

// TestDropIns runs the service with the drop-ins of the documents: for exports of NBD servers, metrics and another user.
func TestDropIns(t *testing.T) {
	needs(t)
	if _, err := exec.LookPath("nbdkit"); err != nil {
		missing(t, "nbdkit (scripts/setup.sh)")
	}
	of := build(t, "1.0")
	here, there := netiotest.Pair(t, 9000)
	s := &site{start(t, here), there, filepath.Join(of.programs, "aoebench")}
	s.install(of.vbladefs)
	s.nbdServers(here)
	const tcp = "echo add nbd://127.0.0.1/ 0 2 eth0 > /run/vbladefs/aoeserver"
	s.do("echo add 'nbd+unix:///?socket=/srv/nbd.sock' 0 1 eth0 > /run/vbladefs/aoeserver")
	if out, err := s.try(tcp); err == nil {
		t.Errorf("the sandbox lets the daemon connect: %s", out)
	}

	s.reconfigure(dropIn(t, "scale.md"))
	s.do(tcp)
	s.exported("e0.1", "e0.2")
	s.load("e0.1", time.Second)()
	s.load("e0.2", time.Second)()
	s.do("printf 'del 0 1 eth0\\ndel 0 2 eth0\\n' | sed 's/del \\(.\\) \\(.\\) eth0/\\1 \\2 eth0/' | while read -r line; do echo \"$line\" > /run/vbladefs/kvblade/del; done")

	s.reconfigure(dropIn(t, "watch.md"))
	s.do("truncate -s 8M /srv/disk.img && echo add /srv/disk.img 0 3 eth0 > /run/vbladefs/aoeserver")
	s.exported("e0.3")
	if text := s.do(`bash -c 'exec 3<>/dev/tcp/127.0.0.1/9736; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; cat <&3'`); !strings.Contains(text, `vbladefs_export_up{drive="disk.img",export="e0.3"} 1`) &&
		!strings.Contains(text, `export="e0.3"`) {
		t.Errorf("metrics: %.2000s", text)
	}

	s.deviceList()
	s.lockedMemory()

	s.do("systemctl stop vbladefs; install -d -o vbladefs -m 700 /var/lib/vbladefs && chown -R vbladefs /var/lib/vbladefs /srv/disk.img")
	s.reconfigure(dropIn(t, "privileges.md"))
	s.exported("e0.3")
	s.load("e0.3", time.Second)()
	if owner := s.do("stat -c %U /proc/" + s.show("vbladefs", "MainPID")); owner != "vbladefs" {
		t.Errorf("the daemon is %s's", owner)
	}
	s.do("truncate -s 8M /srv/more.img && chown vbladefs /srv/more.img && echo add /srv/more.img 0 4 eth0 > /run/vbladefs/aoeserver")
	s.do("systemctl restart vbladefs")
	s.exported("e0.3", "e0.4")
	s.reload("e0.3", "e0.4")
}

// reload has the program as it is on the disk take over twice while initiators work.
func (s *site) reload(addrs ...string) {
	s.t.Helper()
	owner := s.do("stat -c %U /proc/" + s.show("vbladefs", "MainPID"))
	var loads []func()
	for _, addr := range addrs {
		loads = append(loads, s.load(addr, 5*time.Second))
	}
	time.Sleep(time.Second) // they are under way
	for range 2 {
		before := s.show("vbladefs", "MainPID")
		s.do("systemctl reload vbladefs")
		after := s.show("vbladefs", "MainPID")
		if after == before || s.show("vbladefs", "NRestarts") != "0" || s.show("vbladefs", "ActiveState") != "active" {
			s.t.Errorf("process %s before, %s after, %s restarts", before, after, s.show("vbladefs", "NRestarts"))
		}
		if now := s.do("stat -c %U /proc/" + after); now != owner {
			s.t.Errorf("the daemon was %s's and is %s's", owner, now)
		}
		s.do("cat /run/vbladefs/aoeserver")
	}
	for _, load := range loads {
		load()
	}
}

// lockedMemory: buffers are registered with io_uring where the machine lets LimitMEMLOCK be what the unit says, and
// with CAP_IPC_LOCK in any case; otherwise the log has the limit that there is.
func (s *site) lockedMemory() {
	s.t.Helper()
	for _, allowed := range []bool{false, true} {
		text := "[Service]\n"
		if allowed {
			text += "CapabilityBoundingSet=CAP_IPC_LOCK\n"
		}
		s.reconfigure(text)
		s.exported("e0.3")
		pid := s.show("vbladefs", "MainPID")
		limit := s.do("sed -n 's/^Max locked memory *\\([^ ]*\\).*/\\1/p' /proc/" + pid + "/limits")
		complaint := s.do("journalctl --no-pager -q _PID=" + pid + " | grep 'direct I/O is slower' || :")
		if enough := allowed || limit == "unlimited"; enough != (complaint == "") || !enough && !strings.Contains(complaint, "the limit of locked memory is "+limit+" bytes") {
			s.t.Errorf("CAP_IPC_LOCK %t, limit %s, and the log says %q", allowed, limit, complaint)
		}
	}
}

// deviceList has the unit name one disk: the daemon can open that one, and no other.
func (s *site) deviceList() {
	s.t.Helper()
	listed, other := s.loopDevice(), s.loopDevice()
	s.reconfigure("[Service]\nDeviceAllow=\nDeviceAllow=/dev/fuse rw\nDeviceAllow=" + listed + " rw\n")
	s.do("echo add " + listed + " 0 5 eth0 > /run/vbladefs/aoeserver")
	s.exported("e0.5")
	out, err := s.try("echo add " + other + " 0 6 eth0 > /run/vbladefs/aoeserver")
	if log := s.do("tail -n 1 /run/vbladefs/log"); err == nil || !strings.Contains(log, other+": operation not permitted") {
		s.t.Errorf("a disk that is not on the list: %v %s, log: %s", err, out, log)
	}
	s.do("echo del " + listed + " 0 5 eth0 > /run/vbladefs/aoeserver")
}
