package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"vbladefs/netio/netiotest"
)

// The tests here run the benchmark as a program, with everything that it needs.

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "vbladefs-bench-")
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{{".", "bench"}, {"../../cmd/vbladefs", "vbladefs"}, {"../../cmd/aoebench", "aoebench"}} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, args[1]), args[0])
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, errors.Join(err, errors.New(string(out)))
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	remove, err := netiotest.OwnTemp()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	remove()
	os.Exit(status)
}

// program prepares the benchmark, or ends the test where it cannot run.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	lacking := t.Skipf
	if os.Getenv("CI") == "true" {
		lacking = t.Fatalf
	}
	if os.Geteuid() != 0 {
		lacking("needs root for namespaces")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		lacking("%v", err)
	}
	for name, group := range map[string]string{"vblade": "client", "fio": "bench-disk", "gnuplot": "bench"} {
		if _, err := find(name, group); err != nil {
			lacking("%v", err)
		}
	}
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "bench"), append([]string{"-bin", dir}, args...)...)
	cmd.Env = append(os.Environ(), mark+dir) // its children have it too
	return cmd
}

// mark begins the variable by which the processes of a test are known.
const mark = "VBLADEFS_BENCH_TEST="

// leftovers are processes of ours, and what there is in memory and on the disk.
func leftovers(t *testing.T, scratch string) string {
	t.Helper()
	dir, _ := build()
	var list []string
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range environments {
		if text, _ := os.ReadFile(name); bytes.Contains(text, []byte(mark+dir)) {
			words, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
			list = append(list, string(bytes.ReplaceAll(words, []byte{0}, []byte{' '})))
		}
	}
	for _, pattern := range []string{memory + "/disks-*", memory + "/tree-*", memory + "/log-*", filepath.Join(scratch, "*")} {
		found, _ := filepath.Glob(pattern)
		list = append(list, found...)
	}
	return strings.Join(list, "\n")
}

// runProgram runs it to its end and returns the table and the report.
func runProgram(t *testing.T, args ...string) (string, report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	cmd := program(t, append(args, "-json", file)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, stdout.String(), stderr.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if r.Machine.Kernel == "" || r.Machine.CPU == "" || r.Machine.Processors < 1 || r.Versions.Vbladefs == "" || r.Versions.Vblade == "" || r.Date.IsZero() {
		t.Errorf("the report does not say where: %+v %+v", r.Machine, r.Versions)
	}
	return stdout.String(), r
}

// sound holds every figure to be positive, and every row of the groups to be in
// the report and in the table.
func sound(t *testing.T, groups []group, rounds int, table string, r report) {
	t.Helper()
	measured, compared := 0, 0
	for _, g := range groups {
		for _, row := range g.rows {
			measured += rounds * len(g.contenders)
			compared += len(g.pairs) * len(row.figures)
			if !strings.Contains(table, "\n"+row.name+" ") {
				t.Errorf("the table has no row %q:\n%s", row.name, table)
			}
		}
	}
	if len(r.Measurements) != measured || len(r.Comparisons) != compared {
		t.Errorf("%d measurements and %d comparisons, want %d and %d", len(r.Measurements), len(r.Comparisons), measured, compared)
	}
	positive := func(what any, values ...float64) {
		for _, v := range values {
			if !(v > 0) || math.IsInf(v, 0) {
				t.Errorf("%v among %v of %+v", v, values, what)
			}
		}
	}
	for _, m := range r.Measurements {
		positive(m, m.IOPS, m.P50, m.P99, m.CPU, m.Cores)
	}
	for _, c := range r.Comparisons {
		positive(c, c.Ours, c.Theirs, c.Ratio, c.Min, c.Max)
		if c.Min > c.Max {
			t.Errorf("spread of %+v", c)
		}
	}
}

func TestBenchEndToEnd(t *testing.T) {
	picture := filepath.Join(t.TempDir(), "plot.svg")
	vblade, _ := find("vblade", "client")
	peer := "old=" + vblade + " {shelf} {slot} {interface} {file}"
	table, r := runProgram(t, "-rounds", "1", "-seconds", "0.4", "-plot", picture, "-peer", peer)
	o := &options{}
	_ = o.peers.Set(peer)
	sound(t, o.groups(vblade), 1, table, r)
	if strings.Count(table, " met") < 8 {
		t.Errorf("the table does not say which goals are met:\n%s", table)
	}
	if f := r.Memory; f == nil || f.RSS <= f.Anon || f.Heap <= 0 || f.Heap > f.Anon || f.Rings <= 0 {
		t.Errorf("memory of the idle daemon: %+v", r.Memory)
	}
	for _, m := range r.Measurements {
		if beside := m.Row == "beside a slow export" && m.Contender == ours; beside != (m.Neighbour > 0) {
			t.Errorf("neighbour of %+v", m)
		}
	}
	svg, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	checkSVG(t, svg, r.Machine.Kernel, r.Date.Format("2006-01-02"), ours, "vblade", "old")
	if left := leftovers(t, t.TempDir()); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

func TestDiskEndToEnd(t *testing.T) {
	scratch, err := os.MkdirTemp("/var/tmp", "vbladefs-bench-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(scratch)
	o := &options{disk: true}
	table, r := runProgram(t, "-disk", "-dir", scratch, "-rounds", "1", "-seconds", "0.2")
	sound(t, o.groups("vblade"), 1, table, r)
	if r.Versions.Fio == "" {
		t.Errorf("versions %+v", r.Versions)
	}
	if left := leftovers(t, scratch); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}

func TestSoakEndToEnd(t *testing.T) {
	table, r := runProgram(t, "-soak", "1s")
	if s := r.Soak; s == nil || len(s.Samples) < 3 || s.IOPS <= 0 || s.Samples[0].RSS <= 0 || s.Samples[0].Heap <= 0 {
		t.Errorf("%+v", r.Soak)
	}
	if !strings.Contains(table, "memory ") {
		t.Errorf("no verdict in %s", table)
	}
}

// The figures are those of another machine and load; that each could be taken
// says that the tree has done what it was asked.
func TestControlEndToEnd(t *testing.T) {
	table, r := runProgram(t, "-control", "-exports", "300")
	units := map[string]int{}
	for _, f := range r.Control {
		units[f.Unit]++
		if grows := f.Unit == "bytes"; !grows && !(f.Value > 0) || math.IsInf(f.Value, 0) || math.IsNaN(f.Value) {
			t.Errorf("%+v", f)
		}
		if !strings.Contains(table, "\n"+f.What+" ") {
			t.Errorf("the table has no %q:\n%s", f.What, table)
		}
	}
	if units["s"] < 4 || units["ms"] < 7 || units["µs"] < 3 || units["bytes"] != 3 {
		t.Errorf("%v of each unit in\n%s", units, table)
	}
	if left := leftovers(t, t.TempDir()); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
}
