package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/netio/netiotest"
)

// TestScripts holds kvadd, kvdel, kvstat and aoectrl to what the ones of kvblade and aoeserver say, on which stream, and
// to their exit codes, without `vbladefs run`.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Abs("../../scripts")
	if err != nil {
		t.Fatal(err)
	}
	here, _ := netiotest.Pair(t, 1500)
	d := serve(t, here)
	folder := t.TempDir()
	for name, sectors := range map[string]int64{"small.img": 819200, "sparse.img": 3907029168} {
		path := filepath.Join(folder, name)
		makeFile(t, path, 0)
		if err := os.Truncate(path, sectors*512); err != nil {
			t.Fatal(err)
		}
	}
	const failed = "unsuccessful. see syslog for explanation.\n"
	lacking := "missing " + filepath.Join(folder, "kvblade") + "\n"
	for _, tt := range []struct {
		line           string // {T}: the tree; {D}: the folder, where there is no tree
		stdout, stderr string // of stderr, the end: the shell has its own say before
		code           int
	}{
		{"{T} kvstat", "", "", 0},
		{"{D} kvadd 0 0 eth0", "", "usage: " + scripts + "/kvadd major minor ifname bpath\n", 1},
		{"{T} kvadd 0 0 eth0 a b", "", "usage: " + scripts + "/kvadd major minor ifname bpath\n", 1},
		{"{D} kvadd 0 0 eth0 x", lacking, "", 1},
		{"{D} kvdel", lacking, "", 1},
		{"{T} kvdel 0 0", "usage: " + scripts + "/kvdel major minor ifname\n", "", 1},
		{"{D} kvstat", "", lacking, 1},
		{"{T} kvadd 0 0 eth0 small.img", "", "", 0},
		{"{T} kvadd 10 1 eth0 {D}/sparse.img", "", "", 0},
		{"{T} kvadd 0 0 eth0 small.img", "", failed, 0},
		{"{T} kvadd 0 1 nosuch small.img", "", failed, 0},
		{"{T} kvstat", "       0.0   eth0    0.419GB {D}/small.img\n      10.1   eth0 2000.398GB {D}/sparse.img\n", "", 0},
		{"{T} kvdel 0 7 eth0", "", failed, 0},
		{"{T} kvdel 10 1 eth0", "", "", 0},
		{"{T} kvstat", "       0.0   eth0    0.419GB {D}/small.img\n", "", 0},
		{"{T} kvdel 0 0 eth0", "", "", 0},
		{"{T} kvstat", "", "", 0},
		{"{T} aoectrl add {D}/small.img 0 3 eth0", "", "", 0},
		{"{T} aoectrl hostmask 0 3 00:01:02:03:04:05", "", "", 0},
		{"{T} aoectrl add {D}/small.img 0 3 eth0", "", "\n", 1},
		{"{T} aoectrl rmmask 0 3 00:01:02:03:04:05", "", "", 0},
		{"{T} aoectrl del {D}/small.img 0 3 eth0", "", "", 0},
		{"{T} aoectrl bogus", "", "\n", 1},
	} {
		words := strings.Fields(strings.NewReplacer("{T}", d.dir, "{D}", folder).Replace(tt.line))
		cmd := exec.Command(filepath.Join(scripts, words[1]), words[2:]...)
		cmd.Dir = folder
		cmd.Env = []string{"VBLADEFS=" + words[0], "PATH=" + t.TempDir()} // no bc, awk or sed: nothing at all
		var out, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaints
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.line, code, tt.code)
		}
		if want := strings.ReplaceAll(tt.stdout, "{D}", folder); out.String() != want {
			t.Errorf("%s says\n%s\nwant\n%s", tt.line, &out, want)
		}
		if got := complaints.String(); tt.stderr == "" && got != "" || !strings.HasSuffix(got, tt.stderr) {
			t.Errorf("%s complains %q, want %q", tt.line, got, tt.stderr)
		}
	}
	usage := exec.Command(filepath.Join(scripts, "aoectrl"))
	out, _ := usage.Output()
	if code := usage.ProcessState.ExitCode(); code != 1 || len(lines(string(out))) != 4 ||
		!strings.HasPrefix(string(out), "Usage: "+scripts+"/aoectrl <cmd> {options} \n") {
		t.Errorf("aoectrl alone exits %d and says\n%s", code, out)
	}
}

// TestScriptsUnderRun: they need no run, and mind none.
func TestScriptsUnderRun(t *testing.T) {
	t.Parallel()
	d := serve(t, netiotest.New(t))
	disk, _ := image(t, mib)
	scripts, err := filepath.Abs("../../scripts")
	if err != nil {
		t.Fatal(err)
	}
	const script = `unset VBLADEFS; PATH=$1:$PATH; kvadd 0 0 lo "$2"; aoectrl add "$2" 0 1 lo; kvstat | cut -c-28; kvdel 0 0 lo; kvdel 0 1 lo; kvstat`
	wantText(t, d.inGuest(script, scripts, disk), "       0.0     lo    0.001GB\n       0.1     lo    0.001GB\n")
	if _, err := os.Stat(filepath.Join(d.dir, "vblade", filepath.Base(disk))); !os.IsNotExist(err) {
		t.Errorf("the drive is left: %v", err)
	}
	d.awaitNoView()
}
