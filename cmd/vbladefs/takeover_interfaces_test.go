package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// TestTakeoverOfManyInterfaces: a daemon with many interfaces, each with an export that
// is read and written, is taken over from without losing a frame, though their links
// cannot be handed over.
func TestTakeoverOfManyInterfaces(t *testing.T) {
	n := given(t, "VBLADEFS_INTERFACES", 6, 200)
	for _, kind := range []string{"raw", "xdp"} {
		t.Run(kind, func(t *testing.T) {
			here, there := netiotest.New(t), netiotest.New(t)
			flags := []string{"-state=" + t.TempDir(), "-link", kind, "-requests", "64", "-ring", "256k", "-busy-poll", "0"}
			d := serve(t, here, flags...)
			var loads []*verified
			for i := range n {
				netif := fmt.Sprint("eth", i)
				netiotest.Join(here, netif, there, netif, 1500)
				path, _ := image(t, mib)
				d.echo(fmt.Sprintf("add %s 5 %d %s", path, i, netif), "aoeserver")
				v := loadOn(t, there, netif, 2, aoe.Addr{Shelf: 5, Slot: uint8(i)})
				v.pace.Store(int64(time.Duration(n) * 200 * time.Microsecond)) // in all, some five thousand a second
				loads = append(loads, v)
			}
			if text := d.read("log"); strings.Count(text, "serving by "+kind) != n {
				t.Fatalf("want %d interfaces that serve by %s; the log says\n%s", n, kind, text)
			}
			for range 2 {
				began := time.Now()
				d = d.takenOver(here, program, flags...)
				t.Logf("%d interfaces were taken over in %v", n, time.Since(began).Round(time.Millisecond))
				wanted := make([]uint64, n)
				for i, v := range loads {
					wanted[i] = v.done.Load() + 20
				}
				for i, v := range loads {
					v.reaches(wanted[i])
				}
				d.await("all links are as they should be", func() bool { return strings.Count(d.stderr.String(), "serving by "+kind) >= n })
			}
			var lost uint64
			var longest time.Duration
			for _, v := range loads {
				v.check()
				lost, longest = lost+v.lost(), max(longest, v.longest)
			}
			t.Logf("%d frames lost, longest request %v", lost, longest)
			if lost > 0 && strict() { // else the machine may be so busy that rings overflow
				t.Errorf("%d frames were lost", lost)
			}
			bound(t, "the longest request", longest, time.Second)
		})
	}
}

// TestTakeoverAsksNeighbours: a daemon that has taken over knows who else serves what,
// though it could not ask before.
func TestTakeoverAsksNeighbours(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	other := serve(t, there, "-state=")
	path, _ := image(t, mib)
	other.echo("add "+path+" 0 9 eth0", "aoeserver")
	state := "-state=" + t.TempDir()
	d := serve(t, here, state)
	d.exports(1)
	d = d.takenOver(here, program, state)
	mine, _ := image(t, mib)
	err := os.WriteFile(filepath.Join(d.dir, "aoeserver"), []byte("add "+mine+" 0 9 eth0\n"), 0)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("an address that another machine serves: %v; the log says\n%s", err, d.read("log"))
	}
}
