package convert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/compat/ggaoed"
	"vbladefs/compat/qaoed"
	"vbladefs/compat/vblade"
	"vbladefs/fusectl"
	"vbladefs/target"
	"vbladefs/target/targettest"
)

// testEnv is the machine that the corpora of the daemons are written for.
func testEnv(t testing.TB) Env {
	t.Helper()
	ethers, err := os.ReadFile("../ggaoed/testdata/ethers")
	if err != nil {
		t.Fatal(err)
	}
	return Env{
		GGAoED: ggaoed.Env{Dir: "/srv", Ethers: ggaoed.ParseEthers(ethers).Host, UUID: func(uuid string) (string, error) {
			if uuid == "6a4b1f0e-9d7c-4b52-8f65-3a5d0e6c2b10" {
				return "/dev/disk/by-uuid/" + uuid, nil
			}
			return "", os.ErrNotExist
		}},
		QAoED: qaoed.Env{Folder: "/srv", Include: func(pattern string) ([]qaoed.Source, error) {
			names, err := filepath.Glob("../qaoed/testdata/" + pattern)
			var found []qaoed.Source
			for _, name := range names {
				text, err := os.ReadFile(name)
				if err != nil {
					return nil, err
				}
				found = append(found, qaoed.Source{Name: strings.TrimPrefix(name, "../qaoed/testdata/"), Text: text})
			}
			return found, err
		}},
		Vblade:     vblade.Env{Argv0: "vblade", Hostname: "san", Dir: "/"},
		Interfaces: []string{"eth0", "eth1"},
	}
}

// TestCorpora: what a file of the daemons' corpora exports comes back from its
// saved state; a file that the daemon refuses converts nothing.
func TestCorpora(t *testing.T) {
	converted := 0
	for _, kind := range []Kind{GGAoED, QAoED} {
		files, err := filepath.Glob("../" + string(kind) + "/testdata/*.conf")
		if err != nil || len(files) < 20 {
			t.Fatalf("%s: %d files, %v", kind, len(files), err)
		}
		for _, name := range files {
			t.Run(string(kind)+"/"+filepath.Base(name), func(t *testing.T) {
				s, _, err := State([]File{{Name: filepath.Base(name), Kind: kind, Text: read(t, name)}}, testEnv(t))
				want := string(read(t, strings.TrimSuffix(name, ".conf")+".want"))
				refused := strings.Contains(want, "error: ") || strings.Contains(want, "mistake: ")
				if (err != nil) != refused {
					t.Fatalf("%v, want as the daemon:\n%s", err, want)
				}
				if err == nil {
					converted++
					comesBack(t, s)
				}
			})
		}
	}
	if converted < 20 {
		t.Errorf("only %d files were converted", converted)
	}
}

// TestInstances is the same for vblade's persistence files, which are converted
// together.
func TestInstances(t *testing.T) {
	_, sets, _ := strings.Cut(string(read(t, "../vblade/testdata/persistence.confs")), "===\n")
	converted := 0
	for set := range strings.SplitSeq(sets, "===\n") {
		files, want, _ := strings.Cut(set, "--\n")
		var all []File
		for _, file := range strings.Split(files, "== ")[1:] {
			name, content, _ := strings.Cut(file, "\n")
			all = append(all, File{Name: "/etc/vblade.conf.d/" + name, Kind: Vblade, Text: []byte(content)})
		}
		s, _, err := State(all, testEnv(t))
		if refused := strings.Contains(want, "! "); (err != nil) != refused {
			t.Errorf("%s: %v, want as vblade:\n%s", files, err, want)
		}
		if err == nil {
			converted++
			comesBack(t, s)
		}
	}
	if converted < 3 {
		t.Errorf("only %d sets were converted", converted)
	}
}

// comesBack holds that a saved state has no mistakes, and that an engine that
// replays it holds s, whether devices and interfaces are there or not.
func comesBack(t *testing.T, s target.State) {
	t.Helper()
	saved := fusectl.Saved(s)
	for _, m := range fusectl.CheckWhole(saved) {
		t.Fatalf("%d:%d: %v\n%s", m.Line, m.Column, m.Err, saved)
	}
	for _, there := range []bool{true, false} {
		m := targettest.NewMachine(t)
		if there {
			for _, d := range s.Drives {
				m.AddMedium(d.Path, 64, false)
			}
			m.SetInterface("eth0", 1, 1500)
			m.SetInterface("eth1", 2, 9000)
		}
		engine := target.New(m.Config())
		fusectl.Replay(saved, engine, true, func(m fusectl.Mistake) { t.Errorf("%v, of %s %s", m.Err, m.File, m.Text) })
		if got := string(fusectl.Saved(engine.State())); got != string(saved) {
			t.Errorf("comes back as\n%s\nwant\n%s", got, saved)
		}
		targettest.CloseTarget(t, m, engine)
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzState: what is converted is a state without mistakes; else there are
// mistakes, and no state.
func FuzzState(f *testing.F) {
	for _, kind := range []Kind{GGAoED, QAoED} {
		files, _ := filepath.Glob("../" + string(kind) + "/testdata/*.conf")
		for _, name := range files {
			f.Add(string(kind), read(f, name))
			f.Add("", read(f, name))
		}
	}
	f.Add(string(Vblade), []byte("shelf=1 slot=2 netif=eth0 filename=/f options='-o 1 -l 2 -r -s'\n"))
	f.Fuzz(func(t *testing.T, kind string, text []byte) {
		s, _, err := State([]File{{Name: "f", Kind: Kind(kind), Text: text}}, testEnv(t))
		var mistakes Mistakes
		if err != nil {
			if !errors.As(err, &mistakes) || len(mistakes) == 0 || len(s.Drives) > 0 {
				t.Fatalf("%v with %d drives", err, len(s.Drives))
			}
			return
		}
		saved := fusectl.Saved(s)
		for _, m := range fusectl.CheckWhole(saved) {
			t.Fatalf("%d:%d: %v\n%s", m.Line, m.Column, m.Err, saved)
		}
	})
}
