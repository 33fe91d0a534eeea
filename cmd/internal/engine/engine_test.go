package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/disk"
	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

func TestOperationsAreNumberedAlike(t *testing.T) {
	for ours, theirs := range map[target.Op]disk.Op{target.OpRead: disk.Read, target.OpWrite: disk.Write,
		target.OpWriteDurable: disk.WriteDurable, target.OpFlush: disk.Flush} {
		if disk.Op(ours) != theirs {
			t.Errorf("target operation %d is disk operation %d", ours, theirs)
		}
	}
}

// TestQueueNoteIsLoggedOnce is about a machine without io_uring.
func TestQueueNoteIsLoggedOnce(t *testing.T) {
	var logged bytes.Buffer
	log := logrus.New()
	log.SetOutput(&logged)
	var kinds []string
	open := queueOpener(Options{Log: log}, func(kind string) (disk.Queue, string, error) {
		kinds = append(kinds, kind)
		q, _, err := disk.NewQueue("sync")
		return q, "threads it is", err
	})
	for range 3 {
		q, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(logged.String(), "threads it is"); n != 1 || strings.Join(kinds, " ") != "auto auto auto" {
		t.Errorf("the note of queues %q was logged %d times, want once", kinds, n)
	}
}

var exported = aoe.Addr{Shelf: 0, Slot: 1}

// exportOn serves an image of size bytes as e0.1 on one end of a veth pair of
// the given MTU, and returns the target, the image and an initiator's view from the other end.
func exportOn(t testing.TB, o Options, mtu, size int) (*target.Target, string, *initiator.Export) {
	t.Helper()
	ours, theirs := netiotest.Pair(t, mtu)
	image := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(image, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	o.Log, o.Spin = log, target.DefaultSpin
	tgt := New(o)
	t.Cleanup(func() {
		if err := tgt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ours.Do(func() {
		if err := tgt.Do(target.Export{Path: image, Addr: exported, Interface: netiotest.Netif}); err != nil {
			t.Fatal(err)
		}
	})
	var l netio.Link
	var local initiator.Local
	theirs.Do(func() {
		info, err := netio.Lookup(netiotest.Netif)
		if err != nil {
			t.Fatal(err)
		}
		local = initiator.Local{MAC: info.MAC, MTU: info.MTU}
		if l, err = netio.Open(netiotest.Netif, netio.Options{Replies: true}); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	i, err := initiator.New(l, local)
	if err != nil {
		t.Fatal(err)
	}
	x, err := i.Open(exported, initiator.Options{Window: 16, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return tgt, image, x
}

func TestReadsAndWritesReachTheFile(t *testing.T) {
	for _, link := range []string{"ring", "raw", "xdp"} {
		for _, mtu := range []int{1500, 9000} {
			t.Run(link, func(t *testing.T) { testReadsAndWrites(t, link, mtu) })
		}
	}
}

// requireLink fails unless every interface is served by a link of that kind.
func requireLink(t testing.TB, tgt *target.Target, kind string) {
	t.Helper()
	for _, i := range tgt.Interfaces() {
		if i.Link != kind {
			t.Fatalf("interface %s is served by a %q link, want %s", i.Name, i.Link, kind)
		}
	}
}

func testReadsAndWrites(t *testing.T, link string, mtu int) {
	const size = 4 << 20
	tgt, image, x := exportOn(t, Options{Link: link}, mtu, size)
	requireLink(t, tgt, link)
	if x.Size() != size {
		t.Fatalf("size %d, want %d", x.Size(), size)
	}
	want := make([]byte, 1<<20)
	_, _ = rand.Read(want)
	const at = 12345 * 3 // no sector, no block boundary
	if _, err := x.WriteAt(want, at); err != nil {
		t.Fatal(err)
	}
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := x.ReadAt(got, at); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("what was read is not what was written")
	}
	stored, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored[at:at+len(want)], want) {
		t.Error("the file does not hold what was written")
	}
	if p, _ := tgt.Port(exported, netiotest.Netif); p.Stats.Dropped != 0 || p.Stats.Errors != 0 || p.Stats.InFlight != 0 {
		t.Errorf("statistics of a quiet link: %+v", p.Stats)
	}
}
