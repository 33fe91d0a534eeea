package initiator_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/netio"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// The Debian package vblade is the real peer of these tests.

var vbladeAddr = aoe.Addr{Shelf: 12, Slot: 5}

// startVblade serves a file of random bytes and returns its path and content.
func startVblade(t *testing.T, ns netiotest.Netns, size int, flags ...string) (path string, content []byte) {
	t.Helper()
	program, err := exec.LookPath("vblade")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/vblade")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("vblade is missing: apt-get install vblade")
		}
		t.Skip("vblade is missing: apt-get install vblade")
	}
	path = filepath.Join(t.TempDir(), "disk")
	content = make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{1})
	rnd.Read(content)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := ns.Command(program, append(flags, "12", "5", netiotest.Netif, path)...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("vblade said: %s", output.String())
		}
	})
	return path, content
}

// connect makes an initiator in ns.
func connect(t *testing.T, ns netiotest.Netns, kind string) *initiator.Initiator {
	t.Helper()
	var link netio.Link
	var ifi netio.Interface
	var err error
	ns.Do(func() {
		if ifi, err = netio.Lookup(netiotest.Netif); err == nil {
			link, err = netio.Open(netiotest.Netif, netio.Options{Kind: kind, Replies: true})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	i, err := initiator.New(link, initiator.Local{MAC: ifi.MAC, MTU: ifi.MTU})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestVblade(t *testing.T) {
	for _, c := range []struct {
		kind    string
		mtu     int
		sectors int
	}{{"ring", 9000, 17}, {"ring", 1500, 2}, {"raw", 9000, 17}} {
		t.Run(c.kind+"/"+strings.Repeat("jumbo", c.mtu/9000), func(t *testing.T) {
			a, b := netiotest.Pair(t, c.mtu)
			path, content := startVblade(t, b, 4<<20)
			i := connect(t, a, c.kind)
			x, err := i.Open(vbladeAddr, initiator.Options{FindTimeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if x.Size() != int64(len(content)) || x.SectorsPerFrame != c.sectors || x.Buffers != 16 {
				t.Errorf("size %d, %d sectors per frame, %d buffers", x.Size(), x.SectorsPerFrame, x.Buffers)
			}
			found, err := i.Discover(100 * time.Millisecond)
			if err != nil || len(found) != 1 || found[0].Addr != vbladeAddr || found[0].MAC != x.MAC {
				t.Errorf("discovered %+v, %v", found, err)
			}
			readWrite(t, x, content)
			var ata *initiator.ATAError // vblade knows no FLUSH CACHE EXT
			if err := x.Flush(); !errors.As(err, &ata) || ata.Reg != 4 {
				t.Errorf("flush: %v, want an abort", err)
			}
			if disk, err := os.ReadFile(path); err != nil || !bytes.Equal(disk, content) {
				t.Errorf("the file differs from what was written (%v)", err)
			}
			if n := x.Engine().Counters(); n.Malformed+n.Unexpected+n.Timeouts != 0 || n.ATAErrors != 1 {
				t.Errorf("counters %+v", n)
			}
		})
	}
}

// readWrite reads and writes random ranges and keeps content up to date.
func readWrite(t *testing.T, x *initiator.Export, content []byte) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		p := make([]byte, 1+rnd.IntN(300000))
		off := rnd.IntN(len(content) - len(p))
		if n, err := x.ReadAt(p, int64(off)); n != len(p) || err != nil || !bytes.Equal(p, content[off:off+n]) {
			t.Fatalf("read of %d bytes at %d: %d, %v, or wrong data", len(p), off, n, err)
		}
		for i := range p {
			p[i] ^= byte(i)
		}
		off = rnd.IntN(len(content) - len(p))
		if n, err := x.WriteAt(p, int64(off)); n != len(p) || err != nil {
			t.Fatalf("write of %d bytes at %d: %d, %v", len(p), off, n, err)
		}
		copy(content[off:], p)
	}
}

func TestVbladeControl(t *testing.T) {
	a, b := netiotest.Pair(t, 1500)
	startVblade(t, b, 1<<20, "-b", "32")
	i := connect(t, a, "ring")
	x, err := i.Open(vbladeAddr, initiator.Options{FindTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if x.Buffers != 32 {
		t.Errorf("%d buffers, want 32", x.Buffers)
	}
	if c, err := x.Config(aoe.ConfigSet, "hello"); err != nil || string(c.String) != "hello" {
		t.Errorf("config set: %q, %v", c.String, err)
	}
	var refused *initiator.AoEError
	if c, err := x.Config(aoe.ConfigSet, "other"); !errors.As(err, &refused) || refused.Code != aoe.ErrConfigString {
		t.Errorf("second config set: %q, %v; want error 4", c.String, err)
	}
	other := aoe.MAC{2, 0, 0, 0, 0, 9}
	if list, err := x.Reserve(aoe.ReserveSet, other); err != nil || len(list) != 1 || list[0] != other {
		t.Errorf("reserve: %v, %v", list, err)
	}
	if _, err := x.ReadAt(make([]byte, 512), 0); !errors.As(err, &refused) || refused.Code != aoe.ErrReserved {
		t.Errorf("read while reserved for another: %v, want error 6", err)
	}
	if err := x.Identify(); err != nil {
		t.Errorf("identify while reserved for another: %v", err)
	}
	if list, err := x.Reserve(aoe.ReserveForceSet); err != nil || len(list) != 0 {
		t.Errorf("forced release: %v, %v", list, err)
	}
	if list, err := x.MaskList(initiator.MaskEdit{Do: aoe.MaskAdd, MAC: other}); err != nil || len(list) != 1 {
		t.Errorf("mask edit: %v, %v", list, err)
	}
}
