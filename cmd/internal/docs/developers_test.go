package docs

import (
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

// holdsTest looks for the test that go test is to run, and for options of the package's own and variables, in the package.
func holdsTest(t *testing.T, at, text, arguments string) {
	t.Helper()
	folder := regexp.MustCompile(`\./[a-z/]+`).FindString(arguments)
	run := regexp.MustCompile(`-run '?([A-Za-z]+)`).FindStringSubmatch(arguments)
	if folder == "" || run == nil {
		t.Errorf("%s: %s: want a package and a test", at, text)
		return
	}
	var source strings.Builder
	for _, name := range tracked(t) {
		if strings.HasPrefix(name, strings.TrimPrefix(folder, "./")) && strings.HasSuffix(name, "_test.go") {
			source.WriteString(read(t, name))
		}
	}
	words := append(submatches(`\b([A-Z_]+)=`, text), submatches(`-([a-z]+\.[a-z]+)`, arguments)...)
	for _, want := range append(words, "func Test"+strings.TrimPrefix(run[1], "Test")) {
		if !strings.Contains(source.String(), want) {
			t.Errorf("%s: no test in %s has %q", at, folder, want)
		}
	}
}
