package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	statefile "vbladefs/compat/ggaoed"
	"vbladefs/netio/netiotest"
	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// article are configurations as the article prints them, and an instance of vblade.
var article = map[string]string{
	"base.conf": "path = /dev/sda2\nshelf = 0\nslot = 0\nbroadcast = true\nread-only = true\n",
	"updated.conf": "# Sample ggaoed configuration file\npid-file = /var/run/\nmtu = 1500\npath = /dev/loop0\ndirect-io = true\n" +
		"queue-length = 16\nshelf = 0\nslot = 0\ninterfaces = eth0   broadcast = true\nread-only = true\n",
	"qaoed.conf": "apisocket = /tmp/qaoedsocket;   default\nshelf = 0; /* Shelf */\nslot = 6; /* Autoincremented slot numbers */\n" +
		"interface = eth0;\ntarget = /dev/loop6;\n",
	"vblade.conf.d/disk.conf": "shelf=0\nslot=3\nnetif=eth0\nfilename=/dev/loop3\noptions='-m INITIATOR -o 8'\n",
}

// writeArticle writes those files, with words replaced.
func writeArticle(t *testing.T, words ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "vblade.conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range article {
		writeFile(t, filepath.Join(dir, name), []byte(strings.NewReplacer(words...).Replace(text)))
	}
	return dir
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestConvert serves what configurations of three daemons export, with what
// ggaoed kept of its device.
func TestConvert(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	const name = netiotest.Netif
	loop0, _, content0 := loopDisk(t, 1<<20)
	loop3, _, content3 := loopDisk(t, 1<<20)
	loop6, file6, content6 := loopDisk(t, 1<<20)
	c := connect(t, there, name)
	dir := writeArticle(t, "/dev/loop0", loop0, "/dev/loop3", loop3, "/dev/loop6", loop6, "eth0", name, "INITIATOR", c.mac.String())
	in := func(name string) string { return filepath.Join(dir, name) }
	writeFile(t, in("e0.0.config"), statefile.ConfigFile([]byte("the root disk")))
	writeFile(t, in("e0.0.mac_mask"), statefile.ListFile([]aoe.MAC{c.mac}))

	stdout, stderr, code := vbladefs(t, "", "convert", "-state-directory", dir, "-o", in("state"), in("updated.conf"), in("qaoed.conf"), in("vblade.conf.d"))
	if code != 0 || stdout != "" || !strings.Contains(stderr, "warning: "+in("qaoed.conf")+":1: apisocket is not carried over") {
		t.Fatalf("convert: %d, %q\n%s", code, stdout, stderr)
	}
	if stdout, stderr, code := vbladefs(t, "", "check", in("state")); code != 0 || stdout+stderr != "" {
		t.Errorf("check: %d\n%s%s", code, stdout, stderr)
	}
	d := serve(t, here)
	if stdout, stderr, code := vbladefs(t, "", "restore", "-mount", d.dir, in("state")); code != 0 {
		t.Fatalf("restore: %d\n%s%s", code, stdout, stderr)
	}
	for _, found := range c.discovers("0.0", "0.3", "0.6") {
		if found.Addr == (aoe.Addr{}) && (found.Buffers != 16 || string(found.Config) != "the root disk") {
			t.Errorf("0.0 is discovered as %+v", found)
		}
	}
	x := c.open("0.0")
	checkBytes(t, "0.0", readAll(t, x), content0)
	if x.Identity.Model != "GGs AoE target" || x.Identity.Serial != "e0.0" {
		t.Errorf("0.0 is %+v", x.Identity)
	}
	_, err := x.WriteAt(random(512), 0)
	wantATAError(t, "a write to read-only = true", err, ata.ABRT)
	checkBytes(t, "0.3", readAll(t, c.open("0.3")), content3[8*512:])
	x = c.open("0.6")
	put(t, x, content6, 4096, 8192)
	if err := x.Flush(); err != nil {
		t.Error(err)
	}
	checkFile(t, file6, content6)
	if got := d.read("saved"); !strings.Contains(got, "targets/limits set "+name+" 1500\n") || !strings.Contains(got, "targets/e0.0/loud 1\n") ||
		!strings.Contains(got, "targets/e0.0/masks set "+c.mac.String()+"\n") {
		t.Errorf("it serves\n%s", got)
	}
}

// TestConvertToStart has the daemon start with what is converted.
func TestConvertToStart(t *testing.T) {
	t.Parallel()
	here, there := netiotest.Pair(t, 1500)
	path, content := image(t, 1<<20)
	dir := writeArticle(t, "/dev/sda2", path)
	state := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := vbladefs(t, "", "convert", "-from", "ggaoed", "-o", filepath.Join(state, "state"), filepath.Join(dir, "base.conf"))
	if code != 0 || stdout != "" {
		t.Fatalf("convert: %d, %q\n%s", code, stdout, stderr)
	}
	serve(t, here, "-state", state)
	checkBytes(t, "0.0", readAll(t, connect(t, there, netiotest.Netif).open("0.0")), content)
}

func TestConvertRefuses(t *testing.T) {
	t.Parallel()
	dir := writeArticle(t)
	writeFile(t, filepath.Join(dir, "wrong.conf"), []byte("[disk]\npath = /f\nshelf = 70000\nslot = one\n"))
	writeFile(t, filepath.Join(dir, "blank.conf"), []byte("device { target = \"/a b\"; interface = eth0; }\n"))
	writeFile(t, filepath.Join(dir, "state"), []byte("as it was"))
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string // with @ for the folder
		code   int
		stderr []string
	}{
		{"", 2, []string{"no FILE", "usage: vbladefs convert"}},
		{"-from kvblade @base.conf", 2, []string{`-from "kvblade": want ggaoed, qaoed or vblade`}},
		{"-from qaoed @vblade.conf.d", 2, []string{"is a folder"}},
		{"@base.conf @base.conf", 2, []string{"base.conf is named twice: want each file once"}},
		{"@none.conf", 1, []string{"no such file or directory"}},
		{"@empty", 1, []string{"has no *.conf"}},
		{"-o @state @wrong.conf @base.conf", 1, []string{"wrong.conf:3: [disk] shelf: \"70000\": want", "wrong.conf:4: [disk] slot: \"one\": want",
			"2 mistakes; nothing is converted"}},
		{"-from vblade @qaoed.conf", 1, []string{"qaoed.conf:1: "}},
		{"@vblade.conf.d", 1, []string{"disk.conf:5: options: -m: \"INITIATOR\": want"}},
		{"@updated.conf @base.conf", 1, []string{"e0.0 is exported by", "1 mistake;"}},
		{"@blank.conf", 1, []string{"blank.conf:1: [device] target: \"/a b\": want"}},
		{"-state-directory @none @base.conf", 1, []string{"none: no such file or directory"}},
	} {
		args := append([]string{"convert"}, strings.Fields(strings.ReplaceAll(c.args, "@", dir+"/"))...)
		stdout, stderr, code := vbladefs(t, "", args...)
		if code != c.code || stdout != "" {
			t.Errorf("%s: exit code %d, stdout %q\n%s", c.args, code, stdout, stderr)
		}
		for _, want := range c.stderr {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: stderr has no %q:\n%s", c.args, want, stderr)
			}
		}
	}
	checkFile(t, filepath.Join(dir, "state"), []byte("as it was"))
	if stdout, _, code := vbladefs(t, article["qaoed.conf"], "convert", "-"); code != 0 || !strings.HasPrefix(stdout, "# vbladefs state ") {
		t.Errorf("standard input: %d, %q", code, stdout)
	}
}
