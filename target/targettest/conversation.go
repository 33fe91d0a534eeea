package targettest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vbladefs/target/aoe"
)

// Run plays every conversation of dir, testdata/*.txt, each over a rig of its
// own. With update it rewrites what the target answers instead of comparing.
//
// A conversation is a text file. A line says what is done, the lines behind it
// what follows from that, and all that does:
//
//	T eth0 A > * *.* 00000001 config read          initiator A transmits on eth0
//	R eth0 eth0 > A 0.1 00000001 config read …     and this is sent on eth0
//
// notation.parse describes frames: whole ones, so that a reply's padding and
// reserved bits are held too. Other lines change the target (control.go) or ask
// about it (ask.go). A repeated announcement is no reply to anything and may
// come at any time. # begins a comment.
func Run(t *testing.T, dir string, update bool, newRig func(testing.TB) Rig) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations in %s: %v", dir, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := &player{t: t, file: file, rig: newRig(t), disks: map[string]string{}, announced: map[string]bool{}}
			p.notation.netifs = map[string]aoe.MAC{}
			lines := p.play(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
			if update && !t.Failed() {
				if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, wrong := range p.wrong {
				t.Error(wrong)
			}
		})
	}
}

// player plays one conversation.
type player struct {
	notation
	t         *testing.T
	file      string
	line      int // the one being played, from 1
	rig       Rig
	disks     map[string]string // paths
	announced map[string]bool   // interface and frame of announcements that were expected
	wrong     []string          // answers that are not as written
	did       bool
}

// play returns the lines as they should be. What is wrong with the file itself
// ends the test.
func (p *player) play(lines []string) []string {
	var out []string
	for i := 0; i < len(lines); i++ {
		p.line = i + 1
		w := splitWords(lines[i])
		if !w.more() || strings.HasPrefix(w.list[0], "#") {
			out = append(out, lines[i])
			continue
		}
		answer, asked := p.ask(w)
		if asked {
			p.check(w)
			if answer != lines[i] {
				p.miss("got  %s\nwant %s", answer, lines[i])
			}
			out = append(out, answer)
			continue
		}
		p.act(w)
		p.check(w)
		end := i + 1
		for end < len(lines) && strings.HasPrefix(lines[end], "R ") {
			end++
		}
		out = append(append(out, lines[i]), p.replies(lines[i+1:end])...)
		i = end - 1
	}
	if !p.did {
		p.t.Fatalf("%s says nothing", p.file)
	}
	return out
}

// check ends the test if a line could not be read.
func (p *player) check(w *words) {
	p.t.Helper()
	if w.err == nil && w.more() {
		w.fail("%q is left over", w.list)
	}
	if w.err != nil {
		p.t.Fatalf("%s:%d: %v", p.file, p.line, w.err)
	}
}

func (p *player) miss(format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf("%s:%d:\n", p.file, p.line)+fmt.Sprintf(format, args...))
}

// act transmits, or changes the target.
func (p *player) act(w *words) {
	p.did = true
	if !w.accept("T") {
		p.control(w)
		return
	}
	netif := w.next("interface")
	if _, ok := p.netifs[netif]; !ok {
		w.fail("interface %q: this conversation has %v", netif, slices.Sorted(maps.Keys(p.netifs)))
	}
	frame := p.parse(w, false)
	if w.err == nil {
		p.rig.Send(netif, frame)
	}
}

// replies compares what was sent with the R lines that expect it, and returns
// the lines for what was sent.
func (p *player) replies(expected []string) []string {
	want := map[string][][]byte{}
	for i, line := range expected {
		w := splitWords(line)
		w.accept("R")
		netif := w.next("interface")
		frame := p.parse(w, true)
		if _, ok := p.netifs[netif]; !ok || w.err != nil {
			p.t.Fatalf("%s:%d: interface %s: %v", p.file, p.line+1+i, netif, w.err)
		}
		want[netif] = append(want[netif], frame)
	}
	var lines []string
	for _, netif := range slices.Sorted(maps.Keys(p.netifs)) {
		var got []string
		for _, frame := range p.collect(netif, want[netif]) {
			got = append(got, "R "+netif+" "+p.format(frame, true))
		}
		lines = append(lines, got...)
		var missed []string
		for _, frame := range want[netif] {
			missed = append(missed, "R "+netif+" "+p.format(frame, true))
		}
		if !slices.Equal(got, missed) {
			p.miss("got\n\t%s\nwant\n\t%s", orSilence(got), orSilence(missed))
		}
	}
	return lines
}

func orSilence(lines []string) string {
	if len(lines) == 0 {
		return "silence"
	}
	return strings.Join(lines, "\n\t")
}

// collect returns what was sent on the interface, without announcements that
// are repeated where none is wanted, and without queries for neighbours.
func (p *player) collect(netif string, want [][]byte) [][]byte {
	var got [][]byte
	for _, frame := range p.rig.Collect(netif, len(want)) {
		h, ok := aoe.DecodeHeader(frame)
		if ok && !h.Response {
			continue
		}
		announcement := ok && h.Command == aoe.CmdConfig && h.Tag == 0
		wanted := len(got) < len(want) && string(want[len(got)]) == string(frame)
		if announcement && !wanted && p.announced[netif+string(frame)] {
			continue
		}
		if announcement {
			p.announced[netif+string(frame)] = true
		}
		got = append(got, frame)
	}
	return got
}
