package targettest

import (
	"strings"
	"testing"

	"vbladefs/target/aoe"
)

// A conversation that is not as written must be found out, with file and line.
func TestPlayerFindsWhatIsWrong(t *testing.T) {
	setup := []string{"interface eth0 mtu 1500", "disk d0", "drive d0", "port d0 0.1 eth0",
		"R eth0 eth0 > * 0.1 00000000 config read buffers 64 sectors 2"}
	for name, tt := range map[string]struct {
		lines []string
		wrong string
	}{
		"right":          {[]string{"T eth0 A > * 0.1 00000001 ata e5", "R eth0 eth0 > A 0.1 00000001 status 40 count 255"}, ""},
		"other register": {[]string{"T eth0 A > * 0.1 00000001 ata e5", "R eth0 eth0 > A 0.1 00000001 status 40 count 254"}, "x.txt:6:"},
		"other padding":  {[]string{"T eth0 A > * 0.1 00000001 ata e5", "R eth0 eth0 > A 0.1 00000001 status 40 count 255 pad 61"}, "x.txt:6:"},
		"no silence":     {[]string{"T eth0 A > * 0.1 00000001 ata e5"}, "silence"},
		"silence":        {[]string{"T eth0 A > * 0.2 00000001 ata e5", "R eth0 eth0 > A 0.2 00000001 status 40 count 255"}, "got\n\tsilence"},
		"one too many":   {[]string{"announce", "R eth0 eth0 > * 0.1 00000000 config read buffers 64 sectors 3"}, "x.txt:6:"},
		"sectors":        {[]string{"S d0 3+1 @4+1"}, "got  S d0 3+1 @3+1"},
		"statistics":     {[]string{"P 0.1 eth0 up sectors 2 reads 1"}, "got  P 0.1 eth0 up sectors 2"},
	} {
		p := &player{t: t, file: "x.txt", rig: MemoryRig(t), disks: map[string]string{}, announced: map[string]bool{}}
		p.netifs = map[string]aoe.MAC{}
		p.play(append(setup[:len(setup):len(setup)], tt.lines...))
		got := strings.Join(p.wrong, "\n")
		if (tt.wrong == "") != (got == "") || !strings.Contains(got, tt.wrong) {
			t.Errorf("%s: said %q, want something with %q", name, got, tt.wrong)
		}
	}
}

// Every word of the notation, there and back.
func TestNotation(t *testing.T) {
	n := notation{netifs: map[string]aoe.MAC{"eth0": MAC("eth0")}}
	for _, line := range []string{
		"A > eth0 0.1 00000001 ata 24 flags 40 count 8 lba 17",
		"A > eth0 0.1 00000001 ata b0 feature da count 1 lba 0xffc24f00",
		"* > * *.* 89abcdef config test buffers 1 firmware 00ff sectors 3 \"a b\\\"c\"",
		"A > 00:01:02:03:04:05 1.* 00000001 config 7 \"x\"*40",
		"A > eth0 0.1 00000001 mask edit add B del C 9 D A",
		"A > eth0 0.1 00000001 reserve force A B",
		"A > eth0 0.1 00000001 command 9",
	} {
		w := splitWords(line)
		frame := n.parse(w, false)
		if got := n.format(frame, false); w.err != nil || got != line {
			t.Errorf("%s\nis read as %s, %v", line, got, w.err)
		}
	}
	for _, line := range []string{"", "A", "A eth0 0.1 1 ata e5", "E > eth0 0.1 1 ata e5", "A > eth0 0 1 ata e5", "A > eth0 0.256 1 ata e5",
		"A > eth0 0.1 x ata e5", "A > eth0 0.1 1 ata", "A > eth0 0.1 1 ata 100", "A > eth0 0.1 1 ata e5 e5", "A > eth0 0.1 1 config what",
		"A > eth0 0.1 1 config set \"x", "A > eth0 0.1 1 mask edit what A", "A > eth0 0.1 1 atta", "A > eth0 0.1 1 reserve set what"} {
		w := splitWords(line)
		if frame := n.parse(w, false); w.err == nil {
			t.Errorf("%q is read as % x", line, frame)
		}
	}
}
