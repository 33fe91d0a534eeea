package netio

import (
	"errors"
	"fmt"
	"testing"

	"vbladefs/netio/netiotest"
)

func TestLookupAndList(t *testing.T) {
	a, b := netiotest.Pair(t, 9000)
	a.Run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:0a")
	a.Run("ip", "link", "property", "add", "dev", "eth0", "altname", "a-long-alternative-name")
	got := lookupIn(t, a, "eth0")
	want := Interface{Name: "eth0", Index: got.Index, MTU: 9000, MAC: [6]byte{2, 0, 0, 0, 0, 10}, Up: true, Ethernet: true}
	if got != want || got.Index <= 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if alt := lookupIn(t, a, "a-long-alternative-name"); alt != got {
		t.Errorf("by alternative name %+v", alt)
	}
	if lo := lookupIn(t, a, "lo"); !lo.Loopback || lo.Ethernet || !lo.Up || lo.MTU != 65536 {
		t.Errorf("loopback %+v", lo)
	}
	a.Do(func() {
		list, err := List()
		if err != nil || len(list) != 2 || (list[0] != got && list[1] != got) {
			t.Errorf("list %+v, %v", list, err)
		}
		if _, err := Lookup("eth1"); !errors.Is(err, ErrNoInterface) {
			t.Errorf("absent: %v", err)
		}
	})
	// Switched on, but its peer is not: no carrier.
	b.Run("ip", "link", "set", "eth0", "down")
	if ifi := lookupIn(t, a, "eth0"); ifi.Up {
		t.Errorf("up without carrier: %+v", ifi)
	}
	a.Run("ip", "link", "set", "eth0", "down")
	if ifi := lookupIn(t, a, "eth0"); ifi.Up {
		t.Errorf("up while down: %+v", ifi)
	}
}

// FuzzLookupName throws names at the kernel: every one is an interface by that name, or an error.
func FuzzLookupName(f *testing.F) {
	for _, name := range []string{"lo", "", "lo\x00", "../lo", "eth0:1", fmt.Sprintf("%0200d", 7), "\xff\xfe"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		ifi, err := Lookup(name)
		if err == nil && ifi.Index <= 0 || err != nil && ifi != (Interface{}) {
			t.Fatalf("%q: %+v, %v", name, ifi, err)
		}
		if err != nil && !errors.Is(err, ErrNoInterface) {
			t.Fatalf("%q: %v", name, err)
		}
	})
}
