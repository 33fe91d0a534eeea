package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// nbdKind is how one of the programs is told what it shall serve.
type nbdKind struct {
	args         []string // before all others, and before the file that tells that it is ready
	ready        string
	socket, host string // before the path of a socket, and an address
	file         []string
}

var nbdKinds = map[string]nbdKind{
	"qemu-nbd": {[]string{"-t", "-f", "raw", "--shared=0"}, "--pid-file", "-k", "-b", nil},
	"nbdkit":   {[]string{"-f"}, "-P", "-U", "-i", []string{"file"}},
}

// onNBDServers runs a test with each of them.
func onNBDServers(t *testing.T, test func(t *testing.T, nbd string)) {
	t.Parallel()
	for nbd := range nbdKinds {
		t.Run(nbd, func(t *testing.T) {
			t.Parallel()
			test(t, nbd)
		})
	}
}

// nbdServer is one that a test starts and ends.
type nbdServer struct {
	t       *testing.T
	command func() *exec.Cmd
	ready   string // file that it makes when it takes connections
	cmd     *exec.Cmd
	said    *output
	waited  chan struct{} // closed when it has ended
}

// newNBD starts the program nbd, with command, until the test ends. It serves the file at path, where place says.
func newNBD(t *testing.T, command func(name string, args ...string) *exec.Cmd, nbd string, place []string, path string, more ...string) *nbdServer {
	t.Helper()
	need(t, nbd)
	s, kind := &nbdServer{t: t, ready: filepath.Join(t.TempDir(), "pid")}, nbdKinds[nbd]
	args := slices.Concat(kind.args, []string{kind.ready, s.ready}, place, more, kind.file, []string{path})
	s.command = func() *exec.Cmd { return command(nbd, args...) }
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	s.begin()
	return s
}

// begin starts the server, and returns when it takes connections.
func (s *nbdServer) begin() {
	s.t.Helper()
	_ = os.Remove(s.ready)
	s.cmd, s.said, s.waited = s.command(), &output{}, make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	started := make(chan error, 1)
	go s.run(started)
	if err := <-started; err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(s.ready); err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("%q does not listen: %s", s.cmd.Args, s.said)
		}
	}
}

// run keeps the thread that starts the server as long as that runs: nbdkit 1.32 asks, without --exit-with-parent too, for a
// SIGTERM when its parent ends (PR_SET_PDEATHSIG), which is this thread for the kernel, and threads that were in a namespace end.
func (s *nbdServer) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := s.cmd.Start()
	started <- err
	if err == nil {
		_ = s.cmd.Wait()
	}
	close(s.waited)
}

// end ends the server with a signal. nbdkit 1.32 may end with a failed assertion, whatever its clients do.
func (s *nbdServer) end(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	<-s.waited
	if sig == syscall.SIGTERM && !s.cmd.ProcessState.Success() {
		s.t.Logf("after SIGTERM the server ends with %v", s.cmd.ProcessState)
	}
	if s.t.Failed() {
		s.t.Logf("the server ended with %v and said: %s", s.cmd.ProcessState, s.said)
	}
	s.cmd = nil
}

// nbdOnSocket serves a file on a Unix socket.
func nbdOnSocket(t *testing.T, nbd, path string, more ...string) (s *nbdServer, uri string) {
	t.Helper()
	socket := filepath.Join(mountDir(t), "s")
	t.Cleanup(func() { _ = os.Remove(socket) })
	s = newNBD(t, func(name string, args ...string) *exec.Cmd {
		_ = os.Remove(socket)
		return exec.Command(name, args...)
	}, nbd, []string{nbdKinds[nbd].socket, socket}, path, more...)
	return s, "nbd+unix:///?socket=" + socket
}

// nbdInNamespace serves it in ns, on its loopback interface.
func nbdInNamespace(t *testing.T, ns netiotest.Netns, nbd, path string) (s *nbdServer, uri string) {
	t.Helper()
	ns.Do(func() {
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
	return newNBD(t, ns.Command, nbd, []string{nbdKinds[nbd].host, "127.0.0.1"}, path), "nbd://127.0.0.1/"
}

// An NBD server goes and comes under a load that knows what every sector may
// hold, and under other names besides: no request fails, nothing is lost, and the
// tree says that the export is down as long as it is.
func TestNBDServerRestarts(t *testing.T) { onNBDServers(t, nbdServerRestarts) }

func nbdServerRestarts(t *testing.T, nbd string) {
	here, there := netiotest.Pair(t, 9000)
	path, _ := image(t, mib)
	server, uri := nbdOnSocket(t, nbd, path)
	d := serve(t, here)
	d.echo("add "+uri+" 0 1 eth0", "aoeserver")
	d.echo("0 2 eth0 "+uri, "kvblade/add")
	d.echo("add third "+uri, "vblade/drives")
	d.echo("add eth0 0 3", "vblade/third/ports")
	if port := d.read("targets/e0.1/ports/eth0/state"); port != "up\n" {
		t.Errorf("the port is %q", port)
	}
	v := loadOn(t, there, "eth0", 16, aoe.Addr{Slot: 1})
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		v.goesOn(200)
		server.end(sig)
		d.await("the export is down", func() bool {
			return strings.HasPrefix(d.read("targets/e0.1/ports/eth0/state"), "down drive s is down: its server") &&
				strings.HasPrefix(d.read("vblade/third/state"), "down its server") &&
				strings.Contains(d.read("targets/status"), "drive s is down: its server")
		})
		server.begin()
		d.await("the export is up", func() bool { return d.read("vblade/third/state") == "up\n" })
	}
	v.goesOn(200)
	v.check()
	d.echo("0 2 eth0", "kvblade/del")
}

// What is exported from an NBD server is kept, comes back with the daemon even
// if the server comes later, and grows when the server comes back with more.
func TestNBDStateAndSize(t *testing.T) { onNBDServers(t, nbdStateAndSize) }

func nbdStateAndSize(t *testing.T, nbd string) {
	here, there := netiotest.Pair(t, 1500)
	path, disk := image(t, mib)
	server, uri := nbdInNamespace(t, here, nbd, path)
	state, mount := t.TempDir(), mountDir(t)
	d := serveOn(t, here, mount, "-state", state)
	d.echo("add net "+uri, "vblade/drives")
	d.echo("durable", "vblade/net/cache")
	d.echo("add eth0 3 4", "vblade/net/ports")
	saved := d.read("saved")
	if !strings.Contains(saved, uri) {
		t.Errorf("the state has no %s:\n%s", uri, saved)
	}
	checkBytes(t, "over NBD", readAll(t, connect(t, there, "eth0").open("3.4")), disk)
	d.stop(syscall.SIGKILL)
	server.end(syscall.SIGKILL)
	d = serveOn(t, here, mount, "-state", state)
	if got := d.read("vblade/net/state"); !strings.HasPrefix(got, "down ") || !strings.Contains(got, "refused") {
		t.Errorf("the drive without its server is %q", got)
	}
	if err := os.Truncate(path, 2*mib); err != nil {
		t.Fatal(err)
	}
	server.begin()
	d.await("the drive is up", func() bool { return d.read("vblade/net/state") == "up\n" })
	if now := d.read("saved"); now != saved {
		t.Errorf("before:\n%s\nafter:\n%s", saved, now)
	}
	d.await("its port is up", func() bool { return d.read("targets/e3.4/ports/eth0/state") == "up\n" })
	if x := connect(t, there, "eth0").open("3.4"); x.Size() != 2*mib {
		t.Errorf("%d bytes", x.Size())
	}
	server.end(syscall.SIGKILL)
	if err := os.Truncate(path, 3*mib); err != nil {
		t.Fatal(err)
	}
	server.begin()
	d.await("it has grown", func() bool {
		return strings.Contains(d.stderr.String(), fmt.Sprintf("grew from %d to %d", 2*mib/512, 3*mib/512))
	})
}

// A new daemon takes an NBD export over under load.
func TestNBDTakeover(t *testing.T) { onNBDServers(t, nbdTakeover) }

func nbdTakeover(t *testing.T, nbd string) {
	here, there := netiotest.Pair(t, 9000)
	path, _ := image(t, mib)
	_, uri := nbdOnSocket(t, nbd, path)
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	d.echo("add "+uri+" 0 1 eth0", "aoeserver")
	v := loadOn(t, there, "eth0", 16, aoe.Addr{Slot: 1})
	v.goesOn(100)
	d = d.takenOver(here, program, state)
	v.goesOn(100)
	v.check()
	d.check()
}

// vblade, and a daemon with no rights of its own, export from an NBD server.
func TestNBDPersonality(t *testing.T) { onNBDServers(t, nbdPersonality) }

func nbdPersonality(t *testing.T, nbd string) {
	here, there := netiotest.Pair(t, 1500)
	path, disk := image(t, mib)
	_, uri := nbdInNamespace(t, here, nbd, path)
	v := start(t, here, "vblade", "5", "6", "eth0", uri)
	checkBytes(t, "vblade", readAll(t, connect(t, there, "eth0").open("5.6")), disk)
	v.stop(syscall.SIGTERM)
	dir := mountDir(t)
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	d := serveAs(t, here, dir, "-user", "nobody", "-state=")
	d.echo("add "+uri+" 5 7 eth0", "aoeserver")
	checkBytes(t, "-user", readAll(t, connect(t, there, "eth0").open("5.7")), disk)
}

// What is no export is refused, with an errno, and with words in the log.
func TestNBDRefusals(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	path, _ := image(t, mib)
	_, uri := nbdOnSocket(t, "qemu-nbd", path, "-r")
	d := serve(t, here)
	for _, c := range []struct{ uri, errno, reason string }{
		{"nbd://", "EINVAL", "want a host"},
		{"nbd+unix:///x", "EINVAL", "the absolute path of a socket"},
		{"nbd://127.0.0.1/?tls-type=psk", "EINVAL", "only x509"},
		{"nbd+unix:///?socket=/no/such/socket", "ENOENT", "start its server"},
	} {
		if errno := d.tryEcho("add drive "+c.uri, "vblade/drives"); errno != c.errno || !strings.Contains(d.lastEvent(), c.reason) {
			t.Errorf("%s: %s, and the log says %s; want %s, %s", c.uri, errno, d.lastEvent(), c.errno, c.reason)
		}
	}
	d.echo("add drive "+uri+" auto", "vblade/drives")
	if got := d.read("vblade/drive/readonly"); got != "1\n" {
		t.Errorf("readonly of a read-only export is %q", got)
	}
	if errno := d.tryEcho("0", "vblade/drive/readonly"); errno != "EROFS" {
		t.Errorf("made writable: %s", errno)
	}
}
