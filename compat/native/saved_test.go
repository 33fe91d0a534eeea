package native

import (
	"fmt"
	"strings"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

func TestSaved(t *testing.T) {
	plain := target.DriveInfo{Name: "do", Path: "/dev/loop2", Cache: target.CacheDirect,
		Model: "EtherDrive(R) vblade-kernel", Serial: "do", Firmware: 3}
	rich := target.DriveInfo{Name: "loop0", Path: "/dev/loop0", Cache: target.CacheDurable, ReadOnly: true, Forced: true,
		Model: "EtherDrive(R) kvblade", Serial: " SN", Firmware: 2, Implicit: true, Paused: true, Down: "gone", Sectors: 8, Offset: 7, Length: 9}
	plain.ReadOnly, plain.Unwritable, plain.Auto = true, true, true // at the moment
	asked := plain
	asked.Name, asked.Serial, asked.Unwritable = "asked", "asked", false
	s := target.State{
		Drives: []target.DriveInfo{plain, rich, asked},
		Blades: []target.BladeInfo{
			{Addr: addr, Drive: "do"},
			{Addr: aoe.Addr{Shelf: 7}, Drive: "loop0", Config: []byte("a\n"), Loud: true, Accept: []aoe.MAC{alice, bob}, Deny: []aoe.MAC{bob},
				Masks: []aoe.MAC{alice}, Reserve: []aoe.MAC{bob, alice},
				Access: [target.AccessPoints]*target.AccessList{
					target.ReadConfig: {Accept: true},
					target.WriteData:  {Name: "my list", Log: true, Rows: []target.AccessRow{{Host: alice, Accept: true}, {Host: bob}}}}},
		},
		Limits: []target.MTULimit{{Interface: "eth0", MTU: 1500}},
		Ports: []target.PortInfo{
			{Addr: aoe.Addr{Shelf: 7}, Interface: "eth1", Buffers: 64, Sectors: 8, Quiet: true, Forced: true, Down: "gone"},
			{Addr: addr, Interface: "*", Buffers: 64, Up: true, EffectiveSectors: 16},
			{Addr: addr, Interface: "eth0", Buffers: 32},
		},
	}
	want := `# vbladefs state 2
vblade/drives add do /dev/loop2 auto
vblade/drives add loop0 /dev/loop0 ro force durable offset=7 length=9
vblade/loop0/model EtherDrive(R) kvblade
vblade/loop0/serial " SN"
vblade/loop0/firmware 2
vblade/loop0/keep 0
vblade/drives add asked /dev/loop2 auto
vblade/asked/readonly 1
targets/blades add e0.1 do
targets/blades add e7.0 loop0
targets/e7.0/accept set 00:01:02:03:04:ab 00:01:02:03:04:05
targets/e7.0/deny set 00:01:02:03:04:05
targets/e7.0/masks set 00:01:02:03:04:ab
targets/e7.0/reserve set 00:01:02:03:04:05 00:01:02:03:04:ab
targets/e7.0/cfgread set accept
targets/e7.0/write set reject name="my\x20list" log
targets/e7.0/write add accept 00:01:02:03:04:ab reject 00:01:02:03:04:05
targets/e7.0/loud 1
targets/e7.0/config "a\n"
targets/limits set eth0 1500
targets/ports add e7.0 eth1 64 8 quiet force
targets/ports add e0.1 *
targets/ports add e0.1 eth0 32
# end 23
`
	if got := string(Saved(s)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := string(Saved(target.State{})); got != "# vbladefs state 2\n# end 0\n" {
		t.Errorf("nothing: got %q", got)
	}
}

// TestForm cuts a state at every byte: none of the pieces is taken for a state,
// but for what lacks the last newline only.
func TestForm(t *testing.T) {
	whole := string(Saved(target.State{Drives: []target.DriveInfo{{Name: "do", Path: "/dev/loop2", Cache: target.CacheDirect}, {Name: "cd", Path: "/dev/sr0"}},
		Blades: []target.BladeInfo{{Drive: "do", Config: []byte("x")}}}))
	for cut := range len(whole) - 1 {
		if line, err := CheckForm([]byte(whole[:cut])); err == nil || line < 1 || line > strings.Count(whole[:cut], "\n")+1 {
			t.Errorf("%q: got line %d, %v", whole[:cut], line, err)
		}
	}
	lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	for i := range lines {
		part := strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "")
		if _, err := CheckForm([]byte(part)); (err == nil) != (lines[i] == "\n") {
			t.Errorf("without %q: %v", lines[i], err)
		}
	}
	for state, want := range map[string]string{
		whole: "", strings.TrimSuffix(whole, "\n"): "",
		Header + "\n# end\n": "", Header + "\n# mine\n\na b\n# end\n\n# more\n": "", oldHeader + "\na b\n": "", oldHeader + "\n": "",
		"":                                "1: the file is empty",
		oldHeader:                         "1: no state: its first line is",
		oldHeader + "\na b":               "2: the state is cut off: its last line does not end",
		Header + "\na b\n":                "2: the state is cut off: it has no end line; if nothing is missing, add \"# end 1\"",
		Header + "\na b\n# end 2\n":       "3: the end line tells of 2 commands, and there are 1",
		Header + "\na b\n# end 1\nc d\n":  "4: a command behind the end line, which is line 3",
		Header + "\na b\n# end":           "3: the state is cut off within its end line",
		"# vbladefs state 3\n# end 0\n":   "1: malformed command: a state of another version, \"3\": want",
		Header + "\r\na b\r\n# end 1\r\n": "1: malformed command: the lines end with carriage return and newline",
		"hello\n":                         "1: no state: its first line is \"hello\": want \"# vbladefs state 2\"",
	} {
		line, err := CheckForm([]byte(state))
		got := ""
		if err != nil {
			got = fmt.Sprintf("%d: %v", line, err)
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%q: got %q, want %q", state, got, want)
		}
	}
}
