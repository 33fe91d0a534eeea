package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// vbladefs runs the program with an input and returns its output and exit code.
func vbladefs(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &complaints
	var ended *exec.ExitError
	if err := cmd.Run(); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), complaints.String(), code
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a state")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const header = "# vbladefs state 1\n"
	good := header + "vblade/drives add do /dev/nowhere\ntargets/blades add e0.1 do\ntargets/ports add e0.1 eth77\n"
	write(good)
	if stdout, stderr, code := vbladefs(t, "", "check", file); code != 0 || stdout+stderr != "" {
		t.Errorf("a good state: %d, %s%s", code, stdout, stderr)
	}
	bad := header + "vblade/drives add do /dev/nowhere\nvblade/drives add do /dev/other\ntargets/ports add e0.x eth77\n"
	write(bad)
	stdout, stderr, code := vbladefs(t, good, "check", "-", file)
	got := lines(stdout)
	if code != 1 || !strings.Contains(stderr, "2 mistakes") || len(got) != 2 ||
		!strings.HasPrefix(got[0], file+":3:") || !strings.HasPrefix(got[1], file+":4:19: ") || !strings.Contains(got[1], `"e0.x"`) {
		t.Errorf("a bad state: %d\n%s%s", code, stdout, stderr)
	}
	if stdout, _, code := vbladefs(t, "hello\n", "check", "-"); code != 1 || !strings.HasPrefix(stdout, "-:1:1: ") {
		t.Errorf("no state: %d, %s", code, stdout)
	}
	if stdout, stderr, code := vbladefs(t, "", "check", file+".not"); code != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("no file: %d, %s%s", code, stdout, stderr)
	}
	if stdout, stderr, code := vbladefs(t, "", "check", file+".not", file); code != 1 || stdout != strings.Join(got, "\n")+"\n" ||
		!strings.Contains(stderr, "no such file") || !strings.Contains(stderr, "2 mistakes") {
		t.Errorf("no file before a bad state: %d, %s%s", code, stdout, stderr)
	}
	for _, args := range [][]string{{"check"}, {"restore"}, {"restore", "a", "b"}, {"save", "a", "b"}, {"save", "-colour"}, {"save", ""}} {
		if _, stderr, code := vbladefs(t, "", args...); code != 2 || !strings.Contains(stderr, "usage: vbladefs "+args[0]) {
			t.Errorf("%v: %d, %s", args, code, stderr)
		}
	}
	for _, args := range [][]string{{"save"}, {"save", "-"}, {"restore", "-"}} {
		args = append([]string{args[0], "-mount", dir}, args[1:]...)
		if _, stderr, code := vbladefs(t, good, args...); code != 1 || !strings.Contains(stderr, "no control tree is mounted on "+dir) {
			t.Errorf("%v without a daemon: %d, %s", args, code, stderr)
		}
	}
}

// TestRestoreCountsMistakes: of many only the first are shown, and all counted.
func TestRestoreCountsMistakes(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	d := serve(t, here, "-state", t.TempDir())
	state := "# vbladefs state 2\n" + strings.Repeat("vblade/drives bad\n", 250) + "# end 250\n"
	stdout, stderr, code := vbladefs(t, state, "restore", "-mount", d.dir, "-")
	if got := lines(stdout); code != 1 || len(got) != 201 || got[200] != "and 50 more" || !strings.Contains(stderr, "mistakes, 250 in all") {
		t.Errorf("%d, %d lines\n%s%s", code, len(got), stdout, stderr)
	}
}

// A copy of the state brings everything back, and with -exact nothing else.
func TestSaveAndRestore(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	d := serve(t, here, "-state", t.TempDir())
	path, _ := image(t, mib)
	other, _ := image(t, mib)
	file := filepath.Join(t.TempDir(), "copy")
	run := func(want int, args ...string) string {
		t.Helper()
		args = append([]string{args[0], "-mount", d.dir}, args[1:]...)
		stdout, stderr, code := vbladefs(t, "", args...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d\n%s%s", args, code, want, stdout, stderr)
		}
		return stdout + stderr
	}
	d.echo("add do "+path, "vblade/drives")
	d.echo("add eth0 0 2 16", "vblade/do/ports")
	d.echo("a config string", "targets/e0.2/config")
	d.echo("set 02:00:00:00:00:01 02:00:00:00:00:02", "targets/e0.2/accept")
	d.echo("the model", "vblade/do/model")
	d.echo("add "+other+" 5 5", "aoeserver")
	run(0, "save")
	run(0, "save", file)
	want := d.read("saved")
	if text, err := os.ReadFile(file); err != nil || string(text) != want {
		t.Errorf("the copy: %v, %q, want %q", err, text, want)
	}
	if got := run(0, "save", "-"); got != want {
		t.Errorf("to standard output: %q, want %q", got, want)
	}
	if stdout, stderr, code := vbladefs(t, "", "check", file); code != 0 {
		t.Errorf("check of a copy: %d\n%s%s", code, stdout, stderr)
	}
	run(0, "restore", file) // is there already

	d.echo("add "+other+" 5 6 eth0", "aoeserver")
	d.echo("another one", "targets/e0.2/config")
	d.echo("clear", "targets/e0.2/accept")
	d.echo("add 02:00:00:00:00:03", "targets/e5.5/deny")
	d.echo("durable", "vblade/do/cache")
	d.echo("a serial", "vblade/do/serial")
	d.echo("add more "+other, "vblade/drives")
	run(0, "restore", file) // what the file has is as the file says
	if got := d.read("saved"); strings.Contains(got, "another one") || strings.Contains(got, "durable") || strings.Contains(got, "serial a serial") ||
		strings.Contains(got, "e5.5/deny") || !strings.Contains(got, "add more ") || !strings.Contains(got, "e5.6") {
		t.Errorf("restored, the rest stays:\n%s", got)
	}
	run(0, "restore", "-exact", file)
	if got := d.read("saved"); !sameLines(got, want) {
		t.Errorf("restored:\n%s\nwant:\n%s", got, want)
	}
	d.echo("del e0.2", "targets/blades")
	d.echo("del do", "vblade/drives")
	d.echo("del "+other+" 5 5", "aoeserver")
	run(0, "restore", file)
	if got := d.read("saved"); !sameLines(got, want) {
		t.Errorf("restored to nothing:\n%s\nwant:\n%s", got, want)
	}

}

// What is missing is waited for, with -exact too, and comes up by itself; what
// cannot be is told, line by line.
func TestRestoreWaits(t *testing.T) {
	t.Parallel()
	here, _ := netiotest.Pair(t, 1500)
	d := serve(t, here, "-state", t.TempDir())
	path, _ := image(t, mib)
	missing := filepath.Join(t.TempDir(), "later")
	file := filepath.Join(t.TempDir(), "a state")
	run := func(want int, args ...string) []string {
		t.Helper()
		stdout, stderr, code := vbladefs(t, "", append([]string{"restore", "-mount", d.dir}, args...)...)
		if code != want {
			t.Errorf("%v: exit code %d, want %d\n%s%s", args, code, want, stdout, stderr)
		}
		return lines(stdout)
	}
	write := func(commands ...string) string {
		t.Helper()
		text := fmt.Sprintf("# vbladefs state 2\n%s\n# end %d\n", strings.Join(commands, "\n"), len(commands))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return text
	}
	d.echo("add do "+path, "vblade/drives")
	d.echo("add eth0 0 1", "vblade/do/ports")

	want := write("vblade/drives add do "+missing, "targets/blades add e0.1 do", "targets/ports add e0.1 eth0", "targets/ports add e0.1 later0")
	said := run(1, file)
	if len(said) != 1 || !strings.HasPrefix(said[0], file+":2:22: EEXIST: ") || !strings.Contains(said[0], "restore -exact") {
		t.Errorf("another device: %q", said)
	}
	if log := d.read("log"); !strings.Contains(log, `vblade/drives: refused "add do `+missing+`" at column 8: EEXIST: `) {
		t.Errorf("the log has no line of it:\n%s", log)
	}
	if said := run(0, "-exact", file); !slices.Equal(said, lines("")) {
		t.Errorf("exact: %q", said)
	}
	if got := d.read("saved"); got != want {
		t.Errorf("while it is missing:\n%s\nwant\n%s", got, want)
	}
	if state := d.read("vblade/do/state"); !strings.HasPrefix(state, "down ") {
		t.Errorf("the drive is %q", state)
	}
	if _, stderr, _ := vbladefs(t, "", "restore", "-mount", d.dir, file); !strings.Contains(stderr, "2 of 2 ports are down") {
		t.Errorf("nothing is said of what is down: %q", stderr)
	}
	if err := os.Rename(path, missing); err != nil {
		t.Fatal(err)
	}
	d.await("the drive", func() bool {
		return d.read("vblade/do/state") == "up\n" && d.read("targets/e0.1/ports/eth0/state") == "up\n"
	})

	if _, stderr, _ := vbladefs(t, "", "restore", "-mount", d.dir, file); !strings.Contains(stderr, "1 of 2 ports are down") {
		t.Errorf("what is said of the other interface: %q", stderr)
	}

	want = write("vblade/drives add do "+missing, "vblade/do/model another", "targets/blades add e0.1 do", "targets/ports add e0.1 eth0")
	if said := run(0, "-exact", "-v", file); !slices.Equal(said, []string{"+ targets/ports del e0.1 later0", "+ vblade/do/model another", "= 2 carried out, 0 failed"}) {
		t.Errorf("what was done: %q", said)
	}
	if got := d.read("saved"); got != want {
		t.Errorf("in the end:\n%s\nwant\n%s", got, want)
	}

	write("vblade/drives add fourth "+missing, "vblade/drives sub x")
	if said := run(1, file); len(said) != 1 || !strings.HasPrefix(said[0], file+":3:15: ") || d.read("saved") != want {
		t.Errorf("a state with a mistake: %q", said)
	}
	if err := os.WriteFile(file, []byte(strings.TrimSuffix(want, "# end 4\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := run(1, "-exact", file); len(said) != 1 || !strings.HasPrefix(said[0], file+":5:1: ") || !strings.Contains(said[0], "cut off") || d.read("saved") != want {
		t.Errorf("a state that was cut off: %q", said)
	}
	for _, exact := range []string{"-exact=false", "-exact"} {
		if _, stderr, code := vbladefs(t, "", "restore", "-mount", d.dir, exact, "-"); code != 1 || !strings.Contains(stderr, "- is empty: want a state") || d.read("saved") != want {
			t.Errorf("%s, an empty state: %d, %s", exact, code, stderr)
		}
	}
	if _, stderr, code := vbladefs(t, "# vbladefs state 1\nvblade/drives add fourth "+missing+" ro\n", "restore", "-mount", d.dir, "-"); code != 0 ||
		!strings.Contains(stderr, "of an older version") || !strings.Contains(d.read("saved"), "fourth") {
		t.Errorf("a state of version 1: %d, %s", code, stderr)
	}
}

// sameLines tells whether two states say the same, in whatever order.
func sameLines(a, b string) bool {
	count := map[string]int{}
	for _, line := range lines(a) {
		count[line]++
	}
	for _, line := range lines(b) {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}
