package engine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// TestConversations holds the conversations of package target over real links,
// with real disks: what a target in memory says must come out of the wire too.
func TestConversations(t *testing.T) {
	for _, c := range []struct {
		link    string
		workers int
	}{{"ring", 1}, {"ring", 3}, {"raw", 1}, {"xdp", 1}} {
		t.Run(fmt.Sprintf("%s/workers=%d", c.link, c.workers), func(t *testing.T) {
			t.Parallel()
			targettest.Run(t, "../../../target/testdata", false, func(t testing.TB) targettest.Rig { return newRig(t, c.link, c.workers) })
		})
	}
}

// rig is a targettest.Rig of veth pairs and files.
type rig struct {
	t           testing.TB
	link        string // kind
	log         *logrus.Logger
	target      *target.Target
	here, there netiotest.Netns
	wires       map[string]*wire
	mute        map[string]bool // interfaces too small for the protocol
	dir         string
	marks       []string          // what the marks export, one on each worker
	images      map[string]string // of the disks, by path
}

// newRig moves the calling goroutine into the target's namespace, for good: its
// thread ends with it.
func newRig(t testing.TB, link string, workers int) *rig {
	t.Helper()
	r := &rig{t: t, link: link, here: netiotest.New(t), there: netiotest.New(t), wires: map[string]*wire{}, mute: map[string]bool{},
		dir: t.TempDir(), images: map[string]string{}}
	runtime.LockOSThread()
	f, err := os.Open("/run/netns/" + r.here.Name)
	if err == nil {
		err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range workers {
		r.marks = append(r.marks, r.Disk(fmt.Sprintf("mark%d", i), 1, false))
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	r.log = log
	r.target = New(Options{Link: link, Log: log, Spin: target.DefaultSpin, Workers: workers})
	t.Cleanup(func() {
		if err := r.target.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) Target() *target.Target { return r.target }

func (r *rig) Interface(name string, mtu int) aoe.MAC {
	r.t.Helper()
	fresh := r.wires[name] == nil
	if fresh {
		netiotest.Join(r.here, name, r.there, name, mtu)
		r.wires[name] = openWire(r.t, r.there, name)
	} else {
		r.there.SetMTU(name, mtu)
		r.here.SetMTU(name, mtu)
	}
	info, err := netio.Lookup(name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.target.InterfaceChanged(target.Interface(info))
	if fresh {
		for i, path := range r.marks { // the first devices here: each worker gets one
			r.do(target.Export{Path: path, Addr: mark(i), Interface: name, Quiet: true})
			r.do(target.EditHosts{List: target.AcceptList, Addr: mark(i), Host: markHost})
		}
		requireWorkers(r.t, r.target, name, len(r.marks))
	}
	requireLink(r.t, r.target, r.link)
	r.mute[name] = aoe.Sectors(mtu) == 0
	return info.MAC
}

// requireWorkers ends the test unless links can be shared here.
func requireWorkers(t testing.TB, tgt *target.Target, netif string, want int) {
	t.Helper()
	info, _ := tgt.Interface(netif)
	switch lack := fmt.Sprintf("%s has %d workers, want %d: this needs PACKET_FANOUT_EBPF and CAP_BPF", netif, info.Workers, want); {
	case info.Workers == want:
	case os.Getenv("CI") == "true":
		t.Fatal(lack)
	default:
		t.Skip(lack)
	}
}

func (r *rig) do(op target.Operation) {
	r.t.Helper()
	if err := r.target.Do(op); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) Disk(name string, sectors int, readOnly bool) string {
	r.t.Helper()
	image := filepath.Join(r.dir, name+".img")
	var content bytes.Buffer
	for lba := range sectors {
		content.Write(targettest.Pattern(uint64(lba)))
	}
	if err := os.WriteFile(image, content.Bytes(), 0o600); err != nil {
		r.t.Fatal(err)
	}
	// A link, so that the drive has the disk's name whatever it lies on.
	path, to := filepath.Join(r.dir, name), image
	if readOnly {
		to = loopOf(r.t, image, "-r")
	}
	if err := os.Symlink(to, path); err != nil {
		r.t.Fatal(err)
	}
	r.images[path] = image
	return path
}

func (r *rig) Sectors(path string, lba, n int) []byte {
	r.t.Helper()
	b := make([]byte, n*aoe.SectorSize)
	f, err := os.Open(r.images[path])
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(b, int64(lba)*aoe.SectorSize); err != nil {
		r.t.Fatal(err)
	}
	return b
}

func (r *rig) Send(netif string, frame []byte) { r.wires[netif].send(frame) }

func (r *rig) Collect(netif string, want int) [][]byte {
	return r.wires[netif].collect(want, len(r.marks), r.mute[netif])
}
