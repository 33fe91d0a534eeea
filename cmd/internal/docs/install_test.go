package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// daemons lists the names that vbladefs takes the place of.
func daemons(t *testing.T) []string {
	t.Helper()
	_, list, _ := strings.Cut(output(t, "vbladefs", "help"), "under their own names:\n")
	return submatches(`(?m)^  ([a-z]+) `, list)
}

// install runs `make install` with our programs into a folder.
func install(t *testing.T, dir string, variables ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("make", append([]string{"-s", "-o", "build", "BIN=" + programs(t), "DESTDIR=" + dir, "PREFIX=/usr", "VERSION=test", "install"}, variables...)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestInstall has `make install` put a link for every daemon beside the program,
// which moves with it, and leave alone what it did not make.
func TestInstall(t *testing.T) {
	dir := t.TempDir()
	sbin := filepath.Join(dir, "usr/sbin")
	for range 2 { // again, over itself
		if out, err := install(t, dir); err != nil {
			t.Fatalf("make install: %v\n%s", err, out)
		}
	}
	moved := filepath.Join(t.TempDir(), "sbin")
	if err := os.Rename(sbin, moved); err != nil {
		t.Fatal(err)
	}
	names := daemons(t)
	if len(names) < 7 {
		t.Errorf("only %q", names)
	}
	for _, name := range names {
		if to, err := os.Readlink(filepath.Join(moved, name)); err != nil || to != "vbladefs" {
			t.Errorf("%s leads to %q, %v", name, to, err)
		}
	}
	if out, err := exec.Command(filepath.Join(moved, "ggaoectl"), "-V").CombinedOutput(); err != nil || !strings.Contains(string(out), "AoE target") {
		t.Errorf("ggaoectl -V: %v, %s", err, out)
	}

	checkInstalled(t, dir)
	other := filepath.Join(sbin, "vblade")
	if err := os.Mkdir(sbin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("somebody's own"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := install(t, dir); err == nil || !strings.Contains(out, other) {
		t.Errorf("over another vblade: %v\n%s", err, out)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "somebody's own" {
		t.Errorf("the other vblade is %q, %v", text, err)
	}
	if out, err := install(t, dir, "LINKFLAGS=-force"); err != nil {
		t.Errorf("with -force: %v\n%s", err, out)
	}
	if to, err := os.Readlink(other); err != nil || to != "vbladefs" {
		t.Errorf("with -force vblade leads to %q, %v", to, err)
	}
}

// checkInstalled looks at what is not programs.
func checkInstalled(t *testing.T, dir string) {
	t.Helper()
	for name, want := range map[string]string{
		"usr/lib/systemd/system/vbladefs.service":           "ExecStart=/usr/sbin/vbladefs serve ",
		"usr/lib/systemd/system/vbladefs-vblade@.service":   "ExecStart=/usr/sbin/vbladefs vblade ",
		"usr/lib/systemd/system/vbladefs-ggaoed.service":    "ExecStart=/usr/sbin/vbladefs ggaoed ",
		"usr/lib/systemd/system/vbladefs-qaoed.service":     "ExecStart=/usr/sbin/vbladefs qaoed ",
		"usr/lib/sysusers.d/vbladefs.conf":                  "u vbladefs ",
		"usr/lib/tmpfiles.d/vbladefs.conf":                  "d /var/lib/vbladefs 0700 ",
		"etc/default/vbladefs":                              "VBLADEFS_OPTIONS=",
		"usr/share/bash-completion/completions/vbladefs":    "complete ",
		"usr/share/bash-completion/completions/ggaoectl":    "complete ",
		"usr/share/zsh/vendor-completions/_vbladefs":        "#compdef vbladefs ",
		"usr/share/fish/vendor_completions.d/vbladefs.fish": "complete -c vbladefs ",
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q, %v", name, want, err)
		}
		if strings.Contains(string(text), "/usr/local/") {
			t.Errorf("%s names /usr/local, and is in /usr", name)
		}
	}
}
