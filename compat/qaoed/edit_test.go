package qaoed

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

const editable = `
access-list { name = few; policy = reject; accept = 00:16:3e:00:00:01; }
access-list { name = all; policy = accept; }
default { interface = eth0; shelf = 1; slot = 3; acl { cfgread = few; } }
device { target = /dev/loop0; }
device { target = /dev/loop1; slot = 9; interface = eth1; writecache = off; acl { read = all; } }
device { target = /dev/loop1; slot = 9; writecache = off; acl { read = all; } }
`

func parsedConfig(t *testing.T, content string) Config {
	t.Helper()
	c, _, err := Parse("test.conf", []byte(content), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// unsaid is a target that leaves all to the default section.
func unsaid(path string) Target {
	t := newRaw().Target
	t.Path = path
	return t
}

func TestAddTarget(t *testing.T) {
	c := parsedConfig(t, editable)
	defaults := c.Default.Settings
	at := func(t Target, shelf uint16, slot uint8, netif string) Target {
		t.Shelf, t.Slot, t.Interface = shelf, slot, netif
		return t
	}
	switched := unsaid("/dev/loop2")
	switched.Writecache, switched.Broadcast, switched.Interface = Off, Off, "eth1"
	changed := defaults
	changed.Writecache, changed.Broadcast, changed.Interface = false, false, "eth1"
	tests := []struct {
		name string
		add  Target
		want Device
		err  string
	}{
		{"all defaults", unsaid("/dev/loop2"), Device{"/dev/loop2", aoe.Addr{Shelf: 1, Slot: 4}, defaults}, ""},
		{"own settings", switched, Device{"/dev/loop2", aoe.Addr{Shelf: 1, Slot: 4}, changed}, ""},
		{"own address", at(unsaid("disk"), 7, 8, ""), Device{"/srv/disk", aoe.Addr{Shelf: 7, Slot: 8}, defaults}, ""},
		{"taken address", at(unsaid("/dev/loop2"), 1, 3, ""), Device{}, "another slot"},
		{"again", at(unsaid("/dev/loop0"), 1, 3, "eth0"), Device{}, "another interface"},
		{"no path", unsaid(""), Device{}, "some text"},
		{"no file", unsaid("/missing"), Device{}, "no such file"},
		{"blank", unsaid("/a b"), Device{}, "without blanks"},
		{"newline", unsaid("/a\nb"), Device{}, "control characters"},
		{"quote", unsaid(`/a"b`), Device{}, "quotation marks"},
		{"no interface", at(unsaid("/dev/loop2"), 1, 5, "eth7"), Device{}, "that is there"},
		{"pattern", at(unsaid("/dev/loop2"), 1, 5, "*"), Device{}, anInterface},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := fmt.Sprint(c)
			got, d, err := c.AddTarget(tt.add, testEnv)
			checkEdit(t, c, got, before, err, tt.err)
			if d != tt.want {
				t.Errorf("got %+v, want %+v", d, tt.want)
			}
		})
	}
}

// checkEdit demands that the old configuration is as it was, that the new one is
// sound, and that an error is the expected one.
func checkEdit(t *testing.T, old, got Config, before string, err error, want string) {
	t.Helper()
	if fmt.Sprint(old) != before {
		t.Errorf("the old configuration is changed: %v, was %s", old, before)
	}
	switch {
	case want == "" && err != nil:
		t.Errorf("unexpected error %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !reflect.DeepEqual(old, got)):
		t.Errorf("got error %v, want one with %q, and nothing changed", err, want)
	}
	again(t, got)
}

// TestSecondInterface adds an address to another interface: its settings are
// those that it has.
func TestSecondInterface(t *testing.T) {
	c := parsedConfig(t, editable)
	c, _, err := c.RemoveTarget(aoe.Addr{Shelf: 1, Slot: 9}, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	add := unsaid("/dev/loop1")
	add.Slot = 9
	c, d, err := c.AddTarget(add, testEnv)
	if err != nil || d.Interface != "eth0" || d.Writecache || d.Lists != [target.AccessPoints]string{"few", "", "all", ""} {
		t.Errorf("got %+v, %v", d, err)
	}
	if p := c.Plan(); len(p.Exports) != 2 || len(p.Exports[1].Interfaces) != 2 {
		t.Errorf("planned %+v", p)
	}
}

// TestNextSlot adds devices that leave their slot to the default section, until
// there is none.
func TestNextSlot(t *testing.T) {
	c := parsedConfig(t, editable)
	want := []int{4, 5, 6, 7, 8, 10, 11} // 9 is taken
	for i := 0; ; i++ {
		var d Device
		var err error
		if c, d, err = c.AddTarget(unsaid("/dev/loop2"), testEnv); err != nil {
			if i != 253 || !errors.Is(err, target.ErrFull) {
				t.Errorf("after %d devices: %v", i, err)
			}
			break
		}
		if i < len(want) && int(d.Addr.Slot) != want[i] {
			t.Errorf("device %d is at %s, want slot %d", i, d.Addr, want[i])
		}
	}
	again(t, c)
}

func TestRemoveTarget(t *testing.T) {
	c := parsedConfig(t, editable)
	tests := []struct {
		name, netif, err string
		addr             aoe.Addr
		want             int
	}{
		{"the only one", "", "", aoe.Addr{Shelf: 1, Slot: 3}, 0},
		{"by interface", "eth0", "", aoe.Addr{Shelf: 1, Slot: 9}, 2},
		{"several", "", "want the name of one", aoe.Addr{Shelf: 1, Slot: 9}, -1},
		{"none", "", "no target", aoe.Addr{Shelf: 1, Slot: 4}, -1},
		{"not there", "eth1", "no target", aoe.Addr{Shelf: 1, Slot: 3}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := fmt.Sprint(c)
			got, d, err := c.RemoveTarget(tt.addr, tt.netif)
			checkEdit(t, c, got, before, err, tt.err)
			if tt.want >= 0 && (d != c.Devices[tt.want] || len(got.Devices) != len(c.Devices)-1) {
				t.Errorf("removed %+v, left %+v", d, got.Devices)
			}
		})
	}
}

func TestSetMTU(t *testing.T) {
	c := parsedConfig(t, editable)
	tests := []struct {
		netif string
		mtu   int
		err   string
	}{
		{"eth1", 9000, ""}, {"eth1", 0, ""}, {"eth0", target.MinMTULimit, ""},
		{"eth1", 9001, "1060 to 9000"}, {"eth0", 1059, "1060 to 1500"}, {"eth0", -1, "1060"}, {"eth2", 1500, "configured"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.netif, tt.mtu), func(t *testing.T) {
			before := fmt.Sprint(c)
			got, err := c.SetMTU(tt.netif, tt.mtu, testEnv)
			checkEdit(t, c, got, before, err, tt.err)
			if limits := got.Plan().Limits; err == nil && tt.mtu > 0 &&
				!reflect.DeepEqual(limits, []target.MTULimit{{Interface: tt.netif, MTU: tt.mtu}}) {
				t.Errorf("limits %v", limits)
			}
		})
	}
}

func TestSetACLs(t *testing.T) {
	c := parsedConfig(t, editable)
	tests := []struct {
		name, netif, err string
		addr             aoe.Addr
		lists            [target.AccessPoints]string
	}{
		{"attach and remove", "", "", aoe.Addr{Shelf: 1, Slot: 3}, [target.AccessPoints]string{"", "few", "all", "few"}},
		{"both interfaces", "eth1", "", aoe.Addr{Shelf: 1, Slot: 9}, [target.AccessPoints]string{"all", "", "", ""}},
		{"unknown list", "", "configured", aoe.Addr{Shelf: 1, Slot: 3}, [target.AccessPoints]string{"", "", "none", ""}},
		{"unknown target", "eth1", "no target", aoe.Addr{Shelf: 1, Slot: 3}, [target.AccessPoints]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := fmt.Sprint(c)
			got, err := c.SetACLs(tt.addr, tt.netif, tt.lists)
			checkEdit(t, c, got, before, err, tt.err)
			for _, d := range got.Devices {
				if err == nil && d.Addr == tt.addr && d.Lists != tt.lists {
					t.Errorf("got %+v", d)
				}
			}
		})
	}
}

// TestAnyEdits makes many changes at random; whatever comes of it can be printed,
// read and carried out.
func TestAnyEdits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := parsedConfig(t, editable)
	names := []string{"", "few", "all", "none"}
	netifs := []string{"", "eth0", "eth1", "eth2"}
	done := 0
	for range 500 {
		addr := aoe.Addr{Shelf: uint16(random.IntN(2)), Slot: uint8(random.IntN(4))}
		netif := netifs[random.IntN(4)]
		var err error
		switch random.IntN(4) {
		case 0, 1:
			add := Target{fmt.Sprint("/dev/loop", random.IntN(3)), addr.Shelf, addr.Slot, netif, Switch(random.IntN(3) - 1), Switch(random.IntN(3) - 1)}
			if random.IntN(3) == 0 {
				add.Shelf, add.Slot = aoe.AnyShelf, aoe.AnySlot
			}
			c, _, err = c.AddTarget(add, testEnv)
		case 2:
			c, _, err = c.RemoveTarget(addr, netif)
		case 3:
			var lists [target.AccessPoints]string
			for i := range lists {
				lists[i] = names[random.IntN(4)]
			}
			c, err = c.SetACLs(addr, netif, lists)
		}
		if err == nil {
			done++
			again(t, c)
		}
	}
	if done < 100 {
		t.Errorf("only %d changes were made", done)
	}
}

func TestEditErrors(t *testing.T) {
	c := parsedConfig(t, editable)
	if _, _, err := c.RemoveTarget(aoe.Addr{}, ""); !errors.Is(err, target.ErrNoPort) {
		t.Errorf("got %v", err)
	}
	if _, err := c.SetMTU("eth7", 0, testEnv); !errors.Is(err, target.ErrNoInterface) {
		t.Errorf("got %v", err)
	}
}
