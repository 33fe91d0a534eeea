package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)
	fuzzRow    = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| `(Fuzz\\w+)` \\| ")
)

// TestFuzzTargets: the table of fuzz targets in docs/testing.md names each of them
// and no other.
func TestFuzzTargets(t *testing.T) {
	text, err := os.ReadFile(root + "docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, there []string
	for _, row := range fuzzRow.FindAllStringSubmatch(string(text), -1) {
		listed = append(listed, row[1]+" "+row[2])
	}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, target := range fuzzTarget.FindAllSubmatch(source, -1) {
			there = append(there, strings.TrimPrefix(filepath.Dir(path), filepath.Clean(root)+"/")+" "+string(target[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range there {
		if !slices.Contains(listed, name) {
			t.Errorf("docs/testing.md has no row for %s: say what it reads", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(there, name) {
			t.Errorf("docs/testing.md has a row for %s, which is no fuzz target", name)
		}
	}
	if len(there) < 70 {
		t.Errorf("%d fuzz targets were found", len(there))
	}
}
