package watch

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tree is a folder with these files.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func files() map[string]string {
	return map[string]string{
		"README": "", "targets/stats": "e0.1 drive=a health=ok reads=5 read_answers=10 read_sectors=80 read_latency_ns=1000 in_flight=2 dropped=1\n" +
			"e0.2 drive=b health=down reads=0\n",
		"interfaces/eth0/link": "up ring\n", "interfaces/eth0/stats": "ports 2\nreceive_drops 3\nsend_drops 1\n",
		"interfaces/eth0/traffic":    "received_frames 100\nreceived_bytes 5000\n",
		"interfaces/eth0/initiators": "02:00:00:00:00:01 seconds_ago=3 write_answers=4 write_latency_ns=8 write_sectors=2\n",
	}
}

// compared is what changes between files and changed, in two seconds.
func compared(t *testing.T, changed map[string]string) Report {
	t.Helper()
	old, err := Read(tree(t, files()))
	if err != nil {
		t.Fatal(err)
	}
	later := files()
	for name, text := range changed {
		later[name] = text
	}
	now, err := Read(tree(t, later))
	if err != nil {
		t.Fatal(err)
	}
	old.At = now.At.Add(-2 * time.Second)
	return Compare(old, now)
}

var busier = map[string]string{
	"targets/stats": "e0.1 drive=a health=ok read_answers=30 read_sectors=280 read_latency_ns=5000 in_flight=7 dropped=0\n" +
		"e0.2 drive=b health=down reads=0\ne0.3 drive=c health=ok read_answers=1000\n",
	"interfaces/eth0/traffic":    "received_frames 300\nreceived_bytes 2005000\n",
	"interfaces/eth0/initiators": "02:00:00:00:00:01 seconds_ago=0 write_answers=14 write_latency_ns=1000008 write_sectors=4002\n",
}

// What is shown is what counters have grown by; one that began anew has grown from 0,
// and what is new has done nothing.
func TestCompare(t *testing.T) {
	r := compared(t, busier)
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	row := func(kind string, i int) map[string]any { return got[kind].([]any)[i].(map[string]any) }
	for _, tt := range []struct {
		kind string
		row  int
		key  string
		want any
	}{
		{"exports", 0, "address", "e0.1"}, {"exports", 0, "drive", "a"}, {"exports", 1, "health", "down"},
		{"exports", 0, "reads_per_s", 10.0}, {"exports", 0, "read_bytes_per_s", 51200.0}, {"exports", 0, "read_latency_ns", 200.0},
		{"exports", 0, "in_flight", 7.0}, {"exports", 0, "drops_per_s", 0.0}, {"exports", 1, "reads_per_s", 0.0},
		{"exports", 2, "reads_per_s", 0.0}, {"initiators", 0, "mac", "02:00:00:00:00:01"}, {"initiators", 0, "interface", "eth0"},
		{"initiators", 0, "writes_per_s", 5.0}, {"initiators", 0, "write_bytes_per_s", 1024000.0},
		{"initiators", 0, "write_latency_ns", 100000.0}, {"interfaces", 0, "interface", "eth0"}, {"interfaces", 0, "link", "ring"},
		{"interfaces", 0, "state", "up"}, {"interfaces", 0, "received_frames_per_s", 100.0}, {"interfaces", 0, "received_bytes_per_s", 1e6},
		{"interfaces", 0, "drops_per_s", 0.0}, {"interfaces", 0, "ports", 2.0},
	} {
		if have := row(tt.kind, tt.row)[tt.key]; have != tt.want {
			t.Errorf("%s %d: %s is %v, want %v", tt.kind, tt.row, tt.key, have, tt.want)
		}
	}
	if got["interval_s"] != 2.0 {
		t.Errorf("interval %v", got["interval_s"])
	}
}

// A view shows the rows that it is asked for, in order.
func TestView(t *testing.T) {
	r := compared(t, busier)
	names := func(v View) string {
		var list []string
		for _, row := range v.rows(&r) {
			list = append(list, row.Name)
		}
		return strings.Join(list, " ")
	}
	sorted := View{Sort: -1, Reverse: true}
	if got := names(sorted); got != "e0.3 e0.2 e0.1" {
		t.Errorf("by name, reverse: %s", got)
	}
	if err := sorted.SetSort("queue"); err != nil || names(sorted) != "e0.3 e0.2 e0.1" && names(sorted) != "e0.2 e0.3 e0.1" {
		t.Errorf("by queue, reverse: %s, %v", names(sorted), err)
	}
	if got := names(View{Sort: -1, Filter: "down"}); got != "e0.2" {
		t.Errorf("filtered: %s", got)
	}
	if err := sorted.SetSort("speed"); err == nil || !strings.Contains(err.Error(), "queue") {
		t.Errorf("an unknown column: %v", err)
	}
	var b bytes.Buffer
	if err := WritePlain(&b, &r, []View{{Sort: 0}, {Kind: Interfaces, Sort: -1}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"EXPORT DRIVE HEALTH R/S*", "e0.1   a     ok       10", "INTERFACE* LINK STATE RX/S", "eth0       ring up     100"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestFormat(t *testing.T) {
	for _, tt := range []struct {
		x    float64
		u    unit
		want string
	}{{0, perSecond, "0"}, {0.5, perSecond, "0.5"}, {12345.6, perSecond, "12346"}, {1.25e6, bytesSecond, "1.2"}, {0, nanoseconds, "-"},
		{5000, nanoseconds, "5us"}, {2.5e6, nanoseconds, "2.5ms"}, {3e9, nanoseconds, "3.00s"}, {7, plain, "7"}} {
		if got := format(tt.x, tt.u); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.x, got, tt.want)
		}
	}
}

// Keys do what the help says.
func TestKeys(t *testing.T) {
	for _, tt := range []struct {
		keys string
		want keyboard
	}{
		{"q", keyboard{quit: true}}, {"p", keyboard{paused: true}}, {"p ", keyboard{}}, {"?", keyboard{help: true}}, {"hq", keyboard{}},
		{"i", keyboard{view: View{Kind: Interfaces}}}, {"\t", keyboard{view: View{Kind: Initiators}}}, {"\t\t\t", keyboard{}},
		{">>", keyboard{view: View{Sort: 2}}}, {"<<<", keyboard{view: View{Sort: -1}}}, {"\x1b[C\x1b[C\x1b[D", keyboard{view: View{Sort: 1}}},
		{"r", keyboard{view: View{Reverse: true}}}, {"jj\x1b[A", keyboard{view: View{Skip: 1}}}, {"k", keyboard{}},
		{"/e0.x\x7f1\r", keyboard{view: View{Filter: "e0.1"}, typed: "e0.1"}}, {"/q", keyboard{asking: true, typed: "q"}},
		{"/a\rn", keyboard{view: View{Kind: Initiators, Filter: "a"}, typed: "a"}}, {"/a\r\x1bq", keyboard{typed: "a", quit: true}},
		{strings.Repeat(">", 99), keyboard{view: View{Sort: len(tables[Exports].columns) - 1}}},
	} {
		var k keyboard
		for _, c := range decode([]byte(tt.keys)) {
			k.press(c)
		}
		if k.view != tt.want.view || k.paused != tt.want.paused || k.asking != tt.want.asking || k.typed != tt.want.typed ||
			k.help != tt.want.help || k.quit != tt.want.quit {
			t.Errorf("%q: %+v, want %+v", tt.keys, k, tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	dir := tree(t, map[string]string{"targets/status": "e0.1 ok a\ne0.2 degraded b a transfer failed 3 s ago\ne1.0 down c no file\n"})
	s, err := ReadStatus(dir)
	if err != nil || s.Worst() != Down || s.Health != "down" || s.OK != 1 || s.Degraded != 1 || s.Down != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	want := "EXPORT HEALTH   DRIVE REASON\ne0.1   ok       a\ne0.2   degraded b     a transfer failed 3 s ago\ne1.0   down     c     no file"
	if got := strings.Join(s.Lines(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s.Sum() != "3 exports: 1 ok, 1 degraded, 1 down" {
		t.Error(s.Sum())
	}
	for text, want := range map[string]Health{"": OK, "e0.1 ok a\n": OK, "e0.1 degraded a b\n": Degraded} {
		if s, err := parseStatus(text); err != nil || s.Worst() != want {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}

// What is no tree is told apart from one that cannot be read.
func TestNoTree(t *testing.T) {
	if _, err := ReadStatus(t.TempDir()); err == nil || !strings.Contains(err.Error(), "vbladefs serve") {
		t.Error(err)
	}
	if _, err := Read(tree(t, map[string]string{"README": ""})); err == nil || strings.Contains(err.Error(), "vbladefs serve") {
		t.Error(err)
	}
	for _, bad := range []string{"\n", "e0.1 reads\n", "e0.1 reads=-1\n"} {
		broken := files()
		broken["targets/stats"] = bad
		if _, err := Read(tree(t, broken)); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range files() {
		f.Add(text)
	}
	f.Add("e0.1 degraded a b\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseStatus(text)
		o, err := parseObject(text)
		if err != nil {
			return
		}
		s := Snapshot{Objects: [Kinds][]Object{{o}, {o}, {o}}}
		r := Compare(Snapshot{}, s)
		var b bytes.Buffer
		if err := WritePlain(&b, &r, []View{{}, {Kind: Initiators}, {Kind: Interfaces}}); err != nil {
			t.Fatal(err)
		}
		if text, err := json.Marshal(r); err != nil || !json.Valid(text) {
			t.Fatalf("%v: %s", err, text)
		}
	})
}
