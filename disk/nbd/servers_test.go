package nbd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/disk"
)

// need ends the test unless a program is here.
func need(t testing.TB, program, group string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: scripts/setup.sh %s", program, group)
	}
	t.Skipf("%s is missing: scripts/setup.sh %s", program, group)
}

// server is a real server, in a process of its own.
type server struct {
	t    testing.TB
	args []string
	cmd  *exec.Cmd
	said bytes.Buffer
	at   string // socket, or host:port
	unix bool
}

// start runs a server until the test ends; its socket must answer before start returns.
func start(t testing.TB, at string, args ...string) *server {
	t.Helper()
	need(t, args[0], "nbd")
	s := &server{t: t, args: args, at: at, unix: filepath.IsAbs(at)}
	s.begin()
	t.Cleanup(s.end)
	return s
}

func (s *server) begin() {
	s.t.Helper()
	s.said.Reset()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	network := "tcp"
	if s.unix {
		network = "unix"
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial(network, s.at)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			s.end()
			s.t.Fatalf("%q does not listen: %v: %s", s.args, err, s.said.String())
		}
	}
}

// end kills the server, if it runs.
func (s *server) end() {
	if s.cmd != nil {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		_ = s.cmd.Wait()
		s.cmd = nil
	}
	if s.unix {
		_ = os.Remove(s.at)
	}
}

// terminate has the server end by itself.
func (s *server) terminate() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.t.Logf("a server that was told to end: %v: %s", err, s.said.String())
	}
	s.cmd = nil
	_ = os.Remove(s.at)
}

// socketPath is a path short enough for a Unix socket.
func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nbd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// nbdkit runs nbdkit with more arguments on a Unix socket, and returns the URI of its export.
func nbdkit(t testing.TB, args ...string) (*server, string) {
	t.Helper()
	socket := socketPath(t)
	s := start(t, socket, append([]string{"nbdkit", "-f", "-U", socket}, args...)...)
	return s, "nbd+unix:///?socket=" + socket
}

// freePort is a port of the loopback interface that nobody has at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// owner drives a queue as a worker does.
type owner struct {
	t    testing.TB
	q    *Queue
	woke chan struct{}
	next uint64
	errs map[uint64]error // of what was reaped
}

func newOwner(t testing.TB) *owner {
	o := &owner{t: t, woke: make(chan struct{}, 1), errs: map[uint64]error{}}
	o.q = NewQueue(func() {
		select {
		case o.woke <- struct{}{}:
		default:
		}
	})
	t.Cleanup(o.q.Close)
	return o
}

func (o *owner) submit(s *Store, op disk.Op, data []byte, offset int64) (token uint64) {
	o.next++
	o.q.Submit(s, op, data, offset, o.next)
	return o.next
}

// reap waits until n more requests are finished.
func (o *owner) reap(n int) {
	o.t.Helper()
	var tokens [64]uint64
	var errs [64]error
	limit := time.After(60 * time.Second)
	for n > 0 {
		got := o.q.Reap(tokens[:min(n, 64)], errs[:])
		for i := range got {
			o.errs[tokens[i]] = errs[i]
		}
		n -= got
		if n == 0 || got > 0 || o.q.Sleep() {
			continue
		}
		select {
		case <-o.woke:
		case <-limit:
			o.t.Fatalf("%d requests do not finish", n)
		}
		o.q.Awake()
	}
}

// do carries one request out.
func (o *owner) do(s *Store, op disk.Op, data []byte, offset int64) error {
	o.t.Helper()
	token := o.submit(s, op, data, offset)
	o.reap(1)
	return o.errs[token]
}

func (o *owner) doRange(s *Store, op disk.Op, offset, length int64) error {
	o.t.Helper()
	o.next++
	o.q.SubmitRange(s, op, offset, length, o.next)
	o.reap(1)
	return o.errs[o.next]
}

func open(t testing.TB, uri string, o Options) *Store {
	t.Helper()
	s, err := Open(uri, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noise is n bytes that tell their place.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// exercise writes, reads, flushes, zeroes and discards all over an export, and checks what is read each time against a copy.
func exercise(t *testing.T, s *Store, seed uint64, rounds int) {
	t.Helper()
	o := newOwner(t)
	size := int(min(s.SizeBytes()/512*512, 1<<20))
	model := make([]byte, size)
	must(t, o.do(s, disk.Write, model, 0))
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range rounds {
		first := r.IntN(size / 512)
		n := min(1+r.IntN(64), size/512-first) * 512
		at := first * 512
		part := model[at : at+n]
		switch op := r.IntN(6); op {
		case 0, 1, 2:
			copy(part, noise(seed+uint64(i), n))
			kind := disk.Write
			if op == 2 {
				kind = disk.WriteDurable
			}
			must(t, o.do(s, kind, bytes.Clone(part), int64(at)))
		case 3:
			clear(part)
			must(t, o.doRange(s, disk.WriteZeroes, int64(at), int64(n)))
		case 4:
			clear(part)
			must(t, o.doRange(s, disk.Discard, int64(at), int64(n)))
			must(t, o.doRange(s, disk.WriteZeroes, int64(at), int64(n))) // what it reads as is not promised
		case 5:
			must(t, o.do(s, disk.Flush, nil, 0))
		}
		got := noise(0, n)
		must(t, o.do(s, disk.Read, got, int64(at)))
		if !bytes.Equal(got, part) {
			t.Fatalf("round %d: %d bytes from %d on are not what was written", i, n, at)
		}
	}
	all := make([]byte, size)
	must(t, o.do(s, disk.Read, all, 0))
	if !bytes.Equal(all, model) {
		t.Fatal("the export is not what was written")
	}
	must(t, s.Flush())
}

// describe is what a server was found to be.
func describe(s *Store) string {
	e := s.export.Load()
	var words []string
	for flag, word := range map[uint16]string{flagReadOnly: "read-only", flagFlush: "flush", flagFUA: "fua", flagTrim: "trim",
		flagWriteZeroes: "zeroes", flagMultiConn: "multi"} {
		if e.has(flag) {
			words = append(words, word)
		}
	}
	return fmt.Sprintf("%d bytes, blocks %d to %d, structured %t: %s", e.sizeBytes, e.minBlock, e.maxBlock, e.structured, strings.Join(words, " "))
}
