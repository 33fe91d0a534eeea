package docs

import (
	"regexp"
	"strings"
	"testing"
)

// TestVariables: the table in docs/testing.md names each variable that tests take from the environment, and the packages that do.
func TestVariables(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "docs/testing.md"), "\n## Longer, and stricter\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var listed, there []string
	for _, row := range regexp.MustCompile(`(?m)^\| (.*?) \| (.*?) \|`).FindAllStringSubmatch(table, -1) {
		for _, name := range submatches("`(VBLADEFS_[A-Z_]+)=", row[1]) {
			for _, folder := range submatches("`([a-z/]+)`", row[2]) {
				listed = append(listed, folder+" "+name)
			}
		}
	}
	for _, name := range tracked(t) {
		if strings.HasSuffix(name, ".go") && (strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "scripts/vm/")) {
			for _, variable := range submatches(`"(VBLADEFS_[A-Z_]+)"`, read(t, name)) {
				if !strings.Contains(variable, "_TEST_") { // how a test speaks to itself
					there = append(there, name[:strings.LastIndexByte(name, '/')]+" "+variable)
				}
			}
		}
	}
	same(t, "variables: in docs/testing.md, and in tests", listed, there)
}
