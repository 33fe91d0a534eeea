package docs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tracked lists the files of the repository.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// TestLinks holds every relative link of a document to a file.
func TestLinks(t *testing.T) {
	links := 0
	for _, name := range tracked(t) {
		text, err := os.ReadFile(root + name)
		if filepath.Ext(name) != ".md" || os.IsNotExist(err) {
			continue
		}
		for _, link := range submatches(`\]\(([^)#]+)`, string(text)) {
			if strings.Contains(link, "://") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(root+name), link)); err != nil {
				t.Errorf("%s: link to %s: %v", name, link, err)
			}
		}
	}
	if links == 0 {
		t.Error("no link found")
	}
}

// TestNoMachineNames keeps paths of a developer's machine, and the hosts of package registries and mirrors, out: what is
// fetched is fetched by the tools as the user has set them up.
func TestNoMachineNames(t *testing.T) {
	// Put together here, so that this file does not hold them.
	bad := regexp.MustCompile(`(?im)(^|[\s"'=:(])/(` + "wor" + `k|far` + `m)/|(prox` + `y|su` + `m)\.golang\.org|go` +
		`proxy\.|[a-z]+\.deb` + `ian\.org/debian|py` + `pi\.org|registry\.np` + `mjs`)
	for _, name := range tracked(t) {
		text, err := os.ReadFile(root + name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range bad.FindAllIndex(text, -1) {
			t.Errorf("%s:%d names %q", name, 1+bytes.Count(text[:at[0]], []byte("\n")), text[at[0]:at[1]])
		}
	}
}
