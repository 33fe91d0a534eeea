package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"vbladefs/fusectl/conversation"
)

// TestCompatibility holds what docs/compatibility.md says of files and errors to the daemon: it runs
// testdata/compatibility.txt, with our devices in the place of those in it.
func TestCompatibility(t *testing.T) {
	const name = "testdata/compatibility.txt"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t)
	s.host.SetMTU("eth1", 1500)
	s.serve()
	dir := t.TempDir()
	image, empty := filepath.Join(dir, "image"), filepath.Join(dir, "empty")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("$IMAGE", image, "$EMPTY", empty).Replace(s.devices(string(text)))
	file := filepath.Join(dir, filepath.Base(name)) // has the lines of the other
	if err := os.WriteFile(file, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	conversation.Run(t, s.tree, file, false)
}

// devices replaces the documents' loop devices and their names by ours, and keeps columns aligned.
func (s *session) devices(text string) string {
	device := regexp.MustCompile(`(/dev/)?(loop[0-3])\b( {4,})?`)
	return device.ReplaceAllStringFunc(text, func(found string) string {
		m := device.FindStringSubmatch(found)
		ours := s.loops["/dev/"+m[2]]
		if m[1] == "" {
			ours = filepath.Base(ours)
		}
		return ours + m[3][:max(0, len(m[3])-len(ours)+len(m[1]+m[2]))]
	})
}
