package sqaoed

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"vbladefs/compat/plan"
	"vbladefs/target"
)

var update = flag.Bool("update", false, "rewrite what testdata expects")

// TestCalls: a line `$ sqaoed ARGUMENTS…` of testdata/calls.txt makes the
// operations that follow it, or ends with what it says on stderr, `! TEXT`.
func TestCalls(t *testing.T) {
	const file = "testdata/calls.txt"
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(content)) {
		switch {
		case strings.HasPrefix(line, "$ "):
			out.WriteString(line + run(strings.Fields(line)[2:]))
		case strings.HasPrefix(line, "#") || line == "\n":
			out.WriteString(line)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if out.String() != string(content) {
		t.Errorf("got\n%s", out.String())
	}
}

func run(args []string) string {
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "'", "")
	}
	e, err := Parse(args, "sqaoed", "/data")
	if err == nil {
		err = plan.Validate(plan.Plan{Exports: []plan.Export{e}})
	}
	if err != nil {
		return "! " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, op := range e.Operations() {
		switch op := op.(type) {
		case target.AddDrive:
			fmt.Fprintf(&b, "drive %s %q %s %s %q %q %#x\n", op.Name, op.Path, [...]string{"auto", "rw", "ro"}[op.Access], op.Cache,
				op.Model, op.Serial, op.Firmware)
		case target.AddBlade:
			fmt.Fprintf(&b, "blade e%s %s\n", op.Addr, op.Drive)
		case target.AddPort:
			fmt.Fprintf(&b, "port e%s %s %d\n", op.Addr, op.Interface, op.Buffers)
		default:
			fmt.Fprintf(&b, "%T\n", op)
		}
	}
	return b.String()
}

func TestFailed(t *testing.T) {
	err := Failed("/dev/loop7", &fs.PathError{Op: "open", Path: "/dev/loop7", Err: syscall.EBUSY})
	if err.Error() != "/dev/loop7: Device or resource busy" {
		t.Errorf("got %q", err)
	}
}

// FuzzParse: any arguments make an export that a plan can have, or an error, and
// an export printed is parsed as itself.
func FuzzParse(f *testing.F) {
	f.Add("eth0", "/dev/loop7", "0", "0")
	f.Add("", "disk", "0x10", "-1")
	f.Fuzz(func(t *testing.T, netif, device, shelf, slot string) {
		e, err := Parse([]string{netif, device, shelf, slot}, "sqaoed", "/data")
		if err != nil {
			return
		}
		if err := plan.Validate(plan.Plan{Exports: []plan.Export{e}}); err != nil {
			t.Fatal(err)
		}
		printed := []string{e.Interfaces[0], e.Path, fmt.Sprint(e.Addr.Shelf), fmt.Sprint(e.Addr.Slot)}
		if again, err := Parse(printed, "sqaoed", "/data"); err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%q: got %+v, %v; want %+v", printed, again, err, e)
		}
		if _, err := Parse(printed[:3], "sqaoed", "/data"); err == nil || errors.Is(err, target.ErrMalformed) {
			t.Fatalf("three arguments: %v", err)
		}
	})
}
