// Package docs holds the tests that keep documents true.
package docs

import (
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the lists in docs/ from the code")

const (
	root         = "../../../"
	architecture = root + "docs/architecture.md"
	marker       = "<!-- arrows -->\n```\n"
)

// TestArrows compares the list of imports in docs/architecture.md with the code.
func TestArrows(t *testing.T) {
	text, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), marker)
	listed, after, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("%s has no list of arrows behind %q", architecture, marker)
	}
	arrows := imports(t)
	if *update {
		if err := os.WriteFile(architecture, []byte(before+marker+arrows+"```"+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if listed != arrows {
		t.Errorf("%s lists\n%s\nthe code has\n%s\nIf the code is right: go test ./cmd/internal/docs -update", architecture, listed, arrows)
	}
}

// TestRooms: the table of rooms in docs/architecture.md names every package; those
// of the legacy targets and of scripts have a row for all.
func TestRooms(t *testing.T) {
	text, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Rooms")
	rooms, _, _ := strings.Cut(rest, "## ")
	cmd := exec.Command("go", "list", "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, name := range strings.Fields(string(out)) {
		name = strings.TrimPrefix(name, "vbladefs/")
		common := strings.HasPrefix(name, "scripts/") || strings.HasPrefix(name, "compat/") && name != "compat/native"
		if !common && !strings.Contains(rooms, "`"+name+"`") {
			t.Errorf("%s has no row for %s among its rooms", architecture, name)
		}
	}
}

// TestArrowsPointDown holds the code to what each room may import of ours.
func TestArrowsPointDown(t *testing.T) {
	allowed := map[string][]string{
		"target/aoe":           nil,
		"target/ata":           nil,
		"target":               {"target/aoe", "target/ata"},
		"target/aoe/initiator": {"target/aoe"},
		"netio":                nil,
		"disk":                 nil,
		"compat/":              {"target", "target/aoe", "compat/"},
		"fusectl/dying":        nil,
		"fusectl":              {"compat/", "target", "target/aoe", "fusectl/dying"},
	}
	for _, line := range strings.Split(strings.TrimSpace(imports(t)), "\n") {
		from, to, _ := strings.Cut(line, " -> ")
		for room, may := range allowed {
			if from != room && !(strings.HasSuffix(room, "/") && strings.HasPrefix(from, room)) {
				continue
			}
			for _, target := range strings.Fields(to) {
				if !slices.ContainsFunc(may, func(m string) bool {
					return target == m || strings.HasSuffix(m, "/") && strings.HasPrefix(target, m)
				}) {
					t.Errorf("%s imports %s, which DESIGN keeps apart", from, target)
				}
			}
		}
	}
}

// imports lists "package -> packages of ours that it imports", a line each.
func imports(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const module = "vbladefs/"
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, list, _ := strings.Cut(line, ":")
		var ours []string
		for _, i := range strings.Fields(list) {
			if strings.HasPrefix(i, module) {
				ours = append(ours, strings.TrimPrefix(i, module))
			}
		}
		if len(ours) > 0 {
			b.WriteString(strings.TrimPrefix(name, module) + " -> " + strings.Join(ours, " ") + "\n")
		}
	}
	return b.String()
}
