package kvblade

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

var identity = target.Identity{Model: "EtherDrive(R) kvblade", Serial: "SN HERE", Firmware: 2}

func TestParse(t *testing.T) {
	add := func(line string) (target.Operation, error) { return ParseAdd(line, "/srv") }
	readd := func(line string) (target.Operation, error) { return ParseReadd(line, "/srv") }
	export := func(shelf uint16, slot uint8, netif, path string) target.Export {
		return target.Export{Path: path, Addr: aoe.Addr{Shelf: shelf, Slot: slot}, Interface: netif,
			Access: target.AccessReadWrite, Identity: identity}
	}
	tests := []struct {
		name, line string
		parse      func(string) (target.Operation, error)
		want       target.Operation
		err        error
	}{
		{"add", "0 0 eth0 /dev/loop0", add, export(0, 0, "eth0", "/dev/loop0"), nil},
		{"bases", "0x10 010 eth0 /dev/loop0", add, export(16, 8, "eth0", "/dev/loop0"), nil},
		{"all white space", " \t0\n0\veth0\f/dev/loop0\r\n", add, export(0, 0, "eth0", "/dev/loop0"), nil},
		{"relative path", "1 2 eth0 disk.img", add, export(1, 2, "eth0", "/srv/disk.img"), nil},
		{"every interface", "1 2 * /dev/sda", add, export(1, 2, "*", "/dev/sda"), nil},
		{"highest", "65534 254 eth0 /dev/sda", add, export(65534, 254, "eth0", "/dev/sda"), nil},
		{"shelf too high", "65535 0 eth0 /dev/sda", add, nil, target.ErrRange},
		{"slot too high", "0 255 eth0 /dev/sda", add, nil, target.ErrRange},
		{"junk in shelf", "0x 0 eth0 /dev/sda", add, nil, target.ErrMalformed},
		{"negative", "-1 0 eth0 /dev/sda", add, nil, target.ErrMalformed},
		{"three words", "0 0 eth0", add, nil, target.ErrMalformed},
		{"five words", "0 0 eth0 /dev/sda x", add, nil, target.ErrMalformed},
		{"nothing", "", add, nil, target.ErrMalformed},
		{"impossible interface", "0 0 a/b /dev/sda", add, nil, target.ErrNoInterface},
		{"del", "0 1 eth0", ParseDel, target.RemovePort{Addr: aoe.Addr{Slot: 1}, Interface: "eth0"}, nil},
		{"del with a path", "0 1 eth0 /dev/sda", ParseDel, nil, target.ErrMalformed},
		{"del junk", "a b eth0", ParseDel, nil, target.ErrMalformed},
		{"readd", "0 1 eth0 new.img", readd, target.Rebind{Addr: aoe.Addr{Slot: 1}, Interface: "eth0", Path: "/srv/new.img"}, nil},
		{"readd without a path", "0 1 eth0", readd, nil, target.ErrMalformed},
		{"announce", "anything", ParseAnnounce, target.Announce{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.line)
			if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		name, data string
		want       []string
	}{
		{"one record over two lines", "0 0\neth0 /dev/a\n", []string{"0 0\neth0 /dev/a\n"}},
		{"two records", "0 0 eth0 /dev/a\n\n0 1 eth0 /dev/b\n", []string{"0 0 eth0 /dev/a", "0 1 eth0 /dev/b"}},
		{"nothing", "\n", []string{"\n"}},
	}
	for _, tt := range tests {
		var got []string
		for _, l := range Split(AddGrammar)(tt.data) {
			got = append(got, l.Text)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAttributes(t *testing.T) {
	e := Export{
		Port: target.PortInfo{EffectiveSectors: 2, Stats: target.Stats{InFlight: 7}},
		Drive: target.DriveInfo{Path: "/dev/" + strings.Repeat("x", 300), Sectors: 819200, Model: "M", Serial: "S",
			Major: 7, Minor: 1},
	}
	tests := []struct{ name, got, want string }{
		{"scnt", e.Size(), "819200\n"},
		{"bdev", e.Device(), "7:1\n"},
		{"bpath", e.Path(), "/dev/" + strings.Repeat("x", 250) + "\n"},
		{"model", e.Model(), "M" + strings.Repeat(" ", 39) + "\n"},
		{"sn", e.Serial(), "S" + strings.Repeat(" ", 19) + "\n"},
		{"busy", e.Busy(), "7\n"},
		{"mtu", e.MTU(), "1024\n"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestExportName(t *testing.T) {
	for _, name := range []string{"0.0@eth0", "65534.254@*", "1.2@a@b"} {
		addr, netif, ok := ParseExportName(name)
		if !ok || ExportName(addr, netif) != name {
			t.Errorf("%s: got %v, %s, %v", name, addr, netif, ok)
		}
	}
	for _, name := range []string{"", "add", "0.0@", "00.0@eth0", "e0.0@eth0", "0.255@eth0", "0@eth0", "0.0"} {
		if _, _, ok := ParseExportName(name); ok {
			t.Errorf("%q: taken for an export", name)
		}
	}
}

// FuzzExportName: a name that somebody looks up is an export's, and the only name
// of that, or none.
func FuzzExportName(f *testing.F) {
	for _, name := range []string{"0.0@eth0", "65534.254@*", "1.2@a@b", "00.0@eth0", "e0.0@eth0", "0.0@", "0.0"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		addr, netif, ok := ParseExportName(name)
		if ok && (ExportName(addr, netif) != name || netif == "") || !ok && (addr != aoe.Addr{} || netif != "") {
			t.Errorf("%q: %v, %q, %v", name, addr, netif, ok)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"0 0 eth0 /dev/loop0", "0x10 010 * disk", "0 1 eth0", "65535 0 eth0 /x", "\x00 \n", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		add, err := ParseAdd(line, "/srv")
		check(t, line, add, err)
		if e, ok := add.(target.Export); ok {
			if addr, netif, ok := ParseExportName(ExportName(e.Addr, e.Interface)); !ok || addr != e.Addr || netif != e.Interface {
				t.Errorf("%q: the name of its folder does not lead back: %v %s", line, addr, netif)
			}
		}
		del, err := ParseDel(line)
		check(t, line, del, err)
		readd, err := ParseReadd(line, "/srv")
		check(t, line, readd, err)
		for _, l := range Split(AddGrammar)(line) {
			if l.End > len(line) || l.End < len(l.Text) {
				t.Errorf("%q: split into %+v", line, l)
			}
		}
	})
}

// check demands an operation or an error of a known kind, never both.
func check(t *testing.T, line string, op target.Operation, err error) {
	t.Helper()
	if (op == nil) == (err == nil) {
		t.Errorf("%q: operation %+v and error %v", line, op, err)
	}
	known := errors.Is(err, target.ErrMalformed) || errors.Is(err, target.ErrRange) ||
		errors.Is(err, target.ErrTooLong) || errors.Is(err, target.ErrNoInterface)
	if err != nil && !known {
		t.Errorf("%q: an error of no known kind: %v", line, err)
	}
}
