package nbd

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// forgetful is an nbdkit that has what it acknowledged in a cache of its own until a flush: SIGKILL loses it.
func forgetful(t testing.TB, image string) (*server, string) {
	return nbdkit(t, "--filter=cache", "file", image, "cache=writeback")
}

// TestServersCacheIsLost kills a server with a cache of its own again and again, under load: nothing that was acknowledged is lost.
func TestServersCacheIsLost(t *testing.T) {
	server, uri := forgetful(t, imageFile(t, 8<<20))
	s := open(t, uri, Options{})
	l := newLoad(t, s, 16)
	var over atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run(t, over.Load)
	}()
	for range 5 {
		time.Sleep(100 * time.Millisecond)
		server.end()
		until(t, "the outage is seen", func() bool { return s.Outage() != "" })
		server.begin()
		until(t, "the server is back", func() bool { return s.Outage() == "" })
	}
	over.Store(true)
	<-ended
	t.Logf("%d requests", l.done)
	server.end() // with nothing in flight
	until(t, "the outage is seen", func() bool { return s.Outage() != "" })
	server.begin()
	all := make([]byte, len(l.model))
	must(t, newOwner(t).do(s, disk.Read, all, 0))
	if !bytes.Equal(all, l.model) {
		t.Error("the export is not what was written")
	}
	must(t, s.Flush())
	if s.log.any() {
		t.Errorf("%d bytes are kept after a flush", s.log.bytes.Load())
	}
}

// TestWhatIsDoneAgain mixes writes that are durable and not, zeros and trims of the same places, flushes, and deaths of the server:
// the last one holds.
func TestWhatIsDoneAgain(t *testing.T) {
	server, uri := forgetful(t, imageFile(t, 1<<20))
	s, o := open(t, uri, Options{}), newOwner(t)
	const places = 8
	model, r := make([]byte, places*4096), rand.New(rand.NewPCG(8, 9))
	for round := range 12 {
		for range 20 {
			place := r.IntN(places)
			at := int64(place) * 4096
			part := model[at : at+4096]
			switch r.IntN(5) {
			case 0:
				clear(part)
				must(t, o.doRange(s, disk.WriteZeroes, at, 4096))
			case 1:
				copy(part, noise(r.Uint64(), 4096))
				must(t, o.do(s, disk.WriteDurable, bytes.Clone(part), at))
			case 2:
				must(t, o.do(s, disk.Flush, nil, 0))
			default:
				copy(part[512:], noise(r.Uint64(), 512))
				must(t, o.do(s, disk.Write, bytes.Clone(part[512:1024]), at+512))
			}
		}
		server.end()
		until(t, "the outage is seen", func() bool { return s.Outage() != "" })
		server.begin()
		got := make([]byte, len(model))
		must(t, o.do(s, disk.Read, got, 0))
		if !bytes.Equal(got, model) {
			t.Fatalf("round %d: what was written is not there", round)
		}
	}
}

// TestLossIsTold has a server come back too late, and another that takes no more writes: the next flush fails, and only that.
func TestLossIsTold(t *testing.T) {
	image := imageFile(t, 1<<20)
	for name, c := range map[string]struct {
		args        []string
		remembrance time.Duration
		note        string
	}{
		"too late":       {[]string{"--filter=cache", "file", image, "cache=writeback"}, time.Nanosecond, "its server was away for"},
		"another export": {[]string{"--filter=error", "file", image, "error-pwrite-rate=100%"}, time.Minute, "did not take changes"},
	} {
		t.Run(name, func(t *testing.T) {
			server, uri := forgetful(t, image)
			s, o := open(t, uri, Options{}), newOwner(t)
			s.mu.Lock()
			s.remembrance = c.remembrance
			s.mu.Unlock()
			must(t, o.do(s, disk.Write, noise(1, 4096), 0))
			server.end()
			until(t, "the outage is seen", func() bool { return s.Outage() != "" })
			server.args = append(server.args[:4:4], c.args...)
			server.begin()
			until(t, "the server is back", func() bool { return s.Outage() == "" })
			if !strings.Contains(s.Note(), c.note) {
				t.Errorf("the note is %q", s.Note())
			}
			if err := o.do(s, disk.Flush, nil, 0); err != unix.EIO {
				t.Errorf("the first flush: %v", err)
			}
			must(t, o.do(s, disk.Flush, nil, 0))
			if s.Note() != "" {
				t.Errorf("after it was told, the note is %q", s.Note())
			}
		})
	}
}

// TestFailedFlushOfOurs fails a flush that no initiator asked for: the next one that does fails.
func TestFailedFlushOfOurs(t *testing.T) {
	flag := imageFile(t, 0)
	must(t, os.Remove(flag))
	_, uri := nbdkit(t, "sh", failingFlushes(t, flag))
	s, o := open(t, uri, Options{}), newOwner(t)
	must(t, o.do(s, disk.Write, noise(1, 4096), 0))
	must(t, os.WriteFile(flag, nil, 0o600))
	s.expire() // as in some seconds
	until(t, "the flush has failed", func() bool { return s.log.loss() != "" })
	must(t, os.Remove(flag))
	if err := s.Flush(); err == nil {
		t.Error("a flush succeeds although what it is for may be lost")
	}
	must(t, s.Flush())
	if n := s.Losses(); n != 1 {
		t.Errorf("%d losses are known, want 1", n)
	}
	must(t, os.WriteFile(flag, nil, 0o600))
	if err := s.Flush(); err == nil || s.Losses() != 2 {
		t.Errorf("%d losses are known after a flush that the server failed: %v", s.Losses(), err)
	}
}

// TestDurableWritesHearOfLosses has changes be lost between a durable write to a server without FUA and the flush that is to make
// it so, and another be told first: the write fails.
func TestDurableWritesHearOfLosses(t *testing.T) {
	_, uri := nbdkit(t, "sh", failingFlushes(t, imageFile(t, 0)+".none"))
	s := open(t, uri, Options{Policy: disk.Durable})
	w := worker{c: &s.compound, s: s, e: s.export.Load()}
	err := w.durably(true, func(bool) error {
		s.log.lose("its server has lost them")
		if s.Flush() == nil {
			t.Error("nobody is told")
		}
		return nil
	})
	if err != unix.EIO {
		t.Errorf("a durable write that is lost: %v", err)
	}
}

// failingFlushes is a server that fails flushes while a file is there.
func failingFlushes(t *testing.T, flag string) string {
	path := imageFile(t, 0)
	must(t, os.WriteFile(path, fmt.Appendf(nil, `#!/bin/sh
case "$1" in
get_size) echo 1048576;;
can_write|can_flush) exit 0;;
can_fua) echo none;;
flush) if [ -e %s ]; then echo EIO no >&2; exit 1; fi;;
pread) head -c "$3" /dev/zero;;
pwrite) cat >/dev/null;;
*) exit 2;;
esac
`, flag), 0o600))
	must(t, os.Chmod(path, 0o700))
	return path
}

// TestWritesWaitForAFlush writes more than a store keeps: a flush makes room, and all goes on.
func TestWritesWaitForAFlush(t *testing.T) {
	_, uri := nbdkit(t, "memory", "256M")
	s, o := open(t, uri, Options{}), newOwner(t)
	data := noise(1, 64<<10)
	most := int64(0)
	for i := range 4096 {
		o.submit(s, disk.Write, data, int64(i)*int64(len(data)))
		if i%16 == 15 {
			o.reap(16)
			most = max(most, s.log.bytes.Load())
		}
	}
	for token, err := range o.errs {
		if err != nil {
			t.Fatalf("write %d: %v", token, err)
		}
	}
	if limit := int64(unflushedMost + 16*(len(data)+unflushedCost)); most > limit || most == 0 {
		t.Errorf("%d bytes were kept, at most %d may be", most, limit)
	}
	must(t, s.Flush())
	if s.log.any() {
		t.Errorf("%d bytes are kept after a flush", s.log.bytes.Load())
	}
}

// TestNoRoom has a write come while nothing more can be kept: it is sent when there is room.
func TestNoRoom(t *testing.T) {
	_, uri := nbdkit(t, "memory", "1M")
	s, o := open(t, uri, Options{}), newOwner(t)
	s.log.bytes.Add(unflushedMost)
	write := o.submit(s, disk.Write, noise(2, 512), 0)
	o.q.Push()
	if s.waits.Load() != 1 {
		t.Error("a write is sent although there is no room to keep it")
	}
	s.log.bytes.Add(-unflushedMost)
	s.dispatch()
	o.reap(1)
	must(t, o.errs[write])
}

// TestOneConnectionIsLost breaks each connection in turn while the others and the server live, with nothing to be done again: there
// are as many again.
func TestOneConnectionIsLost(t *testing.T) {
	_, uri := nbdkit(t, "memory", "1M")
	s := open(t, uri, Options{})
	all := func() bool { return len(*s.live.Load()) == Connections }
	until(t, "all connections are there", all)
	for _, c := range *s.live.Load() {
		c.breakUp()
		until(t, "all connections are there again", func() bool { return !slices.Contains(*s.live.Load(), c) && all() })
	}
}

// TestSlowServerIsHeardOut has a connection end for another's sake while the server takes its time: what it has got it answers, or it
// might be written again late.
func TestSlowServerIsHeardOut(t *testing.T) {
	t.Parallel()
	_, uri := nbdkit(t, "--filter=delay", "memory", "1M", "wdelay=2")
	s := open(t, uri, Options{})
	c, err := s.connect()
	must(t, err)
	c.start()
	var l list
	k := &call{op: disk.Write, data: noise(1, 512), length: 512, done: make(chan struct{}, 1)}
	l.push(k)
	c.send(&l)
	c.retire()
	if left, err := c.wait(); left.length > 0 || k.err != nil {
		t.Errorf("%d requests are left, %v: %v", left.length, err, k.err)
	}
}
