package docs

import (
	"regexp"
	"strings"
	"testing"
)

// TestFeatures: each row of the README's table of features has all its cells, and names tests that there are.
func TestFeatures(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "README.md"), "## Beside the others\n")
	section, _, _ = strings.Cut(section, "\n## ")
	there := map[string]bool{}
	for _, name := range tracked(t) {
		if strings.HasSuffix(name, "_test.go") {
			for _, test := range submatches(`(?m)^func (Test\w+)\(`, read(t, name)) {
				there[test] = true
			}
		}
	}
	rows := submatches(`(?m)^\|(.*)\|$`, section)
	if len(rows) < 12 {
		t.Fatalf("the table has %d rows", len(rows))
	}
	for _, row := range rows[2:] { // behind the head
		cells := strings.Split(row, "|")
		for i, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("%q: cell %d is empty", row, i+1)
			}
		}
		if want := len(strings.Split(rows[0], "|")); len(cells) != want {
			t.Errorf("%q has %d cells, want %d", row, len(cells), want)
		}
		named := regexp.MustCompile("`(Test\\w*)`").FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(named) == 0 {
			t.Errorf("%q names no test", row)
		}
		for _, m := range named {
			if !there[m[1]] {
				t.Errorf("%q: there is no %s", row, m[1])
			}
		}
	}
}
