package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestScale starts the servers in the table of docs/scale.md, but for those of Ceph, and exports what each serves by the command behind
// the table.
func TestScale(t *testing.T) {
	page := read(t, "docs/scale.md")
	add := regexp.MustCompile("`(echo add nbd[^`]*) > aoeserver`").FindStringSubmatch(page)
	rows := regexp.MustCompile("(?m)^\\| .* \\| `((?:qemu-nbd|nbdkit) [^`]*)`").FindAllStringSubmatch(page, -1)
	if add == nil || len(rows) < 3 {
		t.Fatalf("docs/scale.md has %d servers, and the command %q", len(rows), add)
	}
	run := 0
	for _, row := range rows {
		line := strings.Replace(row[1], "PLUGIN …", "memory 16M", 1)
		if strings.Contains(line, "rbd:") {
			continue
		}
		run++
		t.Run(strings.Fields(line)[0], func(t *testing.T) {
			for _, name := range []string{"qemu-img", strings.Fields(line)[0]} {
				if installed(name) {
					continue
				}
				if os.Getenv("CI") == "true" {
					t.Fatalf("%s is missing; scripts/setup.sh nbd installs it", name)
				}
				t.Skipf("%s is missing; scripts/setup.sh nbd installs it", name)
			}
			dir, err := os.MkdirTemp("", "vd-scale-") // short enough for a socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			s := newSession(t)
			s.serve()
			socket := filepath.Join(dir, "disk.sock")
			local := strings.NewReplacer("/run/disk.sock", socket)
			if strings.Contains(line, "qcow2") {
				if out, err := exec.Command("qemu-img", "create", "-q", "-f", "qcow2", filepath.Join(dir, "disk.qcow2"), "16M").CombinedOutput(); err != nil {
					t.Fatalf("qemu-img: %v\n%s", err, out)
				}
			}
			words := strings.Fields(local.Replace(line))
			server := exec.Command(words[0], words[1:]...)
			server.Dir = dir
			var said strings.Builder
			server.Stdout, server.Stderr = &said, &said
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
			for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(socket); err == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%q makes no socket", words)
				}
			}
			s.run([]command{{"docs/scale.md", local.Replace(add[1]) + " > /run/vbladefs/aoeserver"}})
			s.exported("e0.1")
		})
	}
	if run < 2 {
		t.Errorf("%d servers", run)
	}
}
