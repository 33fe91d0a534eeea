package nbd

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// load keeps requests in flight on a store, no two of them for the same place, and knows what each place holds.
type load struct {
	o      *owner
	s      *Store
	model  []byte
	data   [][]byte // of each request in flight
	place  []int
	busy   map[int]bool
	writes []bool
	rand   *rand.Rand
	done   int
}

const loadBlock = 4096

func newLoad(t testing.TB, s *Store, depth int) *load {
	l := &load{o: newOwner(t), s: s, model: make([]byte, s.SizeBytes()), busy: map[int]bool{}, rand: rand.New(rand.NewPCG(3, 4)),
		data: make([][]byte, depth), place: make([]int, depth), writes: make([]bool, depth)}
	for i := range l.data {
		l.data[i] = make([]byte, loadBlock)
	}
	return l
}

func (l *load) submit(i int) {
	p := l.rand.IntN(len(l.model) / loadBlock)
	for l.busy[p] {
		p = l.rand.IntN(len(l.model) / loadBlock)
	}
	l.busy[p], l.place[i], l.writes[i] = true, p, l.rand.IntN(2) == 0
	op := disk.Read
	if l.writes[i] {
		op = disk.Write
		copy(l.data[i], noise(l.rand.Uint64(), 64))
	}
	l.o.q.Submit(l.s, op, l.data[i], int64(p)*loadBlock, uint64(i))
}

// run works until stop says so, then until nothing is in flight.
func (l *load) run(t testing.TB, stop func() bool) {
	tokens, errs := make([]uint64, len(l.data)), make([]error, len(l.data))
	for i := range l.data {
		l.submit(i)
	}
	flying, stopped := len(l.data), false
	for flying > 0 {
		n := l.o.q.Reap(tokens, errs)
		for j := range n {
			i := int(tokens[j])
			l.check(t, i, errs[j])
			delete(l.busy, l.place[i])
			flying--
			if stopped = stopped || stop(); !stopped {
				l.submit(i)
				flying++
			}
		}
		if n == 0 && !l.o.q.Sleep() {
			select {
			case <-l.o.woke:
			case <-time.After(60 * time.Second):
				t.Errorf("%d requests hang", flying)
				return
			}
			l.o.q.Awake()
		}
	}
}

func (l *load) check(t testing.TB, i int, err error) {
	place := l.model[l.place[i]*loadBlock:][:loadBlock]
	l.done++
	switch {
	case err != nil:
		t.Errorf("request %d: %v", l.done, err)
	case l.writes[i]:
		copy(place, l.data[i])
	case !bytes.Equal(place, l.data[i]):
		t.Errorf("request %d: a read of place %d does not bring what was written", l.done, l.place[i])
	}
}

func imageFile(t testing.TB, size int) string {
	path := filepath.Join(t.TempDir(), "image")
	must(t, os.WriteFile(path, make([]byte, size), 0o600))
	return path
}

// TestRestartUnderLoad ends the server again and again, with and without warning, while requests are in flight: none fails,
// and none is lost.
func TestRestartUnderLoad(t *testing.T) {
	for name, args := range map[string][]string{
		"several connections": {"file"},
		"one connection":      {"--filter=multi-conn", "file", "multi-conn-mode=disable"},
		"delays":              {"--filter=delay", "file", "rdelay=2ms", "wdelay=2ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, uri := nbdkit(t, append(args, imageFile(t, 8<<20))...)
			s := open(t, uri, Options{})
			l := newLoad(t, s, 16)
			var over atomic.Bool
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				l.run(t, over.Load)
			}()
			for round := range 6 {
				time.Sleep(100 * time.Millisecond)
				if round%2 == 0 {
					server.end()
				} else {
					server.terminate()
				}
				until(t, "the outage is seen", func() bool { return s.Outage() != "" })
				if !strings.Contains(s.Note(), "server") {
					t.Errorf("the note of an outage is %q", s.Note())
				}
				server.begin()
				until(t, "the server is back", func() bool { return s.Outage() == "" })
			}
			over.Store(true)
			<-ended
			t.Logf("%d requests; %s", l.done, describe(s))
			all := make([]byte, len(l.model))
			must(t, newOwner(t).do(s, disk.Read, all, 0))
			if !bytes.Equal(all, l.model) {
				t.Error("the export is not what was written")
			}
		})
	}
}

// TestConnectionsBreak breaks one connection of several, while requests are in flight: what it had is sent over others.
func TestConnectionsBreak(t *testing.T) {
	socket := socketPath(t) // nbdkit 1.32 ends with a failed assertion, sooner or later, when its clients do this
	start(t, socket, "qemu-nbd", "-t", "-f", "raw", "-k", socket, "--shared=0", imageFile(t, 8<<20))
	s := open(t, "nbd+unix:///?socket="+socket, Options{})
	connected := func() bool { return len(*s.live.Load()) == Connections }
	until(t, "all connections", connected)
	l := newLoad(t, s, 64)
	var over atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run(t, over.Load)
	}()
	for i := range 40 {
		if live := *s.live.Load(); len(live) > 0 {
			live[i%len(live)].breakUp()
		}
		time.Sleep(5 * time.Millisecond)
	}
	over.Store(true)
	<-ended
	until(t, "all connections again", connected)
}

// TestLongOutage has requests meet no server for longer than the store's patience: they end with EAGAIN, later ones at once,
// and nothing of them is written when the server is back.
func TestLongOutage(t *testing.T) {
	image := imageFile(t, 1<<20)
	server, uri := nbdkit(t, "file", image)
	s, o := open(t, uri, Options{Policy: disk.Durable}), newOwner(t)
	s.mu.Lock()
	s.patience = 100 * time.Millisecond
	s.mu.Unlock()
	server.end()
	until(t, "the outage is seen", func() bool { return s.Outage() != "" })
	for range 3 {
		if err := o.do(s, disk.Write, noise(1, 4096), 4096); err != unix.EAGAIN {
			t.Errorf("a write without a server: %v", err)
		}
	}
	if err := o.do(s, disk.Write, noise(1, 100), 4096+1); err != unix.EAGAIN {
		t.Errorf("a write of parts of sectors without a server: %v", err)
	}
	if err := s.Flush(); err == nil {
		t.Error("a flush without a server succeeds")
	}
	server.begin()
	until(t, "the server is back", func() bool { return s.Outage() == "" })
	got := make([]byte, 1<<20)
	must(t, o.do(s, disk.Read, got, 0))
	if !bytes.Equal(got, make([]byte, 1<<20)) {
		t.Error("a write that was given up was written")
	}
	must(t, o.do(s, disk.Write, noise(1, 4096), 4096))
}

// TestCloseInOutage closes a store that has no server, and a queue with requests that wait for one.
func TestCloseInOutage(t *testing.T) {
	server, uri := nbdkit(t, "memory", "1M")
	s, o := open(t, uri, Options{}), newOwner(t)
	server.end()
	until(t, "the outage is seen", func() bool { return s.Outage() != "" })
	token := o.submit(s, disk.Read, make([]byte, 512), 0)
	o.q.Push()
	must(t, s.Close())
	o.reap(1)
	if o.errs[token] != disk.ErrClosed {
		t.Errorf("a read of a closed store: %v", o.errs[token])
	}
	must(t, s.Close())
}

// TestExportChanges has the server come back with another export under the name: larger, in larger blocks, read-only.
func TestExportChanges(t *testing.T) {
	image := imageFile(t, 1<<20)
	server, uri := nbdkit(t, "file", image)
	s, o := open(t, uri, Options{}), newOwner(t)
	again := func(args ...string) {
		t.Helper()
		server.end()
		until(t, "the outage is seen", func() bool { return s.Outage() != "" })
		server.args = append(server.args[:4:4], args...)
		server.begin()
		until(t, "the server is back", func() bool { return s.Outage() == "" })
	}
	must(t, os.Truncate(image, 2<<20))
	again("file", image)
	if size, err := s.Refresh(); size != 2<<20 || err != nil {
		t.Errorf("grown to %d bytes: %v", size, err)
	}
	must(t, o.do(s, disk.Write, noise(1, 512), 2<<20-512))
	token := o.submit(s, disk.Write, noise(2, 512), 512) // for the server that was there
	again("--filter=blocksize-policy", "file", image, "blocksize-minimum=4096", "blocksize-preferred=4096", "blocksize-maximum=65536", "blocksize-error-policy=error")
	o.reap(1)
	if o.errs[token] != unix.EAGAIN {
		t.Errorf("a write that the new server takes with its whole block only: %v", o.errs[token])
	}
	must(t, o.do(s, disk.Write, noise(2, 512), 512))
	again("-r", "file", image)
	if err := o.do(s, disk.Write, noise(2, 512), 0); err != unix.EROFS || !s.ReadOnly() {
		t.Errorf("a write to what became read-only: %v", err)
	}
	got := make([]byte, 512)
	must(t, o.do(s, disk.Read, got, 512))
	if !bytes.Equal(got, noise(2, 512)) {
		t.Error("what was written before is not there")
	}
}
