package fusectl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/target"
)

// restoring has an engine restore a state, and returns what was done and what
// was not.
func restoring(t *testing.T, e Engine, saved string, exact bool) (did, failed []string) {
	t.Helper()
	want := examine([]byte(saved), func(m Mistake) { t.Fatalf("%v in\n%s", m, saved) })
	defer want.close()
	r := restorer{engine: e, wanted: want, exact: exact,
		did:    func(s step) { did = append(did, s.file+" "+s.text) },
		failed: func(m Mistake, _ int) { failed = append(failed, m.String()) }}
	r.run()
	return did, failed
}

// has makes a state of lines.
func has(lines ...string) string {
	return fmt.Sprintf("# vbladefs state 2\n%s\n# end %d\n", strings.Join(lines, "\n"), len(lines))
}

// TestRestore brings one state to another.
func TestRestore(t *testing.T) {
	base := []string{"vblade/drives add do /dev/x", "targets/blades add e0.1 do", "targets/ports add e0.1 eth0"}
	with := func(more ...string) string { return has(append(slices.Clone(base), more...)...) }
	other := func(at int, line string) string {
		lines := slices.Clone(base)
		lines[at] = line
		return has(lines...)
	}
	tests := []struct {
		name, from, to string
		exact          bool
		did, failed    string // joined by "; "; beginnings of failures
	}{
		{"the same", with(), with(), false, "", ""},
		{"the same, exact", with(), with(), true, "", ""},
		{"from nothing", "# vbladefs state 2\n# end\n", with("vblade/do/serial x"), false,
			strings.Join(base[:1], "") + "; " + base[1] + "; " + base[2], ""},
		{"values are set in place", with("vblade/do/keep 0", "targets/e0.1/config old", "targets/e0.1/deny set 02:00:00:00:00:01"),
			with("vblade/do/model m", "vblade/do/serial s", "vblade/do/firmware 7", "vblade/do/cache durable", "vblade/do/readonly 1",
				"targets/e0.1/config new", "targets/e0.1/accept set 02:00:00:00:00:02"), true,
			"vblade/do/model m; vblade/do/serial s; vblade/do/firmware 7; vblade/do/keep 1; vblade/do/cache durable; vblade/do/readonly 1; " +
				"targets/e0.1/accept set 02:00:00:00:00:02; targets/e0.1/deny clear; targets/e0.1/config new", ""},
		{"what the file does not have stays", with("vblade/drives add cd /dev/y", "targets/ports add e0.1 eth1"), with(), false, "", ""},
		{"or goes", with("vblade/drives add cd /dev/y", "targets/blades add e9.9 cd", "targets/ports add e0.1 eth1"), with(), true,
			"targets/ports del e0.1 eth1; targets/blades del e9.9; vblade/drives del cd", ""},
		{"another disk is refused", with(), other(0, "vblade/drives add do /dev/y"), false, "",
			"2:22: name in use: drive do is /dev/x, and stays as it is with its addresses; `vbladefs restore -exact` replaces it"},
		{"another part of a disk, too", other(0, base[0]+" offset=8"), with(), false, "",
			"2:22: name in use: drive do is /dev/x offset=8 length=0, and stays"},
		{"a part of a disk", "# vbladefs state 2\n# end\n", has(base[0] + " offset=8 length=16"), true, base[0] + " offset=8 length=16", ""},
		{"access lists are set in place", with("targets/e0.1/read set accept name=old", "targets/e0.1/cfgset set reject"),
			with("targets/e0.1/read set reject name=new", "targets/e0.1/read add accept 02:00:00:00:00:01"), false,
			"targets/e0.1/cfgset clear; targets/e0.1/read set reject name=new; add accept 02:00:00:00:00:01", ""},
		{"auto", "# vbladefs state 2\n# end\n", has(base[0]+" auto", "vblade/drives add cd /dev/y ro", "vblade/drives add dc /dev/z ro"), true,
			base[0] + " auto; vblade/drives add cd /dev/y ro; vblade/drives add dc /dev/z ro", ""},
		{"auto, asked to take no writes", "# vbladefs state 2\n# end\n", has(base[0]+" auto", "vblade/do/readonly 1"), true,
			base[0] + " auto; vblade/do/readonly 1", ""},
		{"taken back", has(base[0]+" auto", "vblade/do/readonly 1"), has(base[0] + " auto"), true, "vblade/do/readonly 0", ""},
		{"auto in place of another", with(), other(0, base[0]+" auto"), true,
			"targets/blades del e0.1; vblade/drives del do; " + base[0] + " auto; " + base[1] + "; " + base[2], ""},
		{"or replaced", with(), other(0, "vblade/drives add do /dev/y"), true,
			"targets/blades del e0.1; vblade/drives del do; vblade/drives add do /dev/y; " + base[1] + "; " + base[2], ""},
		{"another drive is refused", with("vblade/drives add cd /dev/y"), has("vblade/drives add cd /dev/y", "targets/blades add e0.1 cd"), false, "",
			"3:25: address in use: e0.1 leads to drive do, and stays as it is with its ports; `vbladefs restore -exact`"},
		{"a forced port is refused", with(), other(2, "targets/ports add e0.1 eth0 force"), false, "",
			"4:24: address in use: the port of e0.1 on eth0 is there with other words, \"add e0.1 eth0\"; `vbladefs restore -exact`"},
		{"or replaced, with its address", with("vblade/do/keep 0", "targets/e0.1/config x"), has(base[0], "vblade/do/keep 0", base[1], "targets/e0.1/config x", base[2]+" force"), true,
			"vblade/do/keep 1; targets/blades del e0.1; vblade/do/keep 0; " + base[1] + "; targets/e0.1/config x; " + base[2] + " force", ""},
		{"or alone, if it is not the last", with("targets/ports add e0.1 eth1"), with("targets/ports add e0.1 eth1 16 2 quiet force"), true,
			"targets/ports del e0.1 eth1; targets/ports add e0.1 eth1 16 2 quiet force", ""},
		{"ports are set in place", with(), other(2, "targets/ports add e0.1 eth0 16 2 quiet"), false, "targets/ports set e0.1 eth0 16 2 quiet", ""},
		{"limits and loudness, too", with("targets/limits set eth0 1500", "targets/limits set eth1 1500", "targets/e0.1/loud 1"),
			with("targets/limits set eth0 9000", "targets/limits set eth7 1500"), false,
			"targets/e0.1/loud 0; targets/limits set eth0 9000; targets/limits set eth7 1500", ""},
		{"limits go", with("targets/limits set eth0 1500", "targets/limits set eth1 1500"), with("targets/limits set eth0 1500"), true,
			"targets/limits del eth1", ""},
		{"all interfaces beside one are refused", with(), other(2, "targets/ports add e0.1 *"), false, "",
			"4:19: address in use: 0.1 is on interface eth0 already; `vbladefs restore -exact`"},
		{"force is refused", with(), other(0, base[0]+" force"), false, "", "2:29: still in use: drive do is open without force"},
		{"by other parts of the tree", "# vbladefs state 2\n# end\n", has("kvblade/add 0 0 eth0 /dev/x", "aoeserver add /dev/y 0 1"), false,
			"vblade/drives add x /dev/x; vblade/x/keep 0; vblade/drives add y /dev/y auto; vblade/y/keep 0; targets/blades add e0.0 x; " +
				"targets/blades add e0.1 y; targets/e0.1/config /dev/y; targets/ports add e0.0 eth0; targets/ports add e0.1 * quiet", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := dry(t)
			Replay([]byte(tt.from), e, true, func(m Mistake) { t.Fatal(m) })
			did, failed := restoring(t, e, tt.to, tt.exact)
			if got := strings.Join(did, "; "); got != tt.did {
				t.Errorf("did\n%s\nwant\n%s", got, tt.did)
			}
			if got := strings.Join(failed, "; "); !strings.HasPrefix(got, tt.failed) || (got == "") != (tt.failed == "") {
				t.Errorf("failed\n%s\nwant\n%s", got, tt.failed)
			}
			if tt.exact {
				if did, failed := restoring(t, e, tt.to, true); len(did)+len(failed) > 0 {
					t.Errorf("once more: did %q, failed %q", did, failed)
				}
			}
		})
	}
}

// TestRestoreOpensAsTheStart opens drives for what the start opens them for.
func TestRestoreOpensAsTheStart(t *testing.T) {
	state := has("vblade/drives add a /dev/a", "vblade/drives add b /dev/b auto", "vblade/drives add c /dev/c ro", "vblade/drives add d /dev/d auto",
		"vblade/d/readonly 1")
	want := map[string]target.Access{"/dev/a": target.AccessReadWrite, "/dev/b": target.AccessAuto, "/dev/c": target.AccessReadOnly, "/dev/d": target.AccessAuto}
	for _, how := range []string{"start", "restore"} {
		got := map[string]target.Access{}
		parts := dryParts()
		parts.OpenStore = func(path string, o target.StoreOptions) (target.Store, error) {
			got[path] = o.Access
			return openDryStore(path, o)
		}
		e := target.New(target.Config{Log: logTo(t), Requests: 1, Parts: parts})
		if how == "start" {
			Replay([]byte(state), e, true, func(m Mistake) { t.Error(m) })
		} else if _, failed := restoring(t, e, state, false); len(failed) > 0 {
			t.Error(failed)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: opened for %v, want %v", how, got, want)
		}
		if saved := string(Saved(e.State())); saved != state {
			t.Errorf("%s: saved\n%s\nwant\n%s", how, saved, state)
		}
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// TestRestoreAnything brings random states to other random ones, also where
// disks and interfaces are missing: the outcome is the wanted state.
func TestRestoreAnything(t *testing.T) {
	random := func(seed uint64) *target.Target {
		e, g := dry(t), &gambler{rand.New(rand.NewPCG(seed, 1))}
		for range 300 {
			_ = e.Do(g.operation())
		}
		return e
	}
	for seed := range uint64(6) {
		want := string(Saved(random(2 * seed).State()))
		from := string(Saved(random(2*seed + 1).State()))
		for name, e := range map[string]*target.Target{"all": dry(t), "without a disk": dryWithout(t, "/dev/x", ""), "without an interface": dryWithout(t, "", "eth0")} {
			Replay([]byte(from), e, true, func(m Mistake) { t.Error(m) })
			if _, failed := restoring(t, e, want, true); len(failed) > 0 {
				t.Errorf("seed %d, %s: %q", seed, name, failed)
			}
			if got := string(Saved(e.State())); sorted(got) != sorted(want) {
				t.Errorf("seed %d, %s: from\n%s\nto\n%s\nwant\n%s", seed, name, from, got, want)
			}
		}
	}
}

// sorted is a state without the order of what was made first.
func sorted(state string) string {
	lines := strings.Split(state, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestRestoreFile writes states to the file, in one piece and in many.
func TestRestoreFile(t *testing.T) {
	need(t, "bash", "dd")
	d := mounted(t)
	file := filepath.Join(t.TempDir(), "state")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	step := func(name, script, want string) {
		t.Helper()
		if got := d.sh(t, strings.ReplaceAll(script, "FILE", file)); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	good := has("vblade/drives add do /dev/loop2", "vblade/drives add no /dev/none", "targets/blades add e0.1 do", "targets/ports add e0.1 eth7")
	write(good)
	step("nothing yet", "cat restore", "")
	step("what is missing is waited for", "cat FILE > restore && cmp FILE saved && cut -c 1-16 vblade/no/state && cat targets/e0.1/ports/eth7/state",
		"down cannot use \ndown no such interface: \"eth7\"\n")
	step("the report", "tail -n 2 restore", "+ targets/ports add e0.1 eth7\n= 4 carried out, 0 failed\n")
	step("in small pieces", "echo del e0.1 > targets/blades; dd bs=7 if=FILE of=restore status=none && cmp FILE saved; cat restore",
		"+ targets/blades add e0.1 do\n+ targets/ports add e0.1 eth7\n= 2 carried out, 0 failed\n")
	step("exact", "echo add e7.7 do > targets/blades; { echo exact; cat FILE; } > restore && cmp FILE saved; cat restore",
		"+ targets/blades del e7.7\n= 1 carried out, 0 failed\n")
	write(strings.TrimSuffix(good, "# end 4\n"))
	step("cut off", "cat FILE > restore; cat restore", "cat: write error: Invalid argument\n! 5:1: the state is cut off: it has no end line; if nothing is missing, add \"# end 4\"\n")
	write(has("vblade/drives add new /dev/loop1", "vblade/drives sub new"))
	step("a mistake", "cat FILE > restore; cut -d, -f1 restore; cat vblade/drives | wc -l", "cat: write error: Invalid argument\n! 3:15: malformed command: command \"sub\": want add NAME PATH [ro|auto] [force] [writeback|direct|durable] [offset=SECTORS] [length=SECTORS] [thin] [size=BYTES]\n2\n")
	write(has("vblade/drives add do /dev/loop1"))
	step("a failure", "cat FILE > restore; cut -c 1-60 restore; tail -n 2 log | grep -c 'vblade/drives: refused \"add do /dev/loop1\" at column 8: EEXIST: name in use: drive do is'",
		"cat: write error: File exists\n! 2:22: EEXIST: name in use: drive do is /dev/loop2, and sta\n= 0 carried out, 1 failed\n1\n")
	step("version 1", "printf '# vbladefs state 1\\n' | tee restore > /dev/null; cat restore", "tee: restore: Invalid argument\n! 1:1: malformed command: a state of version 1 has no end line: want \"# vbladefs state 2\" as its first line, and \"# end\" as its last\n")
	step("at another place", "printf x | dd of=restore bs=1 status=none; printf abc | dd of=restore bs=1 seek=5 status=none; echo $?", "dd: closing output file 'restore': Invalid argument\ndd: closing output file 'restore': Invalid argument\n1\n")
}

// TestRestoreAfterARefusal has a write refused, as that of a state which is too
// large is: what follows is not all of a state, though it may look so.
func TestRestoreAfterARefusal(t *testing.T) {
	d := mounted(t)
	f, err := os.OpenFile(filepath.Join(d.dir, "restore"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{5, 6} {
		if _, err := f.WriteAt([]byte(has("vblade/drives add do /dev/loop2")), at); !errors.Is(err, unix.EINVAL) {
			t.Errorf("written at %d: %v", at, err)
		}
	}
	if err := f.Sync(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("fsync: %v", err)
	}
	if err := f.Close(); !errors.Is(err, unix.EINVAL) {
		t.Errorf("close: %v", err)
	}
	if got := d.sh(t, "cat vblade/drives restore"); got != "" {
		t.Errorf("restored %q", got)
	}
}

// TestRestoreMany is as large as a state that takes many writes, of which
// nothing is to be done, and then all.
func TestRestoreMany(t *testing.T) {
	d := mounted(t)
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(manyExports(5000), "/disks/", "/dev/none")), 0o600); err != nil {
		t.Fatal(err)
	}
	got := d.sh(t, strings.ReplaceAll("cat FILE > restore && cmp FILE saved; tail -n 1 restore; { echo exact; cat FILE; } > restore; cat restore", "FILE", file))
	if want := "= 15000 carried out, 0 failed\n= 0 carried out, 0 failed\n"; got != want && got != strings.Replace(want, "15000", "20000", 1) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
