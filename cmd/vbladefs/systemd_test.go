package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vbladefs/netio/netiotest"
)

const unit = "../../scripts/systemd/vbladefs.service"

// TestUnitExposure holds the units to what systemd itself thinks of them.
func TestUnitExposure(t *testing.T) {
	need(t, "systemd-analyze")
	units, err := filepath.Glob(filepath.Dir(unit) + "/*.service")
	if err != nil || len(units) < 4 {
		t.Fatalf("units %q, %v", units, err)
	}
	for _, unit := range units {
		out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", unit).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Overall exposure level") {
			t.Errorf("%s: more than 3.0: %v\n%s", unit, err, out)
		}
	}
}

// callsOf are the calls that SystemCallFilter= of the unit leaves, by name.
func callsOf(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^SystemCallFilter=(~?)(.*)$`).FindAllStringSubmatch(string(text), -1) {
		for _, name := range strings.Fields(line[2]) {
			for _, call := range expand(t, name) {
				calls[call] = line[1] == ""
			}
		}
	}
	for call := range calls {
		if !calls[call] {
			delete(calls, call)
		}
	}
	for _, call := range expand(t, "@default") { // which systemd allows whatever is listed
		calls[call] = true
	}
	return calls
}

// expand lists the calls of a group of systemd's.
func expand(t *testing.T, name string) (calls []string) {
	t.Helper()
	if !strings.HasPrefix(name, "@") {
		return []string{name}
	}
	out, err := exec.Command("systemd-analyze", "syscall-filter", "--no-pager", name).Output()
	if err != nil {
		t.Fatalf("systemd-analyze syscall-filter %s: %v", name, err)
	}
	for _, word := range strings.Split(string(out), "\n")[1:] {
		if word = strings.TrimSpace(word); word != "" && !strings.HasPrefix(word, "#") {
			calls = append(calls, expand(t, word)...)
		}
	}
	return calls
}

// numbers are those of the calls, as golang.org/x/sys has them for this machine.
func numbers(t *testing.T, calls map[string]bool) (list []uint32) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+runtime.GOARCH+".go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s+SYS_([A-Z0-9_]+)\s+= (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		if n, err := strconv.ParseUint(m[2], 10, 32); err == nil && calls[strings.ToLower(m[1])] {
			list = append(list, uint32(n))
		}
	}
	if len(list) < 100 || !slices.Contains(list, unix.SYS_READ) || slices.Contains(list, unix.SYS_REBOOT) {
		t.Fatalf("%d calls: %v", len(list), list)
	}
	return list
}

// TestUnitSystemCalls runs the daemon under the filter and with the capabilities of
// the unit, as far as that can be had without systemd: it serves by every kind of
// link and I/O, and ends as ever.
func TestUnitSystemCalls(t *testing.T) {
	need(t, "systemd-analyze", "setpriv")
	allowed, err := json.Marshal(numbers(t, callsOf(t)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	bounding := regexp.MustCompile(`(?m)^CapabilityBoundingSet=(.*)$`).FindStringSubmatch(string(text))[1]
	var set uint64
	for _, name := range strings.Fields(bounding) {
		set |= 1 << capabilityNumbers[name]
	}
	bounding = "-all,+" + strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(bounding, "CAP_", "")), " ", ",+")
	for _, flags := range [][]string{{"-link", "ring", "-io", "uring", "-workers", "2"}, {"-link", "raw", "-io", "sync"}, {"-link", "xdp"}} {
		here, there := netiotest.Pair(t, 1500)
		dir := mountDir(t)
		args := append(append([]string{"--bounding-set", bounding, os.Args[0], program, "serve", "-state", t.TempDir()}, flags...), dir)
		args = append([]string{filterVariable + "=" + string(allowed), "setpriv"}, args...)
		d := startProgram(t, here, "env", args...)
		d.dir = dir
		d.await("the tree is mounted", func() bool {
			_, err := os.Stat(filepath.Join(dir, "log"))
			return err == nil
		})
		checkLimited(t, d.cmd.Process.Pid, set)
		for _, thread := range threads(t, d.cmd.Process.Pid) {
			if thread["Seccomp"] != "2" {
				t.Errorf("thread %s has no filter", thread["Pid"])
			}
		}
		device, path, disk := loopDisk(t, mib)
		d.echo("add "+device+" 0 1 eth0", "aoeserver")
		if log := d.read("log"); !strings.Contains(log, "by "+flags[1]) {
			t.Errorf("no %q in the log:\n%s", "by "+flags[1], log)
		}
		x := connect(t, there, "eth0").open("0.1")
		put(t, x, disk, 1000, 50000)
		checkBytes(t, "in the sandbox", readAll(t, x), disk)
		checkFile(t, path, disk)
		usual := 1
		if slices.Contains(flags, "-workers") {
			usual = 2
		}
		checkTurns(t, d.cmd.Process.Pid, usual)
		if code := d.stop(syscall.SIGTERM); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		d.checkUnmounted()
	}
}
