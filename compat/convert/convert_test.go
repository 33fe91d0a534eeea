package convert

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"vbladefs/compat/ggaoed"
	"vbladefs/fusectl"
	"vbladefs/target/aoe"
)

func TestGuess(t *testing.T) {
	for _, kind := range []Kind{GGAoED, QAoED} {
		files, _ := filepath.Glob("../" + string(kind) + "/testdata/*.conf")
		for _, name := range files {
			if got := Guess(read(t, name)); got != kind && got != "" {
				t.Errorf("%s: guessed %q", name, got)
			}
		}
	}
	for text, want := range map[string]Kind{
		"":                              "",
		"# [disk]\n":                    "",
		"hello\n":                       "",
		"[disk]\r\npath = /dev/sda\r\n": GGAoED,
		"shelf = 0\nslot = 0\npath = /dev/sda2\n":                   GGAoED,
		"shelf=0\nslot=0\npath=/dev/sda2\n":                         GGAoED,
		"shelf=0\nslot=0\nnetif=eth0\nfilename=/dev/sda2\n":         Vblade,
		"shelf=0; slot=0; netif=eth0; filename=/dev/sda2\n":         Vblade,
		"options='[x]'\nfilename=/dev/{x}\n":                        Vblade,
		"logging { name=default; filename=/var/log/q; type=file; }": QAoED,
		"logging\n{\nfilename=/var/log/q;\n}":                       QAoED,
		"apisocket = /tmp/qaoedsocket;   default\nshelf = 0;\n":     QAoED,
		"include = \"/etc/qaoed.d/*\";\n":                           QAoED,
		"/* the disks\n[all of them]\n*/ device { }":                QAoED,
		"// the disks\ninterface=eth0\n":                            QAoED,
	} {
		if got := Guess([]byte(text)); got != want {
			t.Errorf("%q: guessed %q, want %q", text, got, want)
		}
	}
}

// convert is the saved state of files, by name, and what is said of them.
func convert(t *testing.T, env Env, files ...File) (saved string, warnings []string, err error) {
	t.Helper()
	s, warnings, err := State(files, env)
	if err != nil {
		return "", warnings, err
	}
	comesBack(t, s)
	return string(fusectl.Saved(s)), warnings, nil
}

func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

const disks = `[defaults]
state-directory = /var/ggaoed
pid-file = /run/g.pid
[disk one]
path = /dev/sda
shelf = 0
slot = 1
interfaces = eth0
[two]
path = /dev/sdb
shelf = 0
slot = 2
`

func TestStateDirectory(t *testing.T) {
	a, b := aoe.MAC{2, 0, 0, 0, 0, 1}, aoe.MAC{2, 0, 0, 0, 0, 2}
	state := fstest.MapFS{
		"disk one.config":   {Data: ggaoed.ConfigFile([]byte("host=\xffa"))},
		"disk one.mac_mask": {Data: ggaoed.ListFile([]aoe.MAC{a, b})},
		"two.reserve":       {Data: ggaoed.ListFile([]aoe.MAC{b, a})},
		"gone.config":       {Data: ggaoed.ConfigFile([]byte("x"))},
		"two.config":        {Data: ggaoed.ConfigFile(nil)},
	}
	env := testEnv(t)
	asked := ""
	env.State = func(dir string) fs.FS { asked = dir; return state }
	file := File{Name: "g.conf", Text: []byte(disks)}
	saved, warnings, err := convert(t, env, file)
	if err != nil || asked != "/var/ggaoed" {
		t.Fatalf("%v, asked for %q", err, asked)
	}
	wantLines(t, saved, `targets/e0.1/config "host=\xffa"`, "targets/e0.1/masks set "+a.String()+" "+b.String(),
		"targets/e0.2/reserve set "+b.String()+" "+a.String())
	want := []string{`g.conf:3: [defaults] pid-file: "/run/g.pid": not carried over: vbladefs serve writes none`,
		"/var/ggaoed: what it keeps for devices that are not exported is not carried over: gone"}
	if !slices.Equal(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}

	env.StateDirectory = "/elsewhere"
	if _, _, err := State([]File{file}, env); err != nil || asked != "/elsewhere" {
		t.Errorf("%v, asked for %q", err, asked)
	}
	state["two.mac_mask"] = &fstest.MapFile{Data: make([]byte, ggaoed.ListFileSize)}
	if _, _, err := State([]File{file}, env); err == nil || !strings.Contains(err.Error(), "/elsewhere/two.mac_mask: want") {
		t.Errorf("a damaged mask list: %v", err)
	}
	state["two.mac_mask"] = &fstest.MapFile{Mode: fs.ModeNamedPipe, Data: ggaoed.ListFile(nil)}
	if _, _, err := State([]File{file}, env); err == nil || !strings.Contains(err.Error(), "/elsewhere/two.mac_mask: want") {
		t.Errorf("a mask list that is a pipe: %v", err)
	}
	env.State = nil
	if _, warnings, err := State([]File{file}, env); err != nil || !strings.Contains(strings.Join(warnings, "\n"), "/elsewhere is not here") {
		t.Errorf("no directory: %v, %q", err, warnings)
	}
}

// TestSeveral converts files of all kinds into one state.
func TestSeveral(t *testing.T) {
	g := File{Name: "g.conf", Text: []byte("[sda]\npath = /dev/sda\nshelf = 0\nslot = 0\n[eth0]\nmtu = 4000\n")}
	q := File{Name: "q.conf", Text: []byte("interface { interface = eth0; mtu = 3000; }\n" +
		"device { target = /dev/sda; shelf = 1; slot = 0; interface = eth0; writecache = off; }\n")}
	v := func(slot string) File {
		return File{Name: "/x/sda.conf", Text: []byte("shelf=2 slot=" + slot + " netif=eth1 filename=/dev/sdb\nionice=-c3\n")}
	}
	saved, warnings, err := convert(t, testEnv(t), g, q, v("0"))
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, saved, "vblade/drives add sda /dev/sda durable", "vblade/drives add sda-1.0 /dev/sda auto durable",
		"targets/limits set eth0 3000", "targets/ports add e2.0 eth1 16")
	want := []string{"/x/sda.conf:2: ionice: \"-c3\": not carried over: one daemon serves all instances",
		"q.conf: /dev/sda is exported with write policy durable, and elsewhere direct: it has one here, durable",
		"interface eth0 has MTU limits 4000 and 3000: it has one here, the smaller"}
	if !slices.Equal(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}

	q.Text = []byte("device { target = /dev/sdc; interface = eth0; }")
	_, _, err = convert(t, testEnv(t), g, q)
	if want := "q.conf: e0.0 is exported by g.conf, too: want another shelf or slot"; err == nil || err.Error() != want {
		t.Errorf("one address twice: %v, want %s", err, want)
	}
	_, _, err = convert(t, testEnv(t), v("300"), File{Name: "x", Text: []byte("?")}, v("1"))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "x: this looks like no configuration") || !strings.HasPrefix(lines[1], "/x/sda.conf:1: slot: ") {
		t.Errorf("all that is wrong: %q", lines)
	}
	_, warnings, err = convert(t, testEnv(t), File{Name: "e", Kind: GGAoED})
	if err != nil || !slices.Equal(warnings, []string{"nothing is exported by what is converted"}) {
		t.Errorf("an empty file: %v, %q", err, warnings)
	}
}

// TestRelative: a path that begins somewhere is told of, since nobody would see it.
func TestRelative(t *testing.T) {
	saved, warnings, err := convert(t, func() Env { e := testEnv(t); e.GGAoED.Dir = ""; return e }(),
		File{Name: "g", Text: []byte("[d]\npath = disk.img\nshelf=0\nslot=0\n")},
		File{Name: "v", Text: []byte("shelf=0 slot=1 netif=eth0\nfilename=other.img\n")})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, saved, "vblade/drives add d /disk.img", "vblade/drives add v /other.img writeback")
	want := []string{`g:2: [d] path: "disk.img": taken from /, where the daemon works in the background`,
		`v:2: filename: "other.img": taken from /, where systemd starts vblade`}
	if !slices.Equal(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
}

// TestUnsaved: everything that a saved state has no place for is told, by line.
func TestUnsaved(t *testing.T) {
	for _, c := range []struct {
		file string
		want string // line numbers of warnings that something is not carried over
	}{
		{"[defaults]\nmax-delay=0.1\nmerge-delay=0.1\ntrace-io=true\nring-buffer-size=1\nsend-buffer-size=1\nreceive-buffer-size=1\n" +
			"tx-ring-bug=false\npid-file=/p\ncontrol-socket=/c\n[eth0]\nmtu=1500\nring-buffer-size=3\n" +
			"[d]\npath=/f\nshelf=0\nslot=0\nmax-delay=0.1\nbroadcast=true\naccept=02:00:00:00:00:01\n",
			" 2 3 4 5 6 7 8 9 10 13 18"},
		{"apisocket = /s;\nlog-level = info;\nlogging { name = l; }\naccess-list { name = a;\nlog = l;\n}\n" +
			"interface { interface = eth0;\nlog = l;\nmtu = 1500; }\ndevice { target = /f; interface = eth0;\nlog = l;\nlog-level = none;\n" +
			"broadcast = off;\nacl { read = a; } }\n", " 1 2 3 5 8 11 12"},
	} {
		_, warnings, err := convert(t, testEnv(t), File{Name: "f", Text: []byte(c.file)})
		got := ""
		for _, w := range warnings {
			if strings.Contains(w, "not carried over") {
				got += " " + strings.Split(w, ":")[1]
			}
		}
		if err != nil || got != c.want {
			t.Errorf("%v, told of lines%s, want%s:\n%s\n%s", err, got, c.want, c.file, strings.Join(warnings, "\n"))
		}
	}
}
