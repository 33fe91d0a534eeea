package vblade

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vbladefs/compat/plan"
	"vbladefs/target"
)

var update = flag.Bool("update", false, "rewrite what the files in testdata expect")

var testEnv = Env{Argv0: "vblade", Hostname: "san", Dir: "/data"}

// TestCommandLines: a line `$ [POSIXLY_CORRECT=1] vblade ARGUMENTS…` of
// testdata/*.txt makes the operations that follow it, or ends with what it says
// on stderr, `! TEXT`.
func TestCommandLines(t *testing.T) {
	corpus(t, "*.txt", func(content string) string {
		var out strings.Builder
		for line := range strings.Lines(content) {
			switch {
			case strings.HasPrefix(line, "$ "):
				out.WriteString(line + run(line[2:]))
			case strings.HasPrefix(line, "#") || line == "\n":
				out.WriteString(line)
			}
		}
		return out.String()
	})
}

// run is what a command line makes.
func run(line string) string {
	env := testEnv
	if rest, ok := strings.CutPrefix(line, "POSIXLY_CORRECT=1 "); ok {
		env.Posix, line = true, rest
	}
	words := shellWords(line)
	args := words[1:]
	if words[0] == "vbladed" || words[0] == "vbladed-upstream" {
		var err error
		if args, err = Background(args, words[0] == "vbladed"); err != nil {
			return ending(err)
		}
	}
	c, err := Parse(args, env)
	if err != nil {
		return ending(err)
	}
	return showPlan(plan.Plan{Exports: []plan.Export{c.Export}})
}

// shellWords cuts a line as a shell does that knows single quotes only.
func shellWords(line string) []string {
	var words []string
	word, quoted, begun := "", false, false
	for _, c := range strings.TrimSuffix(line, "\n") + " " {
		switch {
		case c == '\'':
			quoted, begun = !quoted, true
		case c == ' ' && !quoted:
			if begun {
				words = append(words, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(c), true
		}
	}
	return words
}

func ending(err error) string {
	var b strings.Builder
	for line := range strings.SplitSeq(err.Error(), "\n") {
		b.WriteString("! " + line + "\n")
	}
	if e, ok := err.(*Exit); ok && e.Code != 1 {
		fmt.Fprintf(&b, "! exit %d\n", e.Code)
	}
	return b.String()
}

// showPlan is what p makes, an operation a line.
func showPlan(p plan.Plan) string {
	if err := plan.Validate(p); err != nil {
		return "! plan: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, op := range plan.Operations(p) {
		switch op := op.(type) {
		case target.AddDrive:
			fmt.Fprintf(&b, "drive %s %q %s %s", op.Name, op.Path, [...]string{"auto", "rw", "ro"}[op.Access], op.Cache)
			if op.Offset|op.Length != 0 {
				fmt.Fprintf(&b, " offset=%d length=%d", op.Offset, op.Length)
			}
			fmt.Fprintf(&b, " %q %q %#x\n", op.Model, op.Serial, op.Firmware)
		case target.AddBlade:
			fmt.Fprintf(&b, "blade e%s %s\n", op.Addr, op.Drive)
		case target.SetHosts:
			fmt.Fprintf(&b, "%s e%s %v\n", op.List, op.Addr, op.Hosts)
		case target.AddPort:
			fmt.Fprintf(&b, "port e%s %s %d\n", op.Addr, op.Interface, op.Buffers)
		default:
			fmt.Fprintf(&b, "%T\n", op)
		}
	}
	return b.String()
}

// corpus compares each file with what play makes of it.
func corpus(t *testing.T, pattern string, play func(content string) string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files testdata/%s: %v", pattern, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := play(string(content))
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got != string(content) && !*update {
			t.Errorf("%s: got\n%s\nwant\n%s", file, firstDifference(got, string(content)), firstDifference(string(content), got))
		}
	}
}

// firstDifference is some lines of a where it begins to differ from b.
func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	at := 0
	for at < len(la) && at < len(lb) && la[at] == lb[at] {
		at++
	}
	return strings.Join(la[max(at-2, 0):min(at+5, len(la))], "\n")
}

// TestConfs: the files of a section `== NAME` of testdata/*.confs, as they are in
// vblade.conf.d, make what follows `--`.
func TestConfs(t *testing.T) {
	corpus(t, "*.confs", func(content string) string {
		head, rest, _ := strings.Cut(content, "===\n")
		out := head
		for set := range strings.SplitSeq(rest, "===\n") {
			files, _, _ := strings.Cut(set, "--\n")
			out += "===\n" + files + "--\n" + planOf(files)
		}
		return out
	})
}

// planOf is what persistence files make, each behind a line `== FILE`.
func planOf(files string) string {
	var confs []Conf
	var b strings.Builder
	for _, file := range strings.Split(files, "== ")[1:] {
		name, content, _ := strings.Cut(file, "\n")
		c, err := ParseConf(name, strings.TrimSuffix(name, ConfSuffix), []byte(content))
		if err != nil {
			b.WriteString(ending(err))
			continue
		}
		confs = append(confs, c)
	}
	env := testEnv
	env.Dir = "/"
	p, wrong := Plan(slices.Clip(confs), env)
	for _, err := range wrong {
		b.WriteString(ending(err))
	}
	return b.String() + showPlan(p)
}
