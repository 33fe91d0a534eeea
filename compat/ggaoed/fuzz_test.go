package ggaoed

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"vbladefs/compat/plan"
)

// FuzzParse: a file gives a Config that prints, comes back, and can be exported;
// or it gives mistakes, each with a reason.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) == 0 {
		f.Fatalf("no corpus: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	env := testEnv(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := Parse("f", text, env)
		if err != nil {
			if !reflect.DeepEqual(c, Config{}) {
				t.Errorf("both a Config and %v", err)
			}
			if m := err.(Mistakes); len(m) == 0 || m[0].Text == "" {
				t.Errorf("no reason: %#v", m)
			}
			return
		}
		again, _, err := Parse("f", []byte(Print(c)), env)
		if err != nil || !reflect.DeepEqual(unplaced(again), unplaced(c)) {
			t.Errorf("%v\ngot  %+v\nwant %+v\nfrom\n%s", err, again, c, Print(c))
		}
		for _, d := range c.Devices {
			if (len(d.Accept.Items) > 0) != (len(d.Accept.Hosts) > 0) {
				t.Errorf("%s: a list that accepts nobody, or everybody: %+v", d.Name, d.Accept)
			}
		}
		if err := plan.Validate(c.Plan(nil)); err != nil {
			t.Error(err)
		}
		if _, err := ControlSocket("f", text, env); err != nil {
			t.Errorf("a file that is right has a socket that is wrong: %v", err)
		}
	})
}

// FuzzEthers: hosts have names that a file can have, and come back from one.
func FuzzEthers(f *testing.F) {
	text, err := os.ReadFile("testdata/ethers")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		hosts := ParseEthers(text)
		var b strings.Builder
		for name, mac := range hosts {
			if got, ok := hosts.Host(name); !ok || got != mac {
				t.Errorf("%q is not found", name)
			}
			fmt.Fprintf(&b, "%s\t%s # %s\n", mac, name, name)
		}
		if again := ParseEthers([]byte(b.String())); !reflect.DeepEqual(again, hosts) {
			t.Errorf("got %v, want %v", again, hosts)
		}
	})
}

// TestEthers: names are found in any case, the first line counts, others are
// passed over, as getent ethers does.
func TestEthers(t *testing.T) {
	hosts := ParseEthers([]byte("02:00:00:00:00:01 Alpha alias\n2:0:0:0:0:2 beta#c\n02:00:00:00:00:03 alpha\n" +
		"02-00-00-00-00-04 dash\n\t 02:00:00:00:00:05\ttab x\nlonely\n#2:0:0:0:0:6 comment"))
	want := Ethers{"alpha": {2, 0, 0, 0, 0, 1}, "beta": {2, 0, 0, 0, 0, 2}, "tab": {2, 0, 0, 0, 0, 5}}
	if !reflect.DeepEqual(hosts, want) {
		t.Errorf("got %v, want %v", hosts, want)
	}
	if _, ok := hosts.Host("ALPHA"); !ok {
		t.Error("ALPHA is not found")
	}
}

// TestLargeFiles: what is large comes to an end, and is not told at length.
func TestLargeFiles(t *testing.T) {
	const size = MaxFile / 8
	many := func(s string, n int) string { return strings.Repeat(s, min(n, size/len(s))) }
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := 0; i < n && b.Len() < size; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const all = 1 << 30
	list := "[acls]\nl = " + numbered("2:0:0:0:0:%x,", 185) + "\n"
	files := map[string]string{
		"keys":               "[defaults]\n" + numbered("k%d=\n", all),
		"the same key":       "[defaults]\n" + many("mtu=0\n", all),
		"keys without group": numbered("k%d=\n", all),
		"spread out":         many("path=/a\n\n", all),
		"joined lines":       "mtu = 0" + many(" path = 1", all),
		"groups":             numbered("[%d]\n", all),
		"devices":            numbered("[%d]\nshelf=1\n", all),
		"one list":           list + "m = " + many("l,", all),
		"unknown items":      list + "m = " + numbered("u%d,", all),
		"lists":              list + numbered("l%d=l\n", mostACLs-1),
		"nested lists":       list + "l0 = l\n" + numbered("m%d=l,l0\n", mostACLs-2),
		"too many lists":     "[acls]\n" + numbered("l%d=\n", all),
		"devices with lists": list + numbered("[%d]\nshelf=1\nslot=1\naccept=l\n", all),
		"patterns":           "[defaults]\ninterfaces=" + many("*a*b*c*d*e*f*g*,", 64) + "\n" + numbered("[%d]\nshelf=1\ninterfaces=*x*y*z*u*v*w*,*a*d*\n", 10),
		"long pattern":       "[defaults]\ninterfaces=" + many("*", all),
		"backslashes":        "[defaults]\ninterfaces=" + many("\\", all),
		"long line":          many("x", all),
		"blank lines":        many("\n", all),
	}
	for name, text := range files {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			c, warnings, err := Parse("f", []byte(text), Env{})
			t.Logf("%d bytes in %v", len(text), time.Since(start))
			if len(warnings) > mostRemarks+1 {
				t.Errorf("%d warnings", len(warnings))
			}
			if err != nil && len(err.Error()) > 100_000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if err == nil && len(Print(c)) > 2*MaxFile {
				t.Error("Print makes more of it than there was")
			}
		})
	}
}
