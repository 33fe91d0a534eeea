package fusectl

import (
	"fmt"
	"strings"
	"testing"

	"vbladefs/target/aoe"
)

// TestCheck has every kind of mistake found, with its place.
func TestCheck(t *testing.T) {
	const drives = "vblade/drives add do /dev/loop2\ntargets/blades add e0.1 do\n"
	tests := []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"a saved state", "# vbladefs state 1\n" + drives + "targets/e0.1/config hello\ntargets/ports add e0.1 eth0\nvblade/do/keep 0\n", ""},
		{"no last newline, blank lines, comments", "# mine\n\n \t\n  # x\n" + strings.TrimSuffix(drives, "\n"), ""},
		{"by any part of the tree", "kvblade/add 0 0 eth0 /dev/loop0\naoeserver add /dev/loop1 0 1\naoeserver hostmask 0 1 0:1:2:3:4:5\n" +
			"vblade/loop0/ports add eth1 0 0\ntargets/e0.0/readonly 1\nkvblade/0.0@eth0/sn x\nkvblade/announce 1\nkvblade/del 0 0 eth0\nsaved save\n", ""},
		{"missing in this machine", "vblade/drives add do /no/such/disk\nvblade/do/ports add nosuch0 0 1\n", ""},
		{"another version", "# vbladefs state 3\nvblade/drives add\n", "1:18: malformed command: a state of another version, \"3\": want \"# vbladefs state 2\""},
		{"version of another line", "\n# vbladefs state 3\n", ""},
		{"no such file", " vblade/drive add do /dev/loop2\n", `1:2: no such file: "vblade/drive": there is no "drive"`},
		{"no such object", drives + "targets/e0.2/config x\n", `3:1: no such file: "targets/e0.2/config": there is no "e0.2"`},
		{"below a file", "aoeserver/add x\n", `1:1: no such file: "aoeserver/add": there is no "add"`},
		{"outside", "../x y\n", `1:1: no such file: "../x": there is no ".."`},
		{"a folder", drives + "targets/e0.1 x\n", "3:1: no such file: targets/e0.1 is a folder"},
		{"not to be written", "vblade/stats 0\n", "1:1: vblade/stats: nothing may be written here"},
		{"malformed", "vblade/drives add do\n", "1:21: malformed command: a word is missing: want add NAME PATH"},
		{"bad number", drives + "targets/ports  add e0.1 eth0 16x\n", `3:30: malformed command: buffer count "16x"`},
		{"bad list", drives + "targets/e0.1/accept set 00:01:02:03:04:05 x\n", "3:43: malformed command: bad MAC address"},
		{"bad name", "vblade/drives add a/b /dev/loop2\n", "1:19: malformed command: drive name"},
		{"relative path", "kvblade/add 0 0 eth0 disk\n", `1:22: malformed command: path "disk" is not absolute`},
		{"unknown drive", "targets/blades add e0.1 do\n", "1:25: no such drive"},
		{"unknown address", "targets/ports add e0.1 eth0\n", "1:19: no such port"},
		{"duplicate name", drives + "vblade/drives add do /dev/loop3\n", "3:19: name in use"},
		{"duplicate address", drives + "targets/blades add e0.1 do\n", "3:20: address in use"},
		{"duplicate port", drives + "targets/ports add e0.1 eth0\ntargets/ports add e0.1 eth0\n", "4:19: address in use"},
		{"port beside one on all interfaces", drives + "targets/ports add e0.1 *\nvblade/do/ports add eth0 0 1\n", "4:21: address in use"},
		{"taken, as kvblade", "kvblade/add 0 0 eth0 /dev/loop0\nkvblade/add 0 0 eth0 /dev/loop0\n", "2:13: address in use"},
		{"drive in use", drives + "vblade/drives del do\n", "3:19: still in use"},
		{"too long", "vblade/drives add do /" + strings.Repeat("x", 5000) + "\n", "1:15: command too long"},
		{"all of them", "vblade/drives add\n" + drives + "targets/ports add e0.2 eth0\naoeserver list\n",
			"1:18: malformed command\n4:19: no such port\n5:11: malformed command"},
		{"a mistaken drive", "vblade/drives add do /dev/loop2 ro wrong\ntargets/blades add e0.1 do\nvblade/do/keep 0\nvblade/do/ports add eth0 0 2\n" +
			"targets/ports add e0.1 eth0\ntargets/e0.1/config x\n", `1:36: malformed command: "wrong" is one word too many`},
		{"a drive nobody can read", "vblade/drives add d/o /dev/loop2\n" + strings.SplitAfter(drives, "\n")[1] + "vblade/do/keep 0\n", "1:19: malformed command: drive name"},
		{"a mistyped file", "vblade/drive add do /dev/loop2\ntargets/blade add e0.1 do\nvblade/do/keep 0\ntargets/ports add e0.1 eth0\n",
			`1:1: no such file: "vblade/drive"` + "\n" + `2:1: no such file: "targets/blade"`},
		{"an address nobody can read", strings.Replace(drives, "e0.1", "e0.x", 1) + "targets/e0.1/config x\ntargets/ports add e0.1 eth0\n", `2:20: malformed command: address "e0.x"`},
		{"a drive that is nowhere", "targets/blades add e0.1 do\ntargets/blades add e0.2 do\ntargets/ports add e0.1 eth0\n", "1:25: no such drive"},
		{"another mistake on the line", drives + "targets/e0.2/deny set 0:1:2:3:4:5 zz\ntargets/e0.2/deny add y\n",
			"3:1: no such file\n3:35: malformed command: bad MAC address\n4:23: malformed command: bad MAC address"},
		{"mistakes of their own behind one", "vblade/drives add do\ntargets/blades add e0.1 do\ntargets/ports add e0.1 eth0 0\nvblade/do/keep 2\n",
			"1:21: malformed command\n3:29: number out of range: buffer count\n4:16: malformed command: keep"},
		{"the wrong order", "targets/blades add e0.1 do\nvblade/drives add do /dev/loop2\nvblade/drives add do /dev/loop2\n", "1:25: no such drive\n3:19: name in use"},
		{"an address of another tree", "kvblade/add 0 0 eth0 disk\nkvblade/0.0@eth0/sn x\ntargets/e0.0/config x\n", "1:22: malformed command: path"},
		{"too many hosts", drives + "targets/e0.1/deny set" + manyHosts(230) + "\n", fmt.Sprintf("3:%d: table full", 23+18*aoe.MaxListed)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mistakes, want := Check([]byte(tt.text)), strings.Split(tt.want, "\n")
			if tt.want == "" {
				want = nil
			}
			if len(mistakes) != len(want) {
				t.Fatalf("got %v, want %q", mistakes, want)
			}
			for i, m := range mistakes {
				if !strings.HasPrefix(m.String(), want[i]) {
					t.Errorf("got %v, want %s", m, want[i])
				}
			}
		})
	}
}

// manyHosts are n words.
func manyHosts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " 02:00:00:00:00:%02x", i)
	}
	return b.String()
}

// TestCheckWhole has a copy that was cut off found out.
func TestCheckWhole(t *testing.T) {
	whole := manyExports(3)
	if m := CheckWhole([]byte(whole)); len(m) > 0 {
		t.Errorf("a whole state: %v", m)
	}
	lines := strings.SplitAfter(whole, "\n")
	for n := range len(lines) - 2 {
		m := CheckWhole([]byte(strings.Join(lines[:n+1], "")))
		if len(m) != 1 || m[0].Line != n+1 || !strings.Contains(m[0].Err.Error(), "cut off") {
			t.Errorf("%d lines of it: %v", n+1, m)
		}
	}
	m := CheckWhole([]byte("# vbladefs state 2\nvblade/drives add\n"))
	if len(m) != 2 || m[0].Column != 18 || m[1].Line != 2 {
		t.Errorf("cut off, with a mistake: %v", m)
	}
	if m := CheckWhole([]byte("# vbladefs state 1\nvblade/drives add do /dev/loop2\n")); len(m) > 0 {
		t.Errorf("of version 1: %v", m)
	}
}

func TestMistakeKeepsTheLine(t *testing.T) {
	m := Check([]byte(" targets/blades\tadd e0.1  do \n"))
	if len(m) != 1 || m[0].File != "targets/blades" || m[0].Text != "add e0.1  do " {
		t.Errorf("got %+v", m)
	}
}

// manyExports is the saved state of n exports.
func manyExports(n int) string {
	var b strings.Builder
	b.WriteString("# vbladefs state 2\n")
	for i := range n {
		fmt.Fprintf(&b, "vblade/drives add d%d /disks/%d\nvblade/d%d/serial s%d\n", i, i, i, i)
	}
	for i := range n {
		fmt.Fprintf(&b, "targets/blades add e%d.%d d%d\ntargets/e%d.%d/config c%d\n", i/100, i%100, i, i/100, i%100, i)
	}
	for i := range n {
		fmt.Fprintf(&b, "targets/ports add e%d.%d eth0\n", i/100, i%100)
	}
	fmt.Fprintf(&b, "# end %d\n", 5*n)
	return b.String()
}

// TestManyExports has a state come back from a size at which what grows with the
// square of it would show.
func TestManyExports(t *testing.T) {
	saved := manyExports(10000)
	e := newEngine("", logTo(t))
	Replay([]byte(saved), e, true, func(m Mistake) { t.Error(m) })
	if got := string(Saved(e.State())); got != saved {
		t.Errorf("%d bytes come back as %d", len(saved), len(got))
	}
}

func BenchmarkCheck(b *testing.B) {
	saved := []byte(manyExports(10000))
	for b.Loop() {
		if m := Check(saved); len(m) > 0 {
			b.Fatal(m[0])
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, text := range []string{"# vbladefs state 1\nvblade/drives add do /dev/loop2\ntargets/blades add e0.1 do\ntargets/ports add e0.1 *\n",
		"kvblade/add 0 0 eth0 /dev/loop0\nkvblade/readd 0 0 eth0 /x\nkvblade/0.0@eth0/sn 1", "# vbladefs state 9", "a b\n\n#\ntargets/e0.1 /", "saved\n../x",
		"aoeserver add /x 0 1\naoeserver del - 0 1\ntargets/e0.1/readonly 1\nvblade/x/pause 1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for _, m := range Check([]byte(text)) {
			if m.Line < 1 || m.Line > len(lines) || m.Column < 1 || m.Column > len(lines[m.Line-1])+1 || m.Err == nil {
				t.Errorf("%q: impossible mistake %+v", text, m)
			}
		}
	})
}
