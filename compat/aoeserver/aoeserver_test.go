package aoeserver

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

func TestParse(t *testing.T) {
	export := func(path, netif string) target.Export {
		return target.Export{
			Path: path, Addr: aoe.Addr{Slot: 1}, Interface: netif, Access: target.AccessAuto,
			Config: []byte(path), Unique: true, Quiet: true,
			Identity: target.Identity{Model: "EtherDrive(R) aoeserver", Serial: path[:min(20, len(path))], Firmware: 0x4000},
		}
	}
	remove := func(netif string) target.RemovePort {
		return target.RemovePort{Addr: aoe.Addr{Slot: 1}, Interface: netif, MissingOK: true}
	}
	host := aoe.MAC{0, 1, 2, 3, 4, 0xab}
	tests := []struct {
		name, line string
		want       target.Operation
		err        error
	}{
		{"add", "add /dev/loop1 0 1 eth0", export("/dev/loop1", "eth0"), nil},
		{"add everywhere", "add /dev/loop1 0 1", export("/dev/loop1", "*"), nil},
		{"trailing blank", "add /dev/loop1 0 1 ", export("/dev/loop1", "*"), nil},
		{"blanks and tabs", " add  /dev/loop1\t0x0 \t 01 eth0", export("/dev/loop1", "eth0"), nil},
		{"prefix rule", "address /dev/loop1 0 1 eth0", export("/dev/loop1", "eth0"), nil},
		{"relative", "add disk.img 0 1", export("/srv/disk.img", "*"), nil},
		{"long path", "add /a-rather-long-path/disk 0 1", export("/a-rather-long-path/disk", "*"), nil},
		{"star", "add /dev/loop1 0 1 *", nil, target.ErrNoInterface},
		{"too many words", "add /dev/loop1 0 1 eth0 x", nil, target.ErrMalformed},
		{"too few words", "add /dev/loop1 0", nil, target.ErrMalformed},
		{"shelf wraps in the original", "add /dev/loop1 65536 1", nil, target.ErrRange},
		{"slot 255", "add /dev/loop1 0 255", nil, target.ErrRange},
		{"numbers that are none", "add /dev/x foo bar", nil, target.ErrMalformed},
		{"upper case", "ADD /dev/loop1 0 1", nil, target.ErrMalformed},
		{"unknown", "list", nil, target.ErrMalformed},
		{"nothing", " \t", nil, target.ErrMalformed},
		{"del", "del /dev/loop1 0 1 eth0", remove("eth0"), nil},
		{"del anywhere, device ignored", "delete - 0 1", remove(""), nil},
		{"del without the device", "del 0 1", nil, target.ErrMalformed},
		{"hostmask", "hostmask 0 1 0:1:2:3:4:AB", target.EditHosts{List: target.AcceptList, Addr: aoe.Addr{Slot: 1}, Host: host}, nil},
		{"hostmask, rest ignored", "hostmasks 0 1 00:01:02:03:04:ab x y z", target.EditHosts{List: target.AcceptList, Addr: aoe.Addr{Slot: 1}, Host: host}, nil},
		{"rmmask", "rmmask 0 1 00:01:02:03:04:ab", target.EditHosts{List: target.AcceptList, Addr: aoe.Addr{Slot: 1}, Host: host, Remove: true}, nil},
		{"five groups", "hostmask 0 1 00:01:02:03:04", nil, target.ErrMalformed},
		{"group cut by the original", "hostmask 0 1 100:01:02:03:04:05", nil, target.ErrMalformed},
		{"no MAC", "rmmask 0 1", nil, target.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.line, "/srv")
			if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestConfigStringFits(t *testing.T) {
	op, err := Parse("add /"+strings.Repeat("x", 2000)+" 0 1", "/")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(op.(target.Export).Config); n != aoe.MaxConfigString {
		t.Errorf("config string of %d bytes, want %d", n, aoe.MaxConfigString)
	}
}

// TestList compares with the example of the sheet, §3, byte by byte.
func TestList(t *testing.T) {
	if got := string(List(State{})); got != exportHeading {
		t.Errorf("before the first add: %q", got)
	}
	emptied := "#<device>              <shelf>     <slot>     <interface>\n" +
		"\n# access lists\n#<shelf>     <slot>       <allowed host>  \n"
	if got := string(List(State{Served: true})); got != emptied {
		t.Errorf("after the last del: %q", got)
	}
	s := State{
		Served: true,
		Drives: []target.DriveInfo{{Name: "loop1", Path: "/dev/loop1"},
			{Name: "long", Path: "/dev/disk/by-id/0123456789abcdefgh"}},
		Ports: []target.PortInfo{
			{Addr: aoe.Addr{Slot: 1}, Interface: "eth0", Drive: "loop1"},
			{Addr: aoe.Addr{Shelf: 65534, Slot: 254}, Interface: "*", Drive: "long"},
			{Addr: aoe.Addr{Slot: 1}, Interface: "eth1", Drive: "loop1"},
		},
		Blades: []target.BladeInfo{
			{Addr: aoe.Addr{Slot: 1}, Accept: []aoe.MAC{{0, 1, 2, 3, 4, 0xab}, {0, 1, 2, 3, 4, 5}}},
			{Addr: aoe.Addr{Shelf: 65534, Slot: 254}},
		},
	}
	want := "#<device>              <shelf>     <slot>     <interface>\n" +
		"/dev/loop1                0          1         eth1\n" +
		"/dev/disk/by-id/0123456789abcd 65534      254       \n" +
		"/dev/loop1                0          1         eth0\n" +
		"\n# access lists\n#<shelf>     <slot>       <allowed host>  \n" +
		"0              1         00:01:02:03:04:AB\n" +
		"0              1         00:01:02:03:04:05\n"
	if got := string(List(s)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"add /dev/loop1 0 1 eth0", "del x 0 1", "hostmask 0 3 0:1:2:3:4:5", "rmmask 0 3 x", " ", "add\t\xff 0x 1"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := Parse(line, "/srv")
		if (op == nil) == (err == nil) {
			t.Fatalf("%q: operation %+v and error %v", line, op, err)
		}
		known := errors.Is(err, target.ErrMalformed) || errors.Is(err, target.ErrRange) ||
			errors.Is(err, target.ErrTooLong) || errors.Is(err, target.ErrNoInterface)
		if err != nil && !known {
			t.Errorf("%q: an error of no known kind: %v", line, err)
		}
		if e, ok := op.(target.Export); ok {
			list := string(List(State{
				Drives: []target.DriveInfo{{Name: "d", Path: e.Path}},
				Ports:  []target.PortInfo{{Addr: e.Addr, Interface: e.Interface, Drive: "d"}},
			}))
			if strings.Count(list, "\n") != 2 {
				t.Errorf("%q: listed as %q", line, list)
			}
		}
	})
}
