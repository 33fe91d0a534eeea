package interop

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNBD exports a qcow2 image and a memory disk through nbdkit. nbdkit is stopped and started while the client works on file
// systems of both: it sees no error.
//
//	q.qcow2 ─ qemu-nbd ──────┐
//	          nbdkit memory ─┴─ sockets ─ nbdkit nbd, twice ─ sockets ─ vbladefs ─ AoE ─ guest
//
// What has the bytes lives on, the memory disk's being gone with its process; what is stopped is the nbdkit that the daemon is
// connected to. The memory disk itself is held up besides (SIGSTOP), as by a machine that swaps.
func TestNBD(t *testing.T) {
	const mtu, sizeBytes = 9000, 48 << 20
	need(t, "nbdkit", "qemu-nbd", "qemu-img", "e2fsck", "debugfs")
	binary := build(t)
	r := newRig(t, mtu)
	dir, err := os.MkdirTemp("", "nbd") // of a path short enough for a socket's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	image := filepath.Join(dir, "q.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", image, "48M").CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	qcow2 := startServer(t, r, dir, "qcow2", "qemu-nbd", "-t", "-f", "qcow2", "--shared=0", "-k", "SOCKET", image)
	memory := startServer(t, r, dir, "memory", "nbdkit", "-f", "-U", "SOCKET", "memory", "48M")
	fronts := []*server{
		startServer(t, r, dir, "front1", "nbdkit", "-f", "-U", "SOCKET", "nbd", "socket="+qcow2.socket),
		startServer(t, r, dir, "front2", "nbdkit", "-f", "-U", "SOCKET", "nbd", "socket="+memory.socket),
	}
	exports := []export{{"e0.1", disk{sizeBytes: sizeBytes}, framePayload(mtu), 0}, {"e0.2", disk{sizeBytes: sizeBytes}, framePayload(mtu), 0}}

	d := startDaemon(t, r, binary)
	d.echo(t, "add nbd+unix:///?socket="+fronts[0].socket+" 0 1 eth0", "aoeserver")
	d.echo(t, "add memory nbd+unix:///?socket="+fronts[1].socket, "vblade/drives")
	d.echo(t, "add eth0 0 2", "vblade/memory/ports")
	if !t.Run("discovery", func(t *testing.T) { checkDiscovery(t, r, exports...); checkSize(t, r, exports...) }) {
		t.FailNow()
	}
	r.run(t, "dmesg -c >/dev/null")
	loads := []*load{startLoad(t, r, exports[0]), startLoad(t, r, exports[1])}
	for _, l := range loads {
		r.run(t, keptFiles, l.dir)
	}
	goOn := func() {
		t.Helper()
		for _, l := range loads {
			l.goesOn(t)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		for i, f := range fronts {
			f.end(t, sig)
			d.awaits(t, exports[i].name, "down")
			f.begin(t)
			d.awaits(t, exports[i].name, "up")
		}
		goOn()
	}
	memory.signal(t, syscall.SIGSTOP)
	time.Sleep(2 * time.Second)
	memory.signal(t, syscall.SIGCONT)
	goOn()
	var sums []string
	for _, l := range loads {
		sums = append(sums, r.run(t, "cd %s; (cd mnt/kept; sha256sum *) >now; cmp sums now; cat now", l.dir))
		l.stop(t) // and looks at the file system
	}
	t.Run("retransmits", func(t *testing.T) { reportRetransmits(t, r) })
	t.Run("no client error", func(t *testing.T) { checkCalm(t, r); checkComplaints(t, r) })
	d.stop(t)
	for _, f := range fronts {
		f.end(t, syscall.SIGTERM)
	}
	qcow2.end(t, syscall.SIGTERM)
	t.Run("the image", func(t *testing.T) { checkQcow2(t, image, filepath.Join(dir, "raw"), sums[0]) })
}

// keptFiles are written once, and must be there at the end.
const keptFiles = `
	cd %s
	mkdir mnt/kept
	for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=mnt/kept/$i bs=100k count=$i 2>/dev/null; done
	sync
	(cd mnt/kept; sha256sum *) >sums`

// awaits waits until the port of an address is in a state.
func (d *daemon) awaits(t *testing.T, name, state string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.HasPrefix(d.cat(t, "targets/"+name+"/ports/eth0/state"), state); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s is not %s", name, state)
		}
	}
}

// checkQcow2: the image is whole, and so is the file system in it, with the client's files.
func checkQcow2(t *testing.T, image, raw, sums string) {
	for _, args := range [][]string{{"qemu-img", "check", "-q", image}, {"qemu-img", "convert", "-O", "raw", image, raw}, {"e2fsck", "-fn", raw}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
	}
	files := 0
	for line := range strings.Lines(sums) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := exec.Command("debugfs", "-R", "cat /kept/"+name, raw).Output()
		if err != nil || sumOf(content) != sum {
			t.Errorf("/kept/%s has sum %s in the image and %s in the client; %v", name, sumOf(content), sum, err)
		}
		files++
	}
	if files != 8 {
		t.Errorf("%d files, not 8", files)
	}
}

// server is an NBD server that a test ends and begins.
type server struct {
	r      *rig
	name   string
	socket string
	args   []string
	cmd    *exec.Cmd
	exited chan error
}

// startServer runs a server on a socket, whose path takes the place of SOCKET, until the test ends.
func startServer(t *testing.T, r *rig, dir, name string, args ...string) *server {
	t.Helper()
	s := &server{r: r, name: name, socket: filepath.Join(dir, name), args: args}
	for i, arg := range args {
		if arg == "SOCKET" {
			args[i] = s.socket
		}
	}
	t.Cleanup(func() { s.end(t, syscall.SIGKILL) })
	s.begin(t)
	return s
}

func (s *server) begin(t *testing.T) {
	t.Helper()
	_ = os.Remove(s.socket)
	s.cmd, s.exited = exec.CommandContext(s.r.ctx, s.args[0], s.args[1:]...), make(chan error, 1)
	log, err := os.OpenFile(filepath.Join(s.r.artifacts, s.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	started := make(chan error, 1)
	go func(cmd *exec.Cmd, exited chan<- error) {
		runtime.LockOSThread() // nbdkit 1.32 ends with the thread that started it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if started <- err; err == nil {
			exited <- cmd.Wait()
		}
	}(s.cmd, s.exited)
	if err := <-started; err != nil {
		s.cmd = nil
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("unix", s.socket)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q does not listen: %v\n%s", s.args, err, readLog(s.r, s.name+".log"))
		}
	}
}

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Errorf("%s: %v: %v\n%s", s.name, sig, err, readLog(s.r, s.name+".log"))
	}
}

// end ends the server with a signal; it must have been there until now.
func (s *server) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	s.signal(t, sig)
	if err := <-s.exited; err != nil && sig == syscall.SIGTERM {
		t.Logf("%s: %v\n%s", s.name, err, readLog(s.r, s.name+".log"))
	}
	s.cmd = nil
}
