package vbladekernel

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

func TestParseDrives(t *testing.T) {
	add := func(name string, access target.Access, force bool) target.AddDrive {
		return target.AddDrive{Name: name, Path: "/dev/loop2", Access: access, Force: force,
			Identity: target.Identity{Model: "EtherDrive(R) vblade-kernel", Serial: name[:min(20, len(name))], Firmware: 3}}
	}
	cached := func(cache target.Cache) target.AddDrive {
		op := add("do", target.AccessReadWrite, false)
		op.Cache = cache
		return op
	}
	part := func(offset, length uint64) target.AddDrive {
		op := add("do", target.AccessReadWrite, false)
		op.Offset, op.Length = offset, length
		return op
	}
	long := strings.Repeat("n", 31)
	tests := []struct {
		name, line string
		want       target.Operation
		err        error
	}{
		{"the article's line", "add do /dev/loop2", add("do", target.AccessReadWrite, false), nil},
		{"read-only", "add do /dev/loop2 ro", add("do", target.AccessReadOnly, false), nil},
		{"as the medium is", "add do /dev/loop2 auto", add("do", target.AccessAuto, false), nil},
		{"both of two accesses", "add do /dev/loop2 ro auto", nil, target.ErrMalformed},
		{"force", "add do /dev/loop2 force", add("do", target.AccessReadWrite, true), nil},
		{"both", "\tadd  do /dev/loop2 ro force # mine", add("do", target.AccessReadOnly, true), nil},
		{"write policy", "add do /dev/loop2 direct", cached("direct"), nil},
		{"write policy among flags", "add do /dev/loop2 force writeback ro", target.AddDrive{Name: "do", Path: "/dev/loop2", Access: target.AccessReadOnly, Force: true, Cache: "writeback", Identity: add("do", 0, false).Identity}, nil},
		{"two write policies", "add do /dev/loop2 writeback direct", nil, target.ErrMalformed},
		{"a part", "add do /dev/loop2 offset=63 length=0x10", part(63, 16), nil},
		{"up to the end", "add do /dev/loop2 offset=0", part(0, 0), nil},
		{"the largest part", "add do /dev/loop2 offset=18014398509481983 length=18014398509481983", part(1<<54-1, 1<<54-1), nil},
		{"no length", "add do /dev/loop2 length=0", nil, target.ErrRange},
		{"too large a part", "add do /dev/loop2 offset=18014398509481984", nil, target.ErrRange},
		{"empty offset", "add do /dev/loop2 offset=", nil, target.ErrMalformed},
		{"two offsets", "add do /dev/loop2 offset=1 offset=2", nil, target.ErrMalformed},
		{"negative", "add do /dev/loop2 offset=-1", nil, target.ErrMalformed},
		{"longest name", "add " + long + " /dev/loop2", add(long, target.AccessReadWrite, false), nil},
		{"del", "del do", target.RemoveDrive{Name: "do"}, nil},
		{"blank", " \t", nil, nil},
		{"comment", " # add do /dev/loop2", nil, nil},
		{"ro twice", "add do /dev/loop2 ro ro", nil, target.ErrMalformed},
		{"unknown flag", "add do /dev/loop2 rw", nil, target.ErrMalformed},
		{"relative path", "add do loop2", nil, target.ErrMalformed},
		{"no path", "add do", nil, target.ErrMalformed},
		{"del of two", "del a b", nil, target.ErrMalformed},
		{"prefix of a verb", "address do /dev/loop2", nil, target.ErrMalformed},
		{"upper case", "ADD do /dev/loop2", nil, target.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseDrives(tt.line)
			if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParsePorts(t *testing.T) {
	port := func(buffers uint16, sectors uint8) target.AddPort {
		return target.AddPort{Drive: "do", Addr: aoe.Addr{Slot: 2}, Interface: "eth0", Buffers: buffers, Sectors: sectors}
	}
	tests := []struct {
		name, line string
		want       target.Operation
		err        error
	}{
		{"the article's line", "add eth0 0 2 32 8", port(32, 8), nil},
		{"defaults", "add eth0 0 2", port(64, 0), nil},
		{"buffers alone", "add eth0 0x0 02 0x20", port(32, 0), nil},
		{"most", "add eth0 0 2 65535 255", port(65535, 255), nil},
		{"del", "del eth0 0 2", target.RemovePort{Drive: "do", Addr: aoe.Addr{Slot: 2}, Interface: "eth0"}, nil},
		{"blank", "", nil, nil},
		{"no buffers", "add eth0 0 2 0", nil, target.ErrRange},
		{"too many buffers", "add eth0 0 2 65536", nil, target.ErrRange},
		{"too many sectors", "add eth0 0 2 32 256", nil, target.ErrRange},
		{"shelf", "add eth0 65535 2", nil, target.ErrRange},
		{"slot", "del eth0 0 255", nil, target.ErrRange},
		{"junk", "add eth0 0 2 32k", nil, target.ErrMalformed},
		{"kvblade's order", "add 0 2 eth0", nil, target.ErrMalformed},
		{"too many words", "add eth0 0 2 32 8 9", nil, target.ErrMalformed},
		{"too few words", "del eth0 0", nil, target.ErrMalformed},
		{"unknown", "move eth0 0 2", nil, target.ErrMalformed},
		{"impossible interface", "add a/b 0 2", nil, target.ErrNoInterface},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePorts("do", tt.line)
			if !reflect.DeepEqual(got, tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestLists(t *testing.T) {
	drives := []target.DriveInfo{
		{Name: "do", Path: "/dev/loop2", Sectors: 2048, Ports: 1},
		{Name: "cd", Path: "/srv/a\nb", Sectors: 1, ReadOnly: true},
	}
	if got, want := string(ListDrives(drives)), "do /dev/loop2 2048 rw 1\ncd /srv/a?b 1 ro 0\n"; got != want {
		t.Errorf("drives: got %q, want %q", got, want)
	}
	ports := []target.PortInfo{
		{Addr: aoe.Addr{Slot: 2}, Interface: "eth0", Buffers: 32, Sectors: 8, EffectiveSectors: 2},
		{Addr: aoe.Addr{Slot: 2}, Interface: "*", Buffers: 64, EffectiveSectors: 16},
	}
	if got, want := string(ListPorts(ports)), "eth0 0 2 32 8 2\n* 0 2 64 0 16\n"; got != want {
		t.Errorf("ports: got %q, want %q", got, want)
	}
	want := "reads 3\nread_sectors 0\nwrites 0\nwrite_sectors 0\nothers 0\nerrors 0\ndropped 0\nin_flight 3\nannounces 0\n" +
		"ata_errors 0\nfull 0\ndepth 0\nread_ns 0\nwrite_ns 0\nother_ns 0\n"
	if got := string(ListStats(target.Stats{Reads: 3, InFlight: 3})); got != want {
		t.Errorf("stats: got %q, want %q", got, want)
	}
	if got := string(ListDrives(nil)) + string(ListPorts(nil)); got != "" {
		t.Errorf("nothing: got %q", got)
	}
}

// TestStats sets every counter, so that a new one cannot be forgotten.
func TestStats(t *testing.T) {
	var s target.Stats
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.CanUint() {
			f.SetUint(uint64(i + 1))
		} else {
			f.SetInt(int64(i + 1))
		}
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(ListStats(s)), "\n"), "\n") {
		if _, value, _ := strings.Cut(line, " "); i >= v.NumField() || value != fmt.Sprint(i+1) {
			t.Errorf("line %d: got %q, want the value %d", i+1, line, i+1)
		}
	}
	if lines := strings.Count(string(ListStats(s)), "\n"); lines != v.NumField() {
		t.Errorf("%d counters listed, want %d", lines, v.NumField())
	}
}

func TestValues(t *testing.T) {
	d := target.DriveInfo{Path: "/dev/loop2", Sectors: 8, Cache: target.CacheDirect}
	got := Path(d) + Size(d) + Cache(d)
	if want := "/dev/loop2\n8\ndirect\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, cache := range []target.Cache{"writeback", "direct", "durable"} {
		if op, err := ParseCache("d", string(cache)+"\n"); op != (target.SetCache{Drive: "d", Cache: cache}) || err != nil {
			t.Errorf("%s: got %+v, %v", cache, op, err)
		}
	}
	if op, err := ParseCache("d", "fast"); op != nil || !errors.Is(err, target.ErrMalformed) {
		t.Errorf("fast: got %+v, %v", op, err)
	}
}

func FuzzParseDrives(f *testing.F) {
	for _, line := range []string{"add do /dev/loop2", "add d /x ro force #c", "add d /x offset=8 length=0x10", "del do", "#", "", "add .. /", "add d /\xff"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ParseDrives(line)
		check(t, line, op, err, silent(line))
		add, ok := op.(target.AddDrive)
		if !ok {
			return
		}
		// The first two words of a listing, fed back, make the same drive.
		listed := string(ListDrives([]target.DriveInfo{{Name: add.Name, Path: add.Path}}))
		words := strings.Split(strings.TrimSuffix(listed, "\n"), " ")
		again, err := ParseDrives("add " + words[0] + " " + words[1])
		add.Access, add.Force, add.Cache, add.Offset, add.Length = target.AccessReadWrite, false, "", 0, 0
		if err != nil || !reflect.DeepEqual(again, target.Operation(add)) {
			t.Errorf("%q: listed as %q, which gives %+v, %v", line, listed, again, err)
		}
	})
}

func FuzzParsePorts(f *testing.F) {
	for _, line := range []string{"add eth0 0 2 32 8", "add * 0x10 010", "del eth0 0 2", "add eth0 0 2 0", " # x"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		op, err := ParsePorts("do", line)
		check(t, line, op, err, silent(line))
		p, ok := op.(target.AddPort)
		if !ok {
			return
		}
		// The first five words of a listing, fed back, make the same port.
		listed := string(ListPorts([]target.PortInfo{
			{Addr: p.Addr, Interface: p.Interface, Buffers: p.Buffers, Sectors: p.Sectors, EffectiveSectors: 2}}))
		words := strings.Split(strings.TrimSuffix(listed, "\n"), " ")
		again, err := ParsePorts("do", fmt.Sprint("add ", strings.Join(words[:5], " ")))
		if err != nil || again != op {
			t.Errorf("%q: listed as %q, which gives %+v, %v", line, listed, again, err)
		}
	})
}

// check demands an operation or an error of a known kind, never both, and
// neither for a blank line.
func check(t *testing.T, line string, op target.Operation, err error, blank bool) {
	t.Helper()
	if blank && (op != nil || err != nil) || !blank && (op == nil) == (err == nil) {
		t.Errorf("%q: operation %+v and error %v", line, op, err)
	}
	known := errors.Is(err, target.ErrMalformed) || errors.Is(err, target.ErrRange) ||
		errors.Is(err, target.ErrTooLong) || errors.Is(err, target.ErrNoInterface)
	if err != nil && !known {
		t.Errorf("%q: an error of no known kind: %v", line, err)
	}
}

// silent tells whether a line has nothing but a comment.
func silent(line string) bool {
	start := strings.TrimLeft(line, " \t")
	return start == "" || start[0] == '#'
}

// FuzzParseCache: what is written to a drive's cache is a policy that there is, or
// a mistake.
func FuzzParseCache(f *testing.F) {
	for _, value := range []string{"durable\n", " direct", "writeback", "direct durable", "", "Direct", "\x00"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		op, err := ParseCache("do", value)
		set, ok := op.(target.SetCache)
		if ok != (err == nil) || ok && (set.Drive != "do" || strings.TrimSpace(value) != string(set.Cache)) || err != nil && !errors.Is(err, target.ErrMalformed) {
			t.Errorf("%q: %+v, %v", value, op, err)
		}
	})
}
