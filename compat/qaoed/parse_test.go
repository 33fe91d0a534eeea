package qaoed

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"vbladefs/compat/plan"
	"vbladefs/target"
)

var update = flag.Bool("update", false, "rewrite testdata/*.want from what the code does")

// testEnv is a machine with two interfaces, whose configuration files are those
// of testdata.
var testEnv = Env{
	Folder: "/srv",
	Include: func(pattern string) ([]Source, error) {
		names, err := filepath.Glob(filepath.Join("testdata", pattern))
		var found []Source
		for _, name := range names {
			content, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			found = append(found, Source{Name: strings.TrimPrefix(name, "testdata/"), Text: content})
		}
		return found, err
	},
	MTU: func(netif string) (int, bool) {
		mtu, there := map[string]int{"eth0": 1500, "eth1": 9000}[netif]
		return mtu, there
	},
	Usable: func(path string) error {
		if strings.HasPrefix(path, "/missing") {
			return fmt.Errorf("stat %s: no such file or directory", path)
		}
		return nil
	},
}

// TestCorpus compares what testdata/*.conf give with the .want files beside
// them: warnings, and mistakes or the configuration and what is exported.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := outcome(t, name+".conf", content)
			want := strings.TrimSuffix(file, ".conf") + ".want"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if wanted, err := os.ReadFile(want); err != nil || string(wanted) != got {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, wanted)
			}
		})
	}
}

func outcome(t *testing.T, name string, content []byte) string {
	t.Helper()
	c, warnings, err := Parse(name, content, testEnv)
	var b strings.Builder
	for _, w := range warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if err != nil {
		for _, m := range err.(Mistakes) {
			fmt.Fprintf(&b, "mistake: %s\n", m)
		}
		return b.String()
	}
	again(t, c)
	b.Write(Print(c))
	for _, l := range c.Plan().Limits {
		fmt.Fprintf(&b, "limit: %s %d\n", l.Interface, l.MTU)
	}
	for _, e := range c.Plan().Exports {
		fmt.Fprintf(&b, "export: %s %s %s on %q: %s, %d buffers, quiet %t, %q %q %#x\n", e.Name, e.Drive, e.Path, e.Interfaces,
			e.Cache, e.Buffers, e.Quiet, e.Model, e.Serial, e.Firmware)
		for point, l := range e.Lists {
			if l != nil {
				fmt.Fprintf(&b, "export: %s %s: %+v\n", e.Name, target.AccessPoint(point), *l)
			}
		}
	}
	return b.String()
}

// again demands that a configuration is what its printed form says, and that it
// can be carried out.
func again(t *testing.T, c Config) {
	t.Helper()
	printed := Print(c)
	c2, warnings, err := Parse("printed", printed, testEnv)
	if err != nil || !reflect.DeepEqual(c, c2) {
		t.Errorf("%+v\nprinted as\n%s\nreads %+v, %v, %v", c, printed, c2, warnings, err)
	}
	if err := plan.Validate(c.Plan()); err != nil {
		t.Errorf("%s\n%v", printed, err)
	}
}

// TestArticle holds the article's file to the one that it was.
func TestArticle(t *testing.T) {
	var configs [2]Config
	for i, name := range []string{"article.conf", "article-braces.conf"} {
		content, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if configs[i], _, err = Parse(name, content, testEnv); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(configs[0], configs[1]) || len(configs[0].Devices) != 1 {
		t.Errorf("without braces\n%s\nwith braces\n%s", Print(configs[0]), Print(configs[1]))
	}
}

// TestIncludeLimits has files that include without end.
func TestIncludeLimits(t *testing.T) {
	endless := func(width int) Env {
		n := 0
		return Env{Include: func(string) ([]Source, error) {
			var found []Source
			for range width {
				n++
				found = append(found, Source{Name: fmt.Sprint("file", n), Text: []byte(`include = "more";`)})
			}
			return found, nil
		}}
	}
	for _, width := range []int{1, 100} {
		_, _, err := Parse("first", []byte(`include = "more";`), endless(width))
		if err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%d more files in each: %v", width, err)
		}
	}
}

func TestTooLong(t *testing.T) {
	_, _, err := Parse("long", []byte(strings.Repeat(" ", maxText+1)), testEnv)
	if !errors.Is(err, target.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

// TestManyMistakes has a file of nothing else.
func TestManyMistakes(t *testing.T) {
	_, _, err := Parse("many", []byte(strings.Repeat("x\n;", 100_000)), testEnv)
	ms, ok := err.(Mistakes)
	if !ok || len(ms) != maxKept || strings.Count(err.Error(), "\n") != maxShown {
		t.Errorf("%d mistakes, shown as\n%v", len(ms), err)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.conf")
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		env := testEnv
		env.Include = func(pattern string) ([]Source, error) {
			return []Source{{Name: pattern, Text: content}}, nil
		}
		c, _, err := Parse("fuzz", content, env)
		if err == nil {
			again(t, c)
			return
		}
		if !errors.Is(err, target.ErrMalformed) || !reflect.DeepEqual(c, Config{}) {
			t.Errorf("%v with %+v", err, c)
		}
		for _, line := range strings.Split(err.Error(), "\n") {
			if !strings.HasPrefix(line, "and more") && !strings.Contains(line, ": ") {
				t.Errorf("a message broken by what was read: %q of %q", line, err)
			}
		}
	})
}
