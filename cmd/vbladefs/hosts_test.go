package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// deadTime is how long a client tries, as Linux does.
const deadTime = 180 * time.Second

// host is a machine that can export a disk which others can export, too: a daemon, and the NBD server that it has the disk from.
type host struct {
	t      *testing.T
	ns     netiotest.Netns
	d      *daemon
	flags  []string
	mount  string
	mac    string
	server *nbdServer
	add    string // what kvblade/add takes to export it; aoeserver would announce it to nobody
}

// newHost starts a daemon in ns, whose disk server is at uri.
func newHost(t *testing.T, ns netiotest.Netns, server *nbdServer, uri string, flags ...string) *host {
	t.Helper()
	h := &host{t: t, ns: ns, mount: mountDir(t), mac: macOf(t, ns), server: server, add: "7 1 eth0 " + uri,
		flags: append([]string{"-state", t.TempDir()}, flags...)}
	h.begin()
	return h
}

func (h *host) begin() {
	h.t.Helper()
	h.d = serveOn(h.t, h.ns, h.mount, h.flags...)
}

// dies ends everything of the host at once, as if its power had failed.
func (h *host) dies() {
	h.t.Helper()
	h.server.end(syscall.SIGKILL) // first, with all that it has not written: what it acknowledged may reach the client yet
	h.d.stop(syscall.SIGKILL)
	h.ns.Run("ip", "link", "set", "eth0", "down")
	_ = syscall.Unmount(h.mount, syscall.MNT_DETACH)
}

// comesBack starts the host again, with what it saved.
func (h *host) comesBack() {
	h.t.Helper()
	h.ns.Run("ip", "link", "set", "eth0", "up")
	h.ns.AwaitRunning("eth0")
	h.server.begin()
	h.begin()
}

// port is the state of its port.
func (h *host) port() string {
	h.t.Helper()
	return h.d.read("targets/e7.1/ports/eth0/state")
}

// failOver has host b take the export of a over, and a come back, under the load of a client that knows what every
// sector may hold. between is done after a has died.
func failOver(t *testing.T, client netiotest.Netns, a, b *host, between func()) {
	t.Helper()
	a.d.echo(a.add, "kvblade/add")
	c := connect(t, client, "eth0")
	v := loadOf(c, 16, initiator.Options{Timeout: deadTime, Follow: true}, aoe.Addr{Shelf: 7, Slot: 1})
	v.goesOn(500)
	if errno := b.d.tryTaken(b.add, "kvblade/add", "7 1 eth0"); errno != "EADDRINUSE" || !strings.Contains(b.d.lastEvent(), a.mac) {
		t.Errorf("while the first host lives, the second gets %q, and its log says %s", errno, b.d.lastEvent())
	}
	v.goesOn(100)
	a.dies()
	died := time.Now()
	between()
	b.d.echo(b.add+" force", "kvblade/add")
	v.goesOn(uint64(len(v.jobs)))
	back := time.Since(died)
	v.goesOn(500)
	a.comesBack()
	a.d.await("its port is down, since another host answers", func() bool { return strings.Contains(a.port(), b.mac) })
	v.goesOn(500)
	if got := a.port(); !strings.HasPrefix(got, "down ") || b.port() != "up\n" {
		t.Errorf("the ports are %q and %q, want the first down", got, b.port())
	}
	v.check()
	if moves := v.exports[0].Engine().Counters().Moves; moves != 1 {
		t.Errorf("the client has moved %d times, want once", moves)
	}
	t.Logf("the second host served %v after the first had died", back.Round(time.Millisecond))
}

// bothAtOnce has the first host serve the address, too, by force, which each of them must say; then the second leaves.
func bothAtOnce(t *testing.T, client netiotest.Netns, a, b *host) {
	t.Helper()
	a.d.echo("7 1 eth0", "kvblade/del")
	a.d.echo(a.add+" force", "kvblade/add")
	awaitConflict(a, b)
	awaitConflict(b, a)
	want := readAll(t, connect(t, client, "eth0").open("7.1"))
	b.d.echo("7 1 eth0", "kvblade/del")
	for _, f := range connect(t, client, "eth0").discovers("7.1") {
		if f.MAC.String() != a.mac {
			t.Errorf("%v answers, want %s", f.MAC, a.mac)
		}
	}
	checkBytes(t, "the first host again", readAll(t, connect(t, client, "eth0").open("7.1")), want)
}

// awaitConflict waits until h says that other serves its address, too.
func awaitConflict(h, other *host) {
	h.t.Helper()
	h.d.await("it shows the conflict", func() bool { return strings.HasPrefix(h.d.read("targets/e7.1/conflicts"), other.mac+" eth0 ") })
}

// nbdBy starts, with command, a qemu-nbd that serves on a Unix socket what args say, with their format, until the test ends.
func nbdBy(t *testing.T, command func(name string, args ...string) *exec.Cmd, args ...string) (s *nbdServer, uri string) {
	t.Helper()
	need(t, "qemu-nbd")
	socket := filepath.Join(mountDir(t), "s")
	t.Cleanup(func() { _ = os.Remove(socket) })
	s = &nbdServer{t: t, ready: filepath.Join(t.TempDir(), "pid")}
	s.command = func() *exec.Cmd {
		_ = os.Remove(socket)
		return command("qemu-nbd", append([]string{"-t", "--shared=0", "--pid-file", s.ready, "-k", socket}, args...)...)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	s.begin()
	return s, "nbd+unix:///?socket=" + socket
}

// TestTwoHosts has two hosts with one disk serve it one after the other: docs/scale.md, "Two hosts, one image".
func TestTwoHosts(t *testing.T) {
	for _, c := range []struct{ policy, cache string }{{"durable", "writeback"}, {"direct", "none"}} {
		t.Run(c.policy, func(t *testing.T) {
			t.Parallel()
			client, a, b := twoHosts(t, c.policy, c.cache)
			failOver(t, client, a, b, func() {})
			bothAtOnce(t, client, a, b)
		})
	}
}

// twoHosts makes a client and two hosts with one file, by a server for each.
func twoHosts(t *testing.T, policy, cache string) (client netiotest.Netns, a, b *host) {
	t.Helper()
	nodes := segment(t, 3)
	path, _ := image(t, mib)
	file := fmt.Sprintf("driver=raw,file.driver=file,file.filename=%s,file.locking=off", path) // the servers share it
	var hosts []*host
	for _, ns := range nodes[1:] {
		server, uri := nbdBy(t, exec.Command, "--image-opts", "--cache="+cache, file)
		hosts = append(hosts, newHost(t, ns, server, uri, "-cache", policy))
	}
	return nodes[0], hosts[0], hosts[1]
}

// TestHostCutOff: while the first host lives but is cut off, the second needs no force; when the first can be reached again
// both serve, and both say so.
func TestHostCutOff(t *testing.T) {
	t.Parallel()
	client, a, b := twoHosts(t, "direct", "none")
	a.d.echo(a.add, "kvblade/add")
	v := loadOf(connect(t, client, "eth0"), 16, initiator.Options{Timeout: deadTime, Follow: true}, aoe.Addr{Shelf: 7, Slot: 1})
	v.goesOn(500)
	a.ns.Run("ip", "link", "set", "eth0", "down")
	a.d.await("what it had taken is done", func() bool {
		return strings.HasPrefix(a.port(), "down ") && strings.Contains(a.d.read("targets/e7.1/stats"), "\nin_flight 0\n")
	})
	b.d.await("nobody answers any more", func() bool { return b.d.tryEcho(b.add, "kvblade/add") == "" })
	v.goesOn(500)
	v.check()
	a.ns.Run("ip", "link", "set", "eth0", "up")
	awaitConflict(a, b)
	awaitConflict(b, a)
	if log := a.d.read("log"); !strings.Contains(log, "error conflict: 7.1 is served here on eth0, and "+b.mac+" answers for it, too") {
		t.Errorf("the first host's log does not tell of the conflict:\n%s", log)
	}
}
