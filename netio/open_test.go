package netio

import (
	"bytes"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

func TestOpenRefuses(t *testing.T) {
	ns := netiotest.New(t)
	ns.Run("ip", "tuntap", "add", "dev", "tun0", "mode", "tun")
	for _, c := range []struct {
		name, netif string
		o           Options
		says        string
	}{
		{"absent", "eth9", Options{}, "no such network interface"},
		{"empty name", "", Options{}, "no such network interface"},
		{"long name", strings.Repeat("x", 5000), Options{}, "no such network interface"},
		{"name with NUL", "lo\x00x", Options{}, "no such network interface"},
		{"not Ethernet", "tun0", Options{}, "no Ethernet frames"},
		{"unknown kind", "lo", Options{Kind: "dpdk"}, "want auto, ring, raw or xdp"},
		{"negative ring", "lo", Options{RingBytes: -1}, "want 0 (default) to"},
		{"huge ring", "lo", Options{RingBytes: math.MaxInt}, "want 0 (default) to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns.Do(func() {
				before := countFDs(t)
				l, err := Open(c.netif, c.o)
				if l != nil || err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, %v; want an error saying %q", l, err, c.says)
				}
				if after := countFDs(t); after != before {
					t.Errorf("%d descriptors before, %d after", before, after)
				}
			})
		})
	}
}

func countFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestOpenLeavesNothingBehind takes an interface that vanishes between Lookup and bind.
func TestOpenLeavesNothingBehind(t *testing.T) {
	ns := netiotest.New(t)
	for kind, open := range map[string]opener{"ring": openRing, "raw": openRaw, "xdp": openXDP} {
		ns.Do(func() {
			before := countFDs(t)
			l, err := open(Interface{Name: "eth7", Index: 9999, MTU: 1500, Ethernet: true}, Options{RingBytes: DefaultRingBytes})
			if l != nil || !errors.Is(err, ErrNoInterface) {
				t.Errorf("%s: %v, %v, want ErrNoInterface", kind, l, err)
			}
			if after := countFDs(t); after != before {
				t.Errorf("%s: %d descriptors before, %d after", kind, before, after)
			}
		})
	}
}

func TestAutoTakesTheRing(t *testing.T) {
	ns := netiotest.New(t)
	l := openIn(t, ns, "lo", Options{Log: func(m string) { t.Errorf("logged %q", m) }})
	if l.Kind() != "ring" {
		t.Errorf("kind %q", l.Kind())
	}
}

func TestAutoFallsBackAndSaysWhy(t *testing.T) {
	ns := netiotest.New(t)
	refuse := func(err error) opener {
		return func(Interface, Options) (Link, error) { return nil, err }
	}
	ns.Do(func() {
		var logged string
		ifi, err := Lookup("lo")
		if err != nil {
			t.Fatal(err)
		}
		o := Options{RingBytes: 1 << 20, Log: func(m string) { logged = m }}
		l, err := openAuto(ifi, o, refuse(unix.ENOMEM), openRaw)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Kind() != "raw" || !strings.Contains(logged, unix.ENOMEM.Error()) || !strings.Contains(logged, "lo") {
			t.Errorf("kind %q, logged %q", l.Kind(), logged)
		}
		_, err = openAuto(ifi, o, refuse(unix.ENOMEM), refuse(unix.EPERM))
		if !errors.Is(err, unix.ENOMEM) || !errors.Is(err, unix.EPERM) {
			t.Errorf("both refused: %v", err)
		}
	})
}

func TestLoopbackByName(t *testing.T) {
	for _, kind := range []string{"ring", "raw"} { // there is one xdp link at a time
		t.Run(kind, func(t *testing.T) {
			ns := netiotest.New(t)
			a, b := openIn(t, ns, "lo", Options{Kind: kind}), openIn(t, ns, "lo", Options{Kind: kind})
			f := frame([6]byte{}, [6]byte{2}, maxMTU+14, 1)
			exchange(t, a, b, f)
			if got := receive(t, a); !bytes.Equal(got, f) {
				t.Error("loopback brings a frame back to its sender too")
			}
		})
	}
}

func TestRingFallsBackToSmallerBlocks(t *testing.T) {
	var tried []uint32
	request, err := requestRing(9000, 1<<20, func(r *unix.TpacketReq) error {
		tried = append(tried, r.Block_size)
		if r.Block_size > 64<<10 {
			return unix.ENOMEM
		}
		return nil
	})
	if err != nil || len(tried) != 3 || request.Block_size != 64<<10 || request.Block_nr != 16 {
		t.Errorf("tried %v, got %+v, %v", tried, request, err)
	}
	_, err = requestRing(9000, 1<<20, func(*unix.TpacketReq) error { return unix.ENOMEM })
	if !errors.Is(err, unix.ENOMEM) {
		t.Errorf("no memory at all: %v", err)
	}
	calls := 0
	_, err = requestRing(9000, 1<<20, func(*unix.TpacketReq) error { calls++; return unix.EINVAL })
	if !errors.Is(err, unix.EINVAL) || calls != 1 {
		t.Errorf("%d tries, %v: only want of memory is worth another try", calls, err)
	}
}

func TestRingGeometry(t *testing.T) {
	for _, c := range []struct{ mtu, slot int }{{68, 1024}, {1500, 2048}, {9000, 9728}, {16110, 16896}, {65536, 16896}} {
		for block := maxBlockBytes; block >= minBlockBytes; block /= 2 {
			r := ringGeometry(c.mtu, 1<<20, block)
			if int(r.Frame_size) != c.slot || r.Frame_size%unix.TPACKET_ALIGNMENT != 0 {
				t.Errorf("MTU %d: slot of %d bytes, want %d", c.mtu, r.Frame_size, c.slot)
			}
			if r.Frame_nr == 0 || r.Frame_nr != r.Block_size/r.Frame_size*r.Block_nr || r.Block_size*r.Block_nr > 1<<20 {
				t.Errorf("MTU %d, block %d: %+v", c.mtu, block, r)
			}
		}
	}
}
