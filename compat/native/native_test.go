package native

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

var (
	addr  = aoe.Addr{Shelf: 0, Slot: 1}
	alice = aoe.MAC{0, 1, 2, 3, 4, 0xab}
	bob   = aoe.MAC{0, 1, 2, 3, 4, 5}
)

type parseTest struct {
	line   string
	want   target.Operation
	column int    // of the mistake; 0: there is none
	reason string // part of the error
}

func testParse(t *testing.T, parse func(string) (target.Operation, error), tests []parseTest) {
	t.Helper()
	for _, tt := range tests {
		op, err := parse(tt.line)
		var at text.At
		errors.As(err, &at)
		if !reflect.DeepEqual(op, tt.want) || at.Column != tt.column || err != nil && !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%q: got %+v, column %d, %v; want %+v, column %d, %s", tt.line, op, at.Column, err, tt.want, tt.column, tt.reason)
		}
	}
}

func TestParseBlades(t *testing.T) {
	testParse(t, ParseBlades, []parseTest{
		{line: "add e0.1 do", want: target.AddBlade{Addr: addr, Drive: "do"}},
		{line: " add\te65534.254 do # mine", want: target.AddBlade{Addr: aoe.Addr{Shelf: 65534, Slot: 254}, Drive: "do"}},
		{line: "del e0.1", want: target.RemoveBlade{Addr: addr}},
		{line: ""}, {line: " # add e0.1 do"},
		{line: "add e0.1", column: 9, reason: "want add ADDRESS DRIVE"},
		{line: "add 0.1 do", column: 5, reason: `address "0.1": want e<shelf>.<slot>`},
		{line: "add e00.1 do", column: 5, reason: "want e<shelf>.<slot>"},
		{line: "del e65535.1", column: 5, reason: "shelf 0-65534 and slot 0-254"},
		{line: "del e0.255", column: 5, reason: "shelf 0-65534 and slot 0-254"},
		{line: "del e0.1 x", column: 10, reason: `"x" is one word too many`},
		{line: "move e0.1", column: 1, reason: "want add ADDRESS DRIVE, or del ADDRESS"},
	})
}

func TestParsePorts(t *testing.T) {
	port := target.AddPort{Addr: addr, Interface: "eth0", Buffers: 64}
	few, less, flagged := port, port, port
	few.Buffers, less.Buffers, less.Sectors = 16, 16, 2
	flagged.Interface, flagged.Quiet, flagged.Force = "*", true, true
	testParse(t, ParsePorts, []parseTest{
		{line: "add e0.1 eth0", want: port},
		{line: "add e0.1 eth0 16", want: few},
		{line: "add e0.1 eth0 0x10 02", want: less},
		{line: "add e0.1 * quiet force", want: flagged},
		{line: "add e0.1 * force quiet", want: flagged},
		{line: "add e0.1 eth*,lan?", want: target.AddPort{Addr: addr, Interface: "eth*,lan?", Buffers: 64}},
		{line: "del e0.1 eth*", want: target.RemovePort{Addr: addr, Interface: "eth*"}},
		{line: "add e0.1 eth*,", column: 10, reason: "with * for any characters"},
		{line: "del e0.1", want: target.RemovePort{Addr: addr}},
		{line: "del e0.1 #x", column: 10, reason: "write it on a line of its own: want del ADDRESS [INTERFACE]"},
		{line: "del e0.1 eth0 #x", want: target.RemovePort{Addr: addr, Interface: "eth0"}},
		{line: "add e0.1 eth0 #x", want: port},
		{line: "del e0.1 eth0", want: target.RemovePort{Addr: addr, Interface: "eth0"}},
		{line: "#"},
		{line: "add e0.1", column: 9, reason: "a word is missing: want add ADDRESS INTERFACE"},
		{line: "add e0.1 eth0 0", column: 15, reason: "want 1 to 65535"},
		{line: "add e0.1 eth0 16 256", column: 18, reason: "want 0 to 255"},
		{line: "add e0.1 a/b", column: 10, reason: "want the name of an Ethernet interface"},
		{line: "del e0.1 a/b", column: 10, reason: "want the name of an Ethernet interface"},
		{line: "add e0.1 eth0 loud", column: 15, reason: "buffer count"},
	})
}

func TestParseSetPort(t *testing.T) {
	port := target.SetPort{Addr: addr, Interface: "eth0", Buffers: 64}
	less := target.SetPort{Addr: addr, Interface: "*", Buffers: 16, Sectors: 2, Quiet: true}
	testParse(t, ParsePorts, []parseTest{
		{line: "set e0.1 eth0", want: port},
		{line: "set e0.1 * 16 2 quiet", want: less},
		{line: "set e0.1", column: 9, reason: "a word is missing: want set ADDRESS INTERFACE"},
		{line: "set e0.1 eth0 force", column: 15, reason: "buffer count"},
		{line: "set e0.1 a/b", column: 10, reason: "want the name of an Ethernet interface"},
	})
}

func TestParseLimits(t *testing.T) {
	testParse(t, ParseLimits, []parseTest{
		{line: "set eth0 1500 # of the switch", want: target.LimitMTU{Interface: "eth0", MTU: 1500}},
		{line: "set eth0 0x424", want: target.LimitMTU{Interface: "eth0", MTU: 1060}},
		{line: "del eth0", want: target.LimitMTU{Interface: "eth0"}},
		{line: " "},
		{line: "set eth0", column: 9, reason: "want set INTERFACE MTU"},
		{line: "set eth0 1059", column: 10, reason: "want 1060 to 65535"},
		{line: "set a/b 1500", column: 5, reason: "want the name of an Ethernet interface"},
		{line: "del eth0 1500", column: 10, reason: "one word too many"},
	})
	if got, want := string(ListLimits([]target.MTULimit{{Interface: "a", MTU: 1}, {Interface: "b", MTU: 2}})), "a 1\nb 2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseLoud(t *testing.T) {
	parse := func(value string) (target.Operation, error) { return ParseLoud(addr, value) }
	testParse(t, parse, []parseTest{
		{line: "1\n", want: target.SetLoud{Addr: addr, Loud: true}},
		{line: "0", want: target.SetLoud{Addr: addr}},
		{line: "yes", column: 1, reason: `loud "yes": want 0 or 1`},
	})
	if got := LoudText(target.BladeInfo{Loud: true}) + LoudText(target.BladeInfo{}); got != "1\n0\n" {
		t.Errorf("got %q", got)
	}
}

func TestParseHosts(t *testing.T) {
	parse := func(line string) (target.Operation, error) { return ParseHosts(addr, target.DenyList, line) }
	edit := func(remove bool, hosts ...aoe.MAC) target.EditHostList {
		return target.EditHostList{Addr: addr, List: target.DenyList, Hosts: hosts, Remove: remove}
	}
	set := func(hosts ...aoe.MAC) target.SetHosts {
		return target.SetHosts{Addr: addr, List: target.DenyList, Hosts: hosts}
	}
	testParse(t, parse, []parseTest{
		{line: "add 0:1:2:3:4:AB", want: edit(false, alice)},
		{line: "add 00:01:02:03:04:ab 00:01:02:03:04:05", want: edit(false, alice, bob)},
		{line: "del 00:01:02:03:04:ab", want: edit(true, alice)},
		{line: "set 00:01:02:03:04:05 00:01:02:03:04:ab", want: set(bob, alice)},
		{line: "clear", want: set()},
		{line: "# clear"},
		{line: "set", column: 4, reason: "want set MAC..."},
		{line: "clear all", column: 7, reason: "one word too many"},
		{line: "add 00:01:02:03:04:05 eth0", column: 23, reason: "want six hex pairs"},
		{line: "00:01:02:03:04:05", column: 1, reason: "want add MAC..., del MAC..., set MAC..., or clear"},
	})
}

func TestParseConfig(t *testing.T) {
	parse := func(value string) (target.Operation, error) { return ParseConfig(addr, value) }
	set := func(config string) target.SetConfig { return target.SetConfig{Addr: addr, Config: []byte(config)} }
	testParse(t, parse, []parseTest{
		{line: "host=a; lun=3\n", want: set("host=a; lun=3")},
		{line: "", want: set("")}, {line: "\n", want: set("")},
		{line: "two\nlines\n", want: set("two\nlines")},
		{line: "  blanks  ", want: set("  blanks  ")},
		{line: `say "hi"`, want: set(`say "hi"`)},
		{line: `"\x00\"\n"` + "\n", want: set("\x00\"\n")},
		{line: strings.Repeat("x", 1024), want: set(strings.Repeat("x", 1024))},
		{line: strings.Repeat("x", 1025), column: 1, reason: "1025 bytes: want at most 1024"},
		{line: `"open`, column: 1, reason: "must be a Go string"},
		{line: `"a" b`, column: 1, reason: "must be a Go string"},
	})
}

func TestParseValues(t *testing.T) {
	with := func(parse func(drive, value string) (target.Operation, error)) func(string) (target.Operation, error) {
		return func(value string) (target.Operation, error) { return parse("d", value) }
	}
	testParse(t, with(ParseReadOnly), []parseTest{
		{line: "1\n", want: target.SetReadOnly{Drive: "d", ReadOnly: true}},
		{line: "0", want: target.SetReadOnly{Drive: "d"}},
		{line: "yes", column: 1, reason: `readonly "yes": want 0 or 1`},
		{line: "\n", column: 1, reason: "nothing written: want 0 or 1"},
		{line: "1 0", column: 3, reason: "one word too many: want 0 or 1"},
	})
	testParse(t, with(ParseKeep), []parseTest{
		{line: "1", want: target.SetKeep{Drive: "d", Keep: true}}, {line: "0\n", want: target.SetKeep{Drive: "d"}},
		{line: "2", column: 1, reason: `keep "2"`},
	})
	testParse(t, with(ParsePause), []parseTest{
		{line: "1", want: target.SetPaused{Drive: "d", Paused: true}}, {line: "0\n", want: target.SetPaused{Drive: "d"}},
		{line: "on", column: 1, reason: `pause "on"`},
	})
	testParse(t, with(ParseFirmware), []parseTest{
		{line: "0x4000\n", want: target.SetFirmware{Drive: "d", Firmware: 0x4000}},
		{line: "65536", column: 1, reason: "want 0 to 65535"}, {line: "v1", column: 1, reason: "no number"}, {line: "", column: 1},
	})
	testParse(t, with(ParseResize), []parseTest{{line: "", want: target.Resize{Drive: "d"}}, {line: "1\n", want: target.Resize{Drive: "d"}}})
	testParse(t, with(ParseModel), []parseTest{
		{line: "my disk\n", want: target.SetModel{Drive: "d", Model: "my disk"}},
		{line: `" my disk"`, want: target.SetModel{Drive: "d", Model: " my disk"}},
		{line: `"\x00"x`, column: 1, reason: "model"},
	})
	testParse(t, with(ParseSerial), []parseTest{
		{line: "42\n", want: target.SetSerial{Drive: "d", Serial: "42"}},
		{line: `"\"42\""`, want: target.SetSerial{Drive: "d", Serial: `"42"`}},
		{line: `"42`, column: 1, reason: "serial number"},
	})
}

func TestFolderName(t *testing.T) {
	for name, want := range map[string]bool{"e0.1": true, "e65534.254": true, "0.1": false, "e00.1": false, "e0.01": false,
		"e65535.1": false, "e0.255": false, "e0.1 ": false, "e+0.1": false, "ports": false, "": false} {
		if _, ok := ParseFolderName(name); ok != want {
			t.Errorf("%q: got %v", name, ok)
		}
	}
}

func TestLists(t *testing.T) {
	s := target.State{
		Blades: []target.BladeInfo{{Addr: addr, Drive: "do"}, {Addr: aoe.Addr{Shelf: 7}, Drive: "x"}},
		Ports: []target.PortInfo{
			{Addr: addr, Interface: "eth0", Buffers: 64, EffectiveSectors: 16, Up: true},
			{Addr: addr, Interface: "*", Buffers: 16, Sectors: 2, Quiet: true, Forced: true},
		},
	}
	if got, want := string(ListBlades(s)), "e0.1 do 2\ne7.0 x 0\n"; got != want {
		t.Errorf("blades: got %q, want %q", got, want)
	}
	if got, want := string(ListPorts(s.Ports)), "e0.1 eth0 64 0 16 up\ne0.1 * 16 2 0 down quiet force\n"; got != want {
		t.Errorf("ports: got %q, want %q", got, want)
	}
	if got, want := string(ListHosts([]aoe.MAC{alice, bob})), "00:01:02:03:04:ab\n00:01:02:03:04:05\n"; got != want {
		t.Errorf("hosts: got %q, want %q", got, want)
	}
	now := time.Unix(1000, 0)
	initiators := []target.Initiator{{Interface: "eth0", Host: bob, Requests: 7, Last: now.Add(-90 * time.Second)}, {Interface: "eth1", Host: alice, Last: now.Add(time.Second)}}
	if got, want := string(ListInitiators(initiators, now)), "00:01:02:03:04:05 eth0 7 90\n00:01:02:03:04:ab eth1 0 0\n"; got != want {
		t.Errorf("initiators: got %q, want %q", got, want)
	}
	conflicts := []target.Conflict{{Interface: "eth0", Host: bob, Count: 3, Last: now}}
	if got, want := string(ListConflicts(conflicts, now)), "00:01:02:03:04:05 eth0 3 0\n"; got != want {
		t.Errorf("conflicts: got %q, want %q", got, want)
	}
}

func TestTexts(t *testing.T) {
	d := target.DriveInfo{Firmware: 2, Implicit: true, Paused: true, ReadOnly: true, Model: " m", Serial: "s"}
	if got, want := FirmwareText(d)+KeepText(d)+PauseText(d)+ReadOnlyText(d)+ModelText(d)+SerialText(d)+DriveState(d), "2\n0\n1\n1\n\" m\"\ns\npaused\n"; got != want {
		t.Errorf("drive: got %q, want %q", got, want)
	}
	d = target.DriveInfo{Down: "no such\nfile", Paused: true}
	if got := NoteText(target.DriveInfo{}) + NoteText(target.DriveInfo{Note: "gone\nfor ever"}); got != "gone?for ever\n" {
		t.Errorf("notes: got %q", got)
	}
	if got, want := DriveState(d)+KeepText(d)+DriveState(target.DriveInfo{}), "down no such?file\n1\nup\n"; got != want {
		t.Errorf("drive: got %q, want %q", got, want)
	}
	b := target.BladeInfo{Drive: "d", Config: []byte("a\\b"), Accept: []aoe.MAC{alice}, Deny: []aoe.MAC{bob}, Masks: []aoe.MAC{alice, bob}}
	if got, want := DriveName(b)+ConfigText(b)+ConfigText(target.BladeInfo{}), "d\n\"a\\\\b\"\n\n"; got != want {
		t.Errorf("blade: got %q, want %q", got, want)
	}
	for list, want := range map[target.HostList]int{target.AcceptList: 1, target.DenyList: 1, target.MaskList: 2, target.ReserveList: 0} {
		if got := Hosts(b, list); len(got) != want {
			t.Errorf("%v: got %v", list, got)
		}
	}
	if got, want := PortState(target.PortInfo{Up: true})+PortState(target.PortInfo{Down: "eth0 is missing"}), "up\ndown eth0 is missing\n"; got != want {
		t.Errorf("port: got %q, want %q", got, want)
	}
}
