package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// writingProgram is a way in which administrators write to the tree. Its script has the
// commands in $TEXT, with their last newline, and the file in $F.
type writingProgram struct {
	name, needs, script string
	// exit is its exit code when a line is refused; says are words of its
	// complaint. Programs that forget errno say less than "No such file".
	exit int
	says string
	// goesOn: it writes line by line and goes on after a refused one.
	goesOn bool
}

const noFile = "No such file or directory"

var writingPrograms = []writingProgram{
	{name: "bash echo", needs: "bash", script: `echo -n "$TEXT" > $F`, exit: 1, says: noFile},
	{name: "bash echo >>", needs: "bash", script: `echo -n "$TEXT" >> $F`, exit: 1, says: noFile},
	{name: "bash printf", needs: "bash", script: `printf %s "$TEXT" > $F`, exit: 1, says: noFile},
	{name: "bash printf, lines in the format", needs: "bash", script: `printf "$TEXT" > $F`, exit: 1, says: noFile, goesOn: true},
	{name: "bash echo, a loop", needs: "bash", script: `r=0; while read -r l; do echo "$l" || r=1; done <<< "${TEXT%?}" > $F; exit $r`, exit: 1, says: noFile, goesOn: true},
	{name: "bash, without the last newline", needs: "bash", script: `printf %s "${TEXT%?}" > $F`, exit: 1, says: noFile},
	{name: "dash echo", needs: "dash", script: `exec dash -c 'printf %s "$TEXT" > $F'`, exit: 1, says: "I/O error"},
	{name: "busybox sh", needs: "busybox", script: `exec busybox sh -c 'printf %s "$TEXT" > $F'`, exit: 1},
	{name: "busybox echo", needs: "busybox", script: `exec busybox echo -n "$TEXT" > $F`, exit: 1, says: noFile},
	{name: "here document", needs: "cat", script: "cat > $F <<END\n${TEXT%?}\nEND", exit: 1, says: noFile},
	{name: "cp", needs: "cp", script: `printf %s "$TEXT" > $D/text; exec cp $D/text $F`, exit: 1, says: noFile},
	{name: "dd", needs: "dd", script: `printf %s "$TEXT" | dd of=$F status=none`, exit: 1, says: noFile},
	{name: "dd bs=1", needs: "dd", script: `printf %s "$TEXT" | dd bs=1 of=$F status=none`, exit: 1, says: noFile},
	{name: "dd bs=1, without the last newline", needs: "dd", script: `printf %s "${TEXT%?}" | dd bs=1 of=$F status=none`, exit: 1, says: noFile},
	{name: "dd bs=4096", needs: "dd", script: `printf %s "$TEXT" > $D/text; dd bs=4096 if=$D/text of=$F status=none`, exit: 1, says: noFile},
	{name: "tee", needs: "tee", script: `printf %s "$TEXT" | tee $F > /dev/null; exit ${PIPESTATUS[1]}`, exit: 1, says: noFile},
	{name: "tee -a", needs: "tee", script: `printf %s "$TEXT" | tee -a $F > /dev/null; exit ${PIPESTATUS[1]}`, exit: 1, says: noFile},
	{name: "python, buffered", needs: "python3", script: `exec python3 -c 'import os
with open(os.environ["F"], "w") as f: f.write(os.environ["TEXT"])'`, exit: 1, says: noFile},
	{name: "python, appending", needs: "python3", script: `exec python3 -c 'import os
with open(os.environ["F"], "a") as f: f.write(os.environ["TEXT"])'`, exit: 1, says: noFile},
	{name: "python, line buffered", needs: "python3", script: `exec python3 -c 'import os
with open(os.environ["F"], "w", buffering=1) as f:
  for line in os.environ["TEXT"].splitlines(): print(line, file=f)'`, exit: 1, says: noFile},
	{name: "python, unbuffered", needs: "python3", script: `exec python3 -c 'import os
data = os.environ["TEXT"].encode()
with open(os.environ["F"], "wb", buffering=0) as f:
  while data: data = data[f.write(data):]'`, exit: 1, says: noFile},
	{name: "python, os.write", needs: "python3", script: `exec python3 -c 'import os
f, data = os.open(os.environ["F"], os.O_WRONLY), os.environ["TEXT"].encode()
while data: data = data[os.write(f, data):]'`, exit: 1, says: noFile},
	{name: "perl", needs: "perl", script: `exec perl -e 'open F, ">", $ENV{F} or die; print F $ENV{TEXT} or die "$!"; close F or die "$!"; '`, exit: 2, says: noFile},
	{name: "perl syswrite", needs: "perl", script: `exec perl -e 'open F, ">", $ENV{F} or die; my ($t, $n) = $ENV{TEXT};
while ($t ne "") { $n = syswrite(F, $t) or die "$!"; $t = substr($t, $n) }'`, exit: 2, says: noFile},
	{name: "awk", needs: "awk", script: `printf %s "$TEXT" | awk '{ print > ENVIRON["F"] }'`, exit: 2},
}

// TestPrograms writes with each program a good line, a bad one, and a bad one
// between two good ones, and looks at its exit code and complaint, at what is
// there afterwards, and at the log.
func TestPrograms(t *testing.T) {
	t.Parallel()
	need(t, "bash")
	d := serve(t, netiotest.New(t))
	disk, _ := image(t, mib)
	for i, p := range writingPrograms {
		t.Run(strings.ReplaceAll(p.name, " ", "-"), func(t *testing.T) {
			need(t, p.needs)
			good := func(n int) string { return fmt.Sprintf("add p%d-%d %s", i, n, disk) }
			bad := fmt.Sprintf("add p%d-bad /nothing/there", i)
			d := d.visit(t, "p"+fmt.Sprint(i)+"-")
			d.run(p, []string{good(1)}, false)
			d.shows("1")
			d.run(p, []string{good(2), good(3)}, false)
			d.shows("1 2 3")
			d.run(p, []string{bad}, true)
			d.shows("1 2 3")
			d.run(p, []string{good(4), bad, good(5)}, true)
			if p.goesOn {
				d.shows("1 2 3 4 5")
			} else {
				d.shows("1 2 3 4")
			}
		})
	}
}

// visit is a daemon in a sub-test, with the drives of a prefix.
type visit struct {
	*daemon
	t      *testing.T
	prefix string
	work   string
}

func (d *daemon) visit(t *testing.T, prefix string) *visit {
	return &visit{daemon: d, t: t, prefix: prefix, work: t.TempDir()}
}

// run writes lines with p; refused tells that one of them is bad.
func (v *visit) run(p writingProgram, lines []string, refused bool) {
	v.t.Helper()
	before := v.refusals()
	exit, complaint := v.bash(p.script, strings.Join(lines, "\n")+"\n")
	after := v.refusals()[len(before):]
	if !refused {
		if exit != 0 || complaint != "" || len(after) != 0 {
			v.t.Errorf("%q: exit code %d, says %q, log %q", lines, exit, complaint, after)
		}
		return
	}
	if exit != p.exit || !strings.Contains(complaint, p.says) {
		v.t.Errorf("%q: exit code %d, says %q; want %d, %q", lines, exit, complaint, p.exit, p.says)
	}
	if len(after) != 1 {
		v.t.Fatalf("%q: log %q, want one refusal", lines, after)
	}
	checkRefusal(v.t, after[0], "vblade/drives", "add "+v.prefix+"bad /nothing/there", "ENOENT", "no such file or directory")
}

func (v *visit) bash(script, text string) (exit int, complaint string) {
	v.t.Helper()
	cmd := exec.Command("bash", "-c", "set -o pipefail; "+script)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TEXT="+text, "F="+filepath.Join(v.dir, "vblade/drives"), "D="+v.work)
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		v.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(string(out))
}

// refusals are the refusals in the log.
func (v *visit) refusals() []string {
	var all []string
	for _, event := range lines(v.read("log")) {
		if strings.Contains(event, ": refused ") {
			all = append(all, event)
		}
	}
	return all
}

// shows compares the drives of the prefix.
func (v *visit) shows(want string) {
	v.t.Helper()
	var got []string
	for _, line := range lines(v.read("vblade/drives")) {
		if name, ok := strings.CutPrefix(strings.Fields(line + " -")[0], v.prefix); ok {
			got = append(got, name)
		}
	}
	if strings.Join(got, " ") != want {
		v.t.Errorf("the drives are %q, want %s", got, want)
	}
}

// TestPage writes exactly 4096 bytes at once, the most that sysfs took and the
// size at which programs cut what they write.
func TestPage(t *testing.T) {
	t.Parallel()
	need(t, "bash", "dd", "python3")
	d := serve(t, netiotest.New(t))
	disk, _ := image(t, mib)
	const atOnce = `printf %s "$TEXT" > $D/text; exec dd bs=64k if=$D/text of=$F status=none`
	const osWrite = `exec python3 -c 'import os
f, data = os.open(os.environ["F"], os.O_WRONLY), os.environ["TEXT"].encode()
assert os.write(f, data) == len(data)
os.close(f)'`
	for i, tt := range []struct {
		name, end string // what is behind the padding
		size      int
		script    string
		exit      int
		says      string
		shows     string
		errno     string
	}{
		{"dd", "\n", 4096, atOnce, 0, "", "a b", ""},
		{"dd, without the last newline", "", 4096, atOnce, 0, "", "a b", ""},
		{"os.write", "\n", 4096, osWrite, 0, "", "a b", ""},
		{"os.write, without the last newline", "", 4096, osWrite, 0, "", "a b", ""},
		{"dd, bad end", " bad\n", 4096, atOnce, 1, "Invalid argument", "a", "EINVAL"},
		{"dd, bad end without newline", " bad", 4096, atOnce, 0, "", "a", "EINVAL"}, // nobody waits for the last close
		{"a byte more", "\n", 4097, atOnce, 1, "Argument list too long", "", "E2BIG"},
		{"a byte less", "", 4095, atOnce, 0, "", "a b", ""},
	} {
		t.Run(strings.ReplaceAll(tt.name, " ", "-"), func(t *testing.T) {
			prefix := fmt.Sprintf("page%d-", i)
			v := d.visit(t, prefix)
			text := fmt.Sprintf("add %sa %s\nadd %sb %s", prefix, disk, prefix, disk)
			text += strings.Repeat(" ", tt.size-len(text)-len(tt.end)) + tt.end
			before := v.refusals()
			if exit, complaint := v.bash(tt.script, text); exit != tt.exit || !strings.Contains(complaint, tt.says) {
				t.Errorf("exit code %d, says %q; want %d, %q", exit, complaint, tt.exit, tt.says)
			}
			last := func() bool { return len(v.refusals()) > len(before) }
			if tt.errno == "" {
				last = func() bool { return strings.Contains(v.read("vblade/drives"), "\n"+prefix+"b ") }
			}
			v.await("the last line is applied", last) // when it has no newline, after dd has ended
			v.shows(tt.shows)
			after := v.refusals()[len(before):]
			switch {
			case tt.errno == "" && len(after) != 0 || tt.errno != "" && len(after) != 1:
				t.Errorf("log: %q", after)
			case tt.errno == "E2BIG":
				checkRefusal(t, after[0], "vblade/drives", text, "E2BIG", "4097 bytes at once: write at most 4096")
			case tt.errno != "":
				checkRefusal(t, after[0], "vblade/drives", strings.TrimSuffix(text[strings.Index(text, "\n")+1:], "\n"), tt.errno, `"bad" is one word too many`)
			}
		})
	}
}

// TestValuesByPrograms sets a value, and one that is refused, in as many writes
// as a program likes.
func TestValuesByPrograms(t *testing.T) {
	t.Parallel()
	need(t, "bash", "dd", "tee", "python3", "busybox")
	d := serve(t, netiotest.New(t))
	disk, _ := image(t, mib)
	d.echo("add do "+disk, "vblade/drives")
	d.echo("add e0.2 do", "targets/blades")
	for _, tt := range []struct {
		script string
		exit   int // when it is refused
	}{
		{`echo "$V" > $T/$FILE`, 1},
		{`echo "$V" >> $T/$FILE`, 1},
		{`printf %s "$V" > $T/$FILE`, 1},
		{`echo "$V" | dd bs=1 of=$T/$FILE status=none`, 1},
		{`printf %s "$V" | dd bs=1 of=$T/$FILE status=none`, 1},
		{`echo "$V" | tee $T/$FILE > /dev/null; exit ${PIPESTATUS[1]}`, 1},
		{`exec busybox echo "$V" > $T/$FILE`, 1},
		{`exec python3 -c 'import os; f = open(os.environ["T"] + "/" + os.environ["FILE"], "w"); f.write(os.environ["V"]); f.close()'`, 1},
	} {
		for _, v := range []struct{ file, good, other, bad, expected string }{
			{"vblade/do/cache", "durable", "writeback", "durables", "want writeback"},
			{"vblade/do/readonly", "1", "0", "2x", "want 0 or 1"},
			{"targets/e0.2/config", `"a\n\x00b"`, "x", `"\z"`, "want a text"},
			{"vblade/do/model", "a disk", "another", "\x7f disk", "want a line of printable ASCII"},
		} {
			t.Run(v.file+"/"+strings.ReplaceAll(tt.script, "/", "|"), func(t *testing.T) {
				d.echo(v.other, v.file)
				script := "FILE=" + v.file + "; export FILE V=\"$1\"; set -o pipefail; " + tt.script
				if _, complaint, err := d.shell(script, v.good); err != nil || complaint != "" || d.read(v.file) != v.good+"\n" {
					t.Errorf("%v, says %q; the value is %q, the log says %s", err, complaint, d.read(v.file), d.lastEvent())
				}
				d.echo(v.other, v.file)
				_, complaint, err := d.shell(script, v.bad)
				var failed *exec.ExitError
				if !errors.As(err, &failed) || failed.ExitCode() != tt.exit || !strings.Contains(strings.ToLower(complaint), "invalid argument") {
					t.Errorf("refused: %v, says %q", err, complaint)
				}
				if said := d.lastEvent(); !refusalLine.MatchString(said) || !strings.Contains(said, "warning "+v.file+": ") || !strings.Contains(said, v.expected) {
					t.Errorf("the log says %s", said)
				}
			})
		}
	}
}
