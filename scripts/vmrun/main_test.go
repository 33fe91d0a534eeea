package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/scripts/vm"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, args, says string
	}{
		{"all", "-netns lab -tap tap0 -mtu 9000 script.sh", ""},
		{"only prepare", "-prepare", ""},
		{"no namespace", "-tap tap0 script.sh", "-netns"},
		{"no tap", "-netns lab", "-tap"},
		{"two scripts", "-netns lab -tap tap0 a b", "one script"},
		{"script and commands", "-netns lab -tap tap0 -c true a", "exclude"},
		{"unknown flag", "-nonesuch", "nonesuch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse(strings.Fields(test.args))
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Fatalf("error %v, expected %q", err, test.says)
			}
		})
	}
	if o, err := parse([]string{"-netns", "lab", "-tap", "tap0"}); err != nil || o.config.Netns != "/run/netns/lab" {
		t.Errorf("a name gives %q, %v", o.config.Netns, err)
	}
	if o, err := parse([]string{"-netns", "/proc/1/ns/net", "-tap", "tap0"}); err != nil || o.config.Netns != "/proc/1/ns/net" {
		t.Errorf("a path gives %q, %v", o.config.Netns, err)
	}
	if _, err := parse([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h gives %v", err)
	}
}

func TestCommand(t *testing.T) {
	if err := vm.Missing(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	binary := filepath.Join(t.TempDir(), "vmrun")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n, err := vm.NewNetwork(1500)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	run := func(stdin string, args ...string) (stdout, stderr string, code int) {
		var out, complaint bytes.Buffer
		cmd := exec.Command(binary, append([]string{"-netns", n.Netns(), "-timeout", "2m"}, args...)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &complaint
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
	}
	console := filepath.Join(t.TempDir(), "console")
	if out, complaint, code := run("echo hello; exit 7", "-tap", vm.TapIf, "-log", console); out != "hello\n" || code != 7 {
		t.Errorf("output %q, exit %d, standard error %q", out, code, complaint)
	}
	if text, err := os.ReadFile(console); err != nil || !strings.Contains(string(text), "guest: ready") {
		t.Errorf("console log: %v, %q", err, text)
	}
	if _, complaint, code := run("", "-tap", "no/such", "-c", "true"); code != exitOwn || !strings.HasPrefix(complaint, "vmrun: ") {
		t.Errorf("no tap: exit %d, standard error %q", code, complaint)
	}
}
