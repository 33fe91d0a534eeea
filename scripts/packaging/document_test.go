package packaging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDocument carries out docs/install.md, command by command. What make does was
// done before, here or by the tests of the documents.
func TestDocument(t *testing.T) {
	needs(t)
	text, err := os.ReadFile(top + "/docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	b := build(t, "1.0")
	s := newSite(t, filepath.Join(b.programs, "aoebench"))
	if err := os.Mkdir(s.root+"/root/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	s.put(b.vbladefs, "/root/bin/"+filepath.Base(b.vbladefs))
	var disk unix.Stat_t
	if err := unix.Stat(s.root+s.loopDevice(), &disk); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(s.root+"/dev/sdb", unix.S_IFBLK|0o600, int(disk.Rdev)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !ok || strings.HasPrefix(command, "make ") {
			continue
		}
		n++
		out := s.do("cd /root && " + command)
		switch {
		case strings.HasPrefix(command, "echo add"):
			s.exported("e0.1")
		case command == "systemctl status vbladefs" && !strings.Contains(out, "active (running)"),
			command == "cat /run/vbladefs/aoeserver" && !strings.Contains(out, "/dev/sdb"):
			t.Errorf("%s shows\n%s", command, out)
		}
	}
	if n < 10 {
		t.Errorf("only %d commands", n)
	}
	s.exported("e1.1")
}
