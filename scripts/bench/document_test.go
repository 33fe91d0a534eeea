package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the goals in docs/performance.md from the code")

const (
	document = "../../docs/performance.md"
	marker   = "<!-- goals -->\n"
)

// TestGoalsAreDocumented holds the list of goals in docs/performance.md to ours.
func TestGoalsAreDocumented(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), marker)
	listed, after, closed := strings.Cut(rest, "\n\n")
	if !ok || !closed {
		t.Fatalf("%s has no list of goals behind %q", document, marker)
	}
	want := strings.TrimSuffix(goalTable(), "\n")
	if *update {
		if err := os.WriteFile(document, []byte(before+marker+want+"\n\n"+strings.TrimLeft(after, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if listed != want {
		t.Errorf("%s lists\n%s\nthe benchmark has\n%s\nIf the benchmark is right: go test ./scripts/bench -run Documented -update", document, listed, want)
	}
}

// goalTable is every goal, as Markdown.
func goalTable() string {
	var b strings.Builder
	b.WriteString("| load | figure | ratio to | reach | aim |\n|---|---|---|---|---|\n")
	for _, o := range []*options{{}, {disk: true}} {
		for _, g := range o.groups("vblade") {
			for _, row := range g.rows {
				for _, goal := range row.goals {
					c := comparison{Figure: goal.figure}
					c.judge(goal)
					limit := func(l *limit) string {
						word, _, _ := strings.Cut(c.word(l), " met")
						word, _, _ = strings.Cut(word, " not")
						return word
					}
					fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.name, goal.figure, goal.base, limit(c.Reach), limit(c.Aim))
				}
			}
		}
	}
	return b.String()
}

// TestDocumentedCommands holds the commands in docs/performance.md to what the
// Makefile and the benchmark take.
func TestDocumentedCommands(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^    make (\S+)(?: BENCHFLAGS=(?:'([^']*)'|"([^"]*)"))?`).FindAllStringSubmatch(string(text), -1)
	if len(commands) < 4 {
		t.Fatalf("found only the commands %q", commands)
	}
	for _, c := range commands {
		if !regexp.MustCompile(`(?m)^` + c[1] + `:.*\n(?:\t.*\n)*\t.*BENCH`).Match(makefile) {
			t.Errorf("the Makefile has no %s that runs the benchmark", c[1])
		}
		if _, err := parseOptions(words(c[2] + c[3])); err != nil {
			t.Errorf("%q: %v", c[0], err)
		}
	}
	flags := new(options).flags()
	for _, m := range regexp.MustCompile("`(-(?:json|plot|only|peer|dir)[a-z]*)\\b").FindAllStringSubmatch(string(text), -1) {
		if flags.Lookup(m[1][1:]) == nil {
			t.Errorf("the document names %s, which there is not", m[1])
		}
	}
}

// words splits a line as the shell does, as far as quotes go.
func words(line string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		list = append(list, m[1]+m[2])
	}
	return list
}
