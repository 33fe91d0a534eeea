package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const docs = "../../../docs/"

func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing; scripts/setup.sh metrics installs it")
		}
		t.Skip("promtool is missing; scripts/setup.sh metrics installs it")
	}
	return path
}

// promtool takes the metrics, the rules, and what the rules make of examples.
func TestPromtool(t *testing.T) {
	tool := promtool(t)
	rules := filepath.Join(docs, "prometheus")
	for _, tt := range []struct {
		args  []string
		stdin string
	}{
		{[]string{"check", "metrics"}, scrape(t, played(3), "/metrics?latency=export")},
		{[]string{"check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"}, ""},
		{[]string{"test", "rules", "alerts_test.yml"}, ""},
	} {
		cmd := exec.Command(tool, tt.args...)
		cmd.Dir, cmd.Stdin = rules, strings.NewReader(tt.stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", tt.args, err, out)
		}
	}
}

var metricName = regexp.MustCompile(`\bvbladefs_[a-z_]+`)

// names are the metrics in a text, without what histograms and summaries add.
func names(text string) map[string]bool {
	all := map[string]bool{}
	for _, name := range metricName.FindAllString(text, -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		all[name] = true
	}
	return all
}

// What rules, dashboard and manual name is there, and the manual names all that is.
func TestNamesInDocs(t *testing.T) {
	there := map[string]bool{}
	for _, d := range descriptions {
		there[metricName.FindString(d.String())] = true
	}
	if len(there) < 20 {
		t.Fatalf("only %d metrics: %v", len(there), there)
	}
	for _, file := range []string{"prometheus/alerts.yml", "prometheus/dashboard.json", "watch.md"} {
		text, err := os.ReadFile(docs + file)
		if err != nil {
			t.Fatal(err)
		}
		named := names(string(text))
		for name := range named {
			if !there[name] {
				t.Errorf("docs/%s names %s, which is no metric", file, name)
			}
		}
		for name := range there {
			if file == "watch.md" && !named[name] {
				t.Errorf("docs/watch.md does not name %s", name)
			}
		}
	}
}

// The dashboard is JSON, with a query in each panel, and no two panels in one place.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(docs + "prometheus/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title  string
		UID    string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title == "" || d.UID == "" || len(d.Panels) < 5 {
		t.Errorf("%+v", d)
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] || len(p.Targets) == 0 || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d: %+v", i, p)
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			if !metricName.MatchString(q.Expr) && !strings.Contains(q.Expr, "process_") {
				t.Errorf("%s: no metric in %q", p.Title, q.Expr)
			}
		}
		for _, o := range d.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q lies over %q", p.Title, o.Title)
			}
		}
	}
}
