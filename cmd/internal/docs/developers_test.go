package docs

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// goTest is a call of go test: variables, options, packages.
var goTest = regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*go test (.*)$`)

// ofDevelopers tells the commands that build, test and measure for minutes or hours. They are not run, but holds holds them.
func ofDevelopers(text string) bool {
	return strings.HasPrefix(text, "make ") || goTest.MatchString(text)
}

// holds holds that such a command would do something: make has its target, and the tests, variables and options it names are there.
func holds(t *testing.T, c command) {
	t.Helper()
	text := plain(c.text)
	if m := goTest.FindStringSubmatch(text); m != nil {
		holdsTest(t, c.at, text, m[1])
		return
	}
	dry := exec.Command("sh", "-c", "make -n "+strings.TrimPrefix(text, "make "))
	dry.Dir = root
	if out, err := dry.CombinedOutput(); err != nil {
		t.Errorf("%s: %s: %v\n%s", c.at, text, err, out)
	}
	makefile := read(t, "Makefile")
	for _, name := range submatches(`\b([A-Z]+)=`, text) {
		if !regexp.MustCompile(`(?m)^` + name + `\s*\??=|\$\$?[({]?` + name + `\b`).MatchString(makefile) {
			t.Errorf("%s: the Makefile has no %s", c.at, name)
		}
	}
	if flags := regexp.MustCompile(`TORTUREFLAGS="?([^"]*)"?`).FindStringSubmatch(text); flags != nil {
		cmd := exec.Command("sh", "-c", "go run ./scripts/torture "+flags[1]+" -h")
		cmd.Dir = root
		out, _ := cmd.CombinedOutput() // -h comes last, so what is before it was understood if the usage comes without a complaint
		if first, _, _ := strings.Cut(string(out), "\n"); !strings.HasPrefix(strings.ToLower(first), "usage") {
			t.Errorf("%s: %s: %s", c.at, text, first)
		}
	}
}

// holdsTest looks for each test or benchmark that go test is to run, and for options of the package's own and variables, in the
// packages.
func holdsTest(t *testing.T, at, text, arguments string) {
	t.Helper()
	folders := submatches(`\./([a-z/]+)`, arguments)
	words := append(submatches(`\b([A-Z_]+)=`, text), submatches(`-([a-z]+\.[a-z]+)`, arguments)...)
	for _, m := range regexp.MustCompile(`-(run|bench) ('[^']*'|\S+)`).FindAllStringSubmatch(arguments, -1) {
		kind := map[string]string{"run": "Test", "bench": "Benchmark"}[m[1]]
		for _, name := range strings.Split(strings.Trim(m[2], "'"), "|") {
			if name = strings.Trim(name, "^$."); name != "" {
				words = append(words, kind+" "+strings.TrimPrefix(name, kind))
			}
		}
	}
	if len(folders) == 0 {
		t.Errorf("%s: %s: want a package", at, text)
		return
	}
	var source strings.Builder
	for _, name := range tracked(t) {
		for _, folder := range folders {
			if strings.HasPrefix(name, folder) && strings.HasSuffix(name, "_test.go") {
				source.WriteString(read(t, name))
			}
		}
	}
	for _, want := range words {
		kind, name, named := strings.Cut(want, " ")
		if named && !regexp.MustCompile(`(?m)^func `+kind+`\w*`+name).MatchString(source.String()) ||
			!named && !strings.Contains(source.String(), want) {
			t.Errorf("%s: no test in %q has %q", at, folders, want)
		}
	}
}

// TestDevelopersSpans holds the commands for developers in the sentences of all documents, as holds does those in blocks.
func TestDevelopersSpans(t *testing.T) {
	n := 0
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".md") || name == "CHANGELOG.md" {
			continue
		}
		for i, line := range strings.Split(read(t, name), "\n") {
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				if !strings.HasPrefix(line, "    ") && ofDevelopers(m[1]) {
					n++
					holds(t, command{fmt.Sprintf("%s:%d", name, i+1), m[1]})
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d commands in sentences", n)
	}
}
