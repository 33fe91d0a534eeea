package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
)

// The hosts of the table: the lists name A or B, never C.
var gateHosts = map[string]aoe.MAC{"A": {2, 0, 0, 0, 0, 0xa}, "B": {2, 0, 0, 0, 0, 0xb}, "C": {2, 0, 0, 0, 0, 0xc}}

// stranger is who gets onto a list if a refused command takes effect.
var stranger = aoe.MAC{2, 0, 0, 0, 0, 0xee}

// gateState is what is set for an export: by the name of the file, the hosts of a
// list, or for an access list "only A" or "not A"; and readonly.
type gateState map[string]string

var (
	hostFiles   = []string{"accept", "deny", "masks", "reserve"}
	accessFiles = []string{"cfgread", "cfgset", "read", "write"}
)

// dimensions are the values of each file besides none.
func dimensions() (files []string, values [][]string) {
	for _, f := range hostFiles {
		files, values = append(files, f), append(values, []string{"A", "B"})
	}
	for _, f := range accessFiles {
		files, values = append(files, f), append(values, []string{"only A", "not A"})
	}
	return append(files, "readonly"), append(values, []string{"1"})
}

// outcome is what becomes of a command.
type outcome int

const (
	passes outcome = iota
	unanswered
	aborted
	fenced
)

func (o outcome) String() string { return [...]string{"pass", "silence", "ABRT", "error 6"}[o] }

// expects is the manual, vbladefs-ctl(5), and the protocol in a few lines.
func (s gateState) expects(k gateKind, host string, wildcard bool) outcome {
	may := func(file string) bool {
		return s[file] == "" || (s[file] == "only A") == (host == "A")
	}
	onlyFor := func(file string) bool { return s[file] == "" || s[file] == host }
	list := map[gateKind]string{kindAsk: "cfgread", kindAskList: "cfgread", kindStore: "cfgset", kindStoreList: "cfgset",
		kindRead: "read", kindIdentify: "read", kindWrite: "write", kindSync: "write"}[k]
	isATA := k >= kindPlain
	switch {
	case s["deny"] == host || !onlyFor("accept") || !onlyFor("masks"):
		return unanswered
	case wildcard && (isATA && k != kindIdentify || k == kindStoreList):
		return unanswered
	case list != "" && !may(list) && isATA:
		return aborted
	case list != "" && !may(list):
		return unanswered
	case isATA && k != kindIdentify && !onlyFor("reserve"):
		return fenced
	case k == kindWrite && s["readonly"] != "":
		return aborted
	}
	return passes
}

func (s gateState) String() string {
	var words []string
	files, _ := dimensions()
	for _, f := range files {
		if s[f] != "" {
			words = append(words, f+"="+s[f])
		}
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// gateRig is a daemon with the export of the table, 0.1, and beside it 0.2, which
// nothing forbids and nothing of the table may change.
type gateRig struct {
	*daemon
	*raw
	t                 *testing.T
	path, path2       string
	content, content2 []byte
	frames            int
	wildcards         int // requests that frames made of them, both exports'
	began             time.Time
	was               gateState // what was set last
}

var gated, beside = aoe.Addr{Slot: 1}, aoe.Addr{Slot: 2}

const storedConfig = "kept"

func newGateRig(t *testing.T) *gateRig {
	t.Helper()
	here, there := netiotest.Pair(t, 1500)
	g := &gateRig{t: t, daemon: serve(t, here, "-cache", "writeback")}
	g.path, g.content = image(t, 64<<10)
	g.path2, g.content2 = image(t, 64<<10)
	g.echo("add d "+g.path, "vblade/drives")
	g.echo("add eth0 0 1", "vblade/d/ports")
	g.echo("add o "+g.path2, "vblade/drives")
	g.echo("add eth0 0 2", "vblade/o/ports")
	g.echo(storedConfig, "targets/e0.1/config")
	g.raw = newRaw(t, here, there, beside)
	return g
}

// set makes s the state of the export, through the control tree.
func (g *gateRig) set(s gateState) {
	g.t.Helper()
	line := func(file string) string {
		switch v := s[file]; v {
		case "":
			return "clear"
		case "only A":
			return "set reject accept " + gateHosts["A"].String()
		case "not A":
			return "set accept reject " + gateHosts["A"].String()
		default:
			return "set " + gateHosts[v].String()
		}
	}
	for _, file := range append(append([]string{}, hostFiles...), accessFiles...) {
		if g.was[file] != s[file] {
			g.write("targets/e0.1/"+file, line(file))
		}
	}
	g.was = s
	g.write("vblade/d/readonly", map[bool]string{false: "0", true: "1"}[s["readonly"] != ""])
}

func (g *gateRig) write(file, line string) {
	g.t.Helper()
	f, err := os.OpenFile(filepath.Join(g.dir, file), os.O_WRONLY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	_, err = f.WriteString(line + "\n")
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		g.t.Fatalf("%s > %s: %v: %s", line, file, err, g.lastEvent())
	}
}

// unchanged checks that no command has changed what is kept for the export.
func (g *gateRig) unchanged(s gateState) {
	g.t.Helper()
	for _, file := range hostFiles {
		want := ""
		if s[file] != "" {
			want = gateHosts[s[file]].String() + "\n"
		}
		if got := g.daemon.read("targets/e0.1/" + file); got != want {
			g.t.Errorf("%v: afterwards %s is %q, want %q", s, file, got, want)
		}
	}
	if got := g.daemon.read("targets/e0.1/config"); strings.TrimSpace(got) != storedConfig {
		g.t.Errorf("%v: afterwards the config string is %q", s, got)
	}
	checkFile(g.t, g.path, g.content)
	checkFile(g.t, g.path2, g.content2)
}

// play sends every command from every host to each of the addresses, and checks
// each answer.
func (g *gateRig) play(s gateState, commands []gateCommand, addrs []aoe.Addr) {
	g.t.Helper()
	g.set(s)
	var frames [][]byte
	var checks []func(map[uint32][][]byte)
	want := 0
	flush := func() {
		g.pace()
		replies := g.exchange(frames, want)
		for _, check := range checks {
			check(replies)
		}
		frames, checks, want = nil, nil, 0
	}
	for host, mac := range gateHosts {
		for _, c := range commands {
			for i, addr := range addrs {
				o := s.expects(c.kind, host, addr.Wildcard())
				frame := c.frame(g, s, mac, addr, o == passes)
				if (i+len(frames))%2 == 0 {
					copy(frame, aoe.Broadcast[:])
				}
				tag, wanted := g.tag, c.answer(s, host, o, addr.Wildcard())
				if wanted != "" {
					want++
				}
				frames = append(frames, frame)
				checks = append(checks, func(replies map[uint32][][]byte) {
					if got := g.answer(replies[tag]); got != wanted {
						g.t.Errorf("%v: %s from %s to %v is answered by %q, want %q", s, c.name, host, addr, got, wanted)
					}
				})
				g.frames++
				if addr.Wildcard() {
					g.wildcards += 2
				}
				if len(frames) == 32 {
					flush()
				}
			}
			if g.t.Failed() {
				g.t.FailNow()
			}
		}
	}
	flush()
	g.unchanged(s)
}

// pace keeps wildcards to what the daemon serves of them in a second, and less
// than it serves at once.
func (g *gateRig) pace() {
	const atOnce, aSecond = 30000, 40000
	if g.began.IsZero() {
		g.began = time.Now()
	}
	over := float64(g.wildcards-atOnce)/aSecond - time.Since(g.began).Seconds()
	if over > 0 {
		time.Sleep(time.Duration(over * float64(time.Second)))
	}
}

// answer is what 0.1 has answered, in a word; empty for silence.
func (g *gateRig) answer(replies [][]byte) (said string) {
	for _, reply := range replies {
		h, _ := aoe.DecodeHeader(reply)
		if h.Addr != gated {
			continue
		}
		if said != "" {
			return "two replies"
		}
		said = "ok"
		if h.Failed {
			said = fmt.Sprintf("error %d", h.Error)
		} else if h.Command == aoe.CmdATA {
			a, _, _ := aoe.DecodeATA(reply)
			said = fmt.Sprintf("%02x/%02x", a.Command, a.Feature)
		}
	}
	return said
}

// TestGate: each AoE command and sub-command and each ATA command, with each list
// and with each pair of lists, from a host that is on it and from others, to the
// address and to wildcards, in frames to the interface and to all.
func TestGate(t *testing.T) {
	t.Parallel()
	g := newGateRig(t)
	files, values := dimensions()
	all, few := gateCommands(), fewGateCommands()
	exact, any := []aoe.Addr{gated}, aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}
	forms := append(exact, any, aoe.Addr{Shelf: aoe.AnyShelf, Slot: 1}, aoe.Addr{Slot: aoe.AnySlot})
	g.play(gateState{}, all, forms)
	states := 1
	for i, file := range files {
		for _, value := range values[i] {
			g.play(gateState{file: value}, all, forms[:2])
			states++
			for j := range i {
				for _, other := range values[j] {
					g.play(gateState{file: value, files[j]: other}, few, forms)
					states++
				}
			}
		}
	}
	t.Logf("%d frames, %d states of the lists, %d commands", g.frames, states, len(all))
}
