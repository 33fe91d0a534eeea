package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"regexp"
	"strings"
	"testing"
)

// keeps are the numbers in the tables of docs/security.md of what a client can make the daemon keep: a row's beginning, the numbers in
// it, and the constants that they are.
var keeps = []struct {
	row       string
	constants []string
}{
	{"requests in flight", []string{"target.DefaultBuffers"}},
	{"config string, masks, reservation", []string{"target/aoe.MaxConfigString", "target/aoe.MaxListed", "target/aoe.MaxListed"}},
	{"changes of these that wait", []string{"target.maxKeeping"}},
	{"initiators remembered", []string{"target.maxHosts"}},
	{"rivals remembered", []string{"target.maxConflicts"}},
	{"other targets remembered", []string{"target.maxNeighbours", "target.waitingReplies"}},
	{"replies to wildcards", []string{"target.wildcardsAtOnce"}},
	{"wildcards that wait", []string{"target.mostWildcards", "target.mostWildcardsEach"}},
}

// TestWhatClientsKeep holds these numbers to the program.
func TestWhatClientsKeep(t *testing.T) {
	page := read(t, "docs/security.md")
	values := map[string]map[string]string{"target": constants(t, "target"), "target/aoe": constants(t, "target/aoe")}
	for _, k := range keeps {
		found := regexp.MustCompile(`(?m)^\| ` + k.row + `[^|]*\| (.*) \|$`).FindStringSubmatch(page)
		if found == nil {
			t.Errorf("docs/security.md has no row %q", k.row)
			continue
		}
		numbers := submatches(`\b([0-9][0-9,]*)\b`, found[1])
		for i, name := range k.constants {
			of := strings.TrimSuffix(name, path.Ext(name))
			want := values[of][strings.TrimPrefix(name, of+".")]
			if i >= len(numbers) || strings.ReplaceAll(numbers[i], ",", "") != want {
				t.Errorf("docs/security.md, %q: number %d is to be %s, %q", found[0], i+1, name, want)
			}
		}
	}
	if a, b := values["target"]["wildcardsAtOnce"], values["target"]["wildcardsASecond"]; a != b {
		t.Errorf("docs/security.md says as many wildcards at once as a second: %s and %s", a, b)
	}
}

// constants are those of a package that are plain numbers.
func constants(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range tracked(t) {
		if path.Dir(name) != folder || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, root+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
				for i, value := range spec.Values {
					if number, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(value)); err == nil && number.Value != nil {
						all[spec.Names[i].Name] = number.Value.ExactString()
					}
				}
			}
			return true
		})
	}
	return all
}
