package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var manuals = []string{"aoebench.1", "vbladefs-ctl.5", daemonsPage, "vbladefs.8"}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(root + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestManualsRender holds the pages to no warning of groff, which man uses, nor of mandoc where there is one.
func TestManualsRender(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("groff is missing; scripts/setup.sh groff-base installs it")
		}
		t.Skip("groff is missing; scripts/setup.sh groff-base installs it")
	}
	for _, name := range manuals {
		page := root + "docs/" + name
		out, err := exec.Command("groff", "-Kutf8", "-mandoc", "-ww", "-Tutf8", "-z", page).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("groff on %s: %v\n%s", name, err, out)
		}
		if _, err := exec.LookPath("mandoc"); err != nil {
			continue
		}
		if out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", page).CombinedOutput(); err != nil {
			t.Errorf("mandoc on %s: %v\n%s", name, err, out)
		}
	}
}

// TestManualsKeepTheirWords looks for messages of which mdoc takes a word for a macro, and swallows it.
func TestManualsKeepTheirWords(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("groff is missing; scripts/setup.sh groff-base installs it")
		}
		t.Skip("groff is missing; scripts/setup.sh groff-base installs it")
	}
	out, err := exec.Command("groff", "-Kutf8", "-mandoc", "-Tutf8", "-P-cbou", root+"docs/vbladefs-daemons.8").Output()
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(strings.Fields(string(out)), " ")
	for _, message := range []string{
		"‘open: No such file or directory’",
		"‘connect(): No such file or directory’",
		"‘FILE:LINE: [GROUP] KEY: \"VALUE\": REASON’",
		"‘FILE:LINE: [SECTION] KEY: \"VALUE\": REASON’",
	} {
		if !strings.Contains(shown, message) {
			t.Errorf("vbladefs-daemons.8 does not show %s", message)
		}
	}
}

// TestManualsAreInstalled holds `make install` to the pages that there are, and to
// one for each daemon, which shows that of all.
func TestManualsAreInstalled(t *testing.T) {
	pages, err := filepath.Glob(root + "docs/*.[1-8]")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if out, err := install(t, dir); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	var found, want []string
	for _, page := range pages {
		name := filepath.Base(page)
		found, want = append(found, name), append(want, name)
	}
	same(t, "pages in docs and pages that are tested", found, manuals)
	for _, name := range daemons(t) {
		want = append(want, name+".8")
		text, err := os.ReadFile(filepath.Join(dir, "usr/share/man/man8", name+".8"))
		if err != nil || string(text) != ".so man8/"+daemonsPage+"\n" {
			t.Errorf("the page of %s is %q, %v", name, text, err)
		}
	}
	installed, err := filepath.Glob(filepath.Join(dir, "usr/share/man/man*/*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, page := range installed {
		installed[i] = filepath.Base(page)
		if section := filepath.Base(filepath.Dir(page)); section != "man"+page[len(page)-1:] {
			t.Errorf("%s is in %s", installed[i], section)
		}
	}
	same(t, "pages that there are, and that are installed", want, installed)
}

// TestOptions compares the options of vbladefs's commands with its manual.
func TestOptions(t *testing.T) {
	page := read(t, "docs/vbladefs.8")
	for _, command := range []string{"serve", "run", "status", "top", "save", "restore", "convert", "discover", "ping", "upgrade", "install-links"} {
		holdOptions(t, page, command)
	}
}

// holdOptions compares the options of one command with its synopsis and its list in the manual.
func holdOptions(t *testing.T, page, command string) {
	t.Helper()
	help := output(t, "vbladefs", command, "-h")
	_, synopsis, _ := strings.Cut(page, ".Nm\n.Cm "+command+"\n")
	synopsis, _, _ = strings.Cut(synopsis, ".Nm\n")
	list := regexp.MustCompile(`(?s)The options? of\n\.Cm ` + command + ` :\n\.Bl.*?\n\.El\n`).FindString(page)
	inManual := manualFlags(list)
	same(t, "options: in "+command+" -h, and in the manual", submatches(`(?m)^  (-[a-z-]+)`, help), inManual)
	same(t, "options: in the synopsis of "+command+", and in the manual", prefixed("-", submatches(`(?m)^\.Op Fl ([a-z][a-z-]*)(?: Ar .*)?$`, synopsis)), inManual)
	for _, m := range regexp.MustCompile(`(?m)^  -([a-z-]+) .*\n.*\(default "?([^")]+)`).FindAllStringSubmatch(help, -1) {
		item := manualItem(t, list, `\.It Fl `+m[1]+` `)
		if !strings.Contains(item, m[2]) || !strings.Contains(item, "default") {
			t.Errorf("the manual of %s -%s does not give its default %q:\n%s", command, m[1], m[2], item)
		}
	}
}

// TestCommands compares the commands of vbladefs with its manual.
func TestCommands(t *testing.T) {
	_, list, _ := strings.Cut(output(t, "vbladefs", "help"), "commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	page := read(t, "docs/vbladefs.8")
	commands := submatches(`(?m)^  ([a-z-]+) `, list)
	same(t, "commands: in help, and in the synopsis", commands, submatches(`(?m)^\.Nm\n\.Cm ([a-z-]+)$`, page))
	description, _, _ := strings.Cut(page, ".Sh ACKNOWLEDGED WRITES")
	same(t, "commands: in help, and described", commands, submatches(`(?m)^\.It Cm ([a-z-]+)$`, description))
}

// TestBenchOptions compares the flags of aoebench with its help and its manual.
func TestBenchOptions(t *testing.T) {
	parsed := submatches(`f\.\w*Var\([^"]+"([a-z]+)"`, read(t, "cmd/aoebench/options.go"))
	for i, name := range parsed {
		parsed[i] = "--" + name
		if len(name) == 1 {
			parsed[i] = "-" + name
		}
	}
	if len(parsed) == 0 {
		t.Fatal("cmd/aoebench/options.go: no flag found")
	}
	help := output(t, "aoebench", "--help")
	same(t, "flags: of aoebench, and in its help", parsed, submatches(`(?m)[ (](--?[a-z]+)\b`, help))
	same(t, "flags: of aoebench, and in its manual", parsed, manualFlags(read(t, "docs/aoebench.1")))
}

// TestBenchFields compares the fields of aoebench's JSON with its manual.
func TestBenchFields(t *testing.T) {
	var fields []string
	for _, name := range []string{"cmd/aoebench/result.go", "target/aoe/initiator/ledger/ledger.go", "cmd/aoebench/main.go"} {
		fields = append(fields, submatches("`json:\"([^,\"]+)", read(t, name))...)
	}
	var documented []string
	for _, line := range submatches(`(?m)^\.(?:It )?Va (.*)$`, read(t, "docs/aoebench.1")) {
		documented = append(documented, strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' })...)
	}
	documented = slices.DeleteFunc(documented, func(s string) bool { return s == "." })
	same(t, "fields: in the JSON, and in the manual", fields, documented)
}

// manualFlags lists the flags that have an item of their own.
func manualFlags(page string) []string {
	return append(prefixed("-", submatches(`(?m)^\.It Fl ([a-z-]+)\b`, page)),
		prefixed("--", submatches(`(?m)^\.It Fl Fl ([a-z-]+)\b`, page))...)
}

// manualItem is the text of the item that begins with the expression.
func manualItem(t *testing.T, page, begins string) string {
	t.Helper()
	m := regexp.MustCompile(`(?ms)^` + begins + `(.*?)^\.(It|El)`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the manual has no item %s", begins)
	}
	return strings.NewReplacer(`\(mc`, "µ").Replace(m[1])
}

func submatches(expression, text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func prefixed(prefix string, list []string) []string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = prefix + s
	}
	return all
}

// same compares two lists as sets, both ways.
func same(t *testing.T, what string, a, b []string) {
	t.Helper()
	if len(a) == 0 {
		t.Errorf("%s: the first list is empty", what)
	}
	for _, s := range a {
		if !slices.Contains(b, s) {
			t.Errorf("%s: only the first has %q", what, s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			t.Errorf("%s: only the second has %q", what, s)
		}
	}
}
