package ggaoed

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/compat/plan"
	"vbladefs/target"
)

var update = flag.Bool("update", false, "rewrite testdata/*.want")

// testEnv is a machine with two volumes and testdata/ethers.
func testEnv(t testing.TB) Env {
	t.Helper()
	text, err := os.ReadFile("testdata/ethers")
	if err != nil {
		t.Fatal(err)
	}
	return Env{
		Dir:    "/srv",
		Ethers: ParseEthers(text).Host,
		UUID: func(uuid string) (string, error) {
			if uuid == "6a4b1f0e-9d7c-4b52-8f65-3a5d0e6c2b10" {
				return "/dev/disk/by-uuid/" + uuid, nil
			}
			return "", errors.New("no such file or directory")
		},
		Folder: func(path string) error {
			if strings.Contains(path, "missing") {
				return fmt.Errorf("mkdir -p %s", path)
			}
			return nil
		},
	}
}

// TestCorpus holds every testdata/NAME.conf to testdata/NAME.want: what is said of
// it, and what is exported.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(t, name+".conf", text)
			want := "testdata/" + name + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			expected, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(expected) {
				t.Errorf("got\n%s\nwant\n%s", got, expected)
			}
		})
	}
}

// outcome is what becomes of a file, as text.
func outcome(t *testing.T, name string, text []byte) string {
	t.Helper()
	var b strings.Builder
	c, warnings, err := Parse(name, text, testEnv(t))
	for _, w := range warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(&b, "error: %s\n", line)
		}
		return b.String()
	}
	printed := Print(c)
	fmt.Fprintf(&b, "generation %s\n%s\n", c.Generation, printed)
	p := c.Plan([]string{"eth0", "eth1"})
	if err := plan.Validate(p); err != nil {
		t.Errorf("the plan is not valid: %v", err)
	}
	for _, op := range plan.Operations(p) {
		b.WriteString(operation(op) + "\n")
	}
	return b.String()
}

// operation is op with what the file decides of it.
func operation(op target.Operation) string {
	switch op := op.(type) {
	case target.LimitMTU:
		return fmt.Sprintf("limit %s %d", op.Interface, op.MTU)
	case target.AddDrive:
		access := map[target.Access]string{target.AccessReadWrite: "rw", target.AccessReadOnly: "ro"}[op.Access]
		return fmt.Sprintf("drive %s %s %s %s model %q serial %q firmware %#04x", op.Name, op.Path, access, op.Cache,
			op.Model, op.Serial, op.Firmware)
	case target.AddBlade:
		return fmt.Sprintf("blade e%s %s", op.Addr, op.Drive)
	case target.SetHosts:
		list := map[target.HostList]string{target.AcceptList: "accept", target.DenyList: "deny"}[op.List]
		return strings.TrimRight(fmt.Sprintf("%s e%s %s", list, op.Addr, strings.Trim(fmt.Sprint(op.Hosts), "[]")), " ")
	case target.SetLoud:
		return fmt.Sprintf("loud e%s %t", op.Addr, op.Loud)
	case target.AddPort:
		return fmt.Sprintf("port e%s %s buffers %d", op.Addr, op.Interface, op.Buffers)
	}
	return fmt.Sprintf("%T %+[1]v", op)
}
