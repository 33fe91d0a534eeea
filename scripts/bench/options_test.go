package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
	"testing"
)

func TestBadFlagsAreNamed(t *testing.T) {
	for _, c := range []struct{ args, names string }{
		{"-rounds 0", "-rounds 0"}, {"-seconds 0", "-seconds 0"}, {"-seconds NaN", "NaN"}, {"-only reads,hopes", `"hopes"`},
		{"-peer x", `"x"`}, {"-peer vblade=a/{interface}/{file}", `"vblade"`}, {"-peer x=a/{file}", "{interface}"},
		{"-peer x=a/{interface}/{file} -peer x=b/{interface}/{file}", `"x"`}, {"-soak 10", `"10"`}, {"-soak 10m -disk", "-disk"},
		{"-soak 1ms", "-soak 1ms"}, {"-only reads -disk", "-only"}, {"-control -soak 1m", "-soak"}, {"-exports 1", "-exports 1"}, {"more", `"more"`}, {"-fast", "fast"},
	} {
		_, err := parseOptions(strings.Fields(c.args))
		if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%q: %v; want a usage error that names %s", c.args, err, c.names)
		}
	}
}

func TestUsageNamesEveryFlag(t *testing.T) {
	new(options).flags().VisitAll(func(f *flag.Flag) {
		if !strings.Contains(usage, "\n  -"+f.Name+" ") {
			t.Errorf("-h does not explain -%s", f.Name)
		}
	})
	if !strings.Contains(usage, strings.Join(groupNames, ",")) {
		t.Errorf("-h does not name the groups %v", groupNames)
	}
}

func TestExpand(t *testing.T) {
	got := expand("serve  -i{interface} {shelf}.{slot} {file}", "t0", 3, 7, "/a b")
	if want := []string{"serve", "-it0", "3.7", "/a b"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestExportList(t *testing.T) {
	for n, want := range map[int]string{1: "e0.0", 2: "e0.0-1", 250: "e0-0.0-249", 251: "e0-0.0-249,e1.0", 256: "e0-0.0-249,e1.0-5", 10000: "e0-39.0-249"} {
		if got := exportList(n); got != want {
			t.Errorf("%d exports: %s, want %s", n, got, want)
		}
	}
}

// Every goal is of a figure and a contender that its row has.
func TestGoalsAreMeasured(t *testing.T) {
	o, err := parseOptions([]string{"-peer", "other=x {interface} {file}"})
	if err != nil {
		t.Fatal(err)
	}
	disk := *o
	disk.disk = true
	goals := 0
	for _, g := range append(o.groups("vblade"), disk.groups("vblade")...) {
		for _, p := range g.pairs {
			for _, name := range []string{p.subject, p.base} {
				if !slices.ContainsFunc(g.contenders, func(c contender) bool { return c.name == name }) {
					t.Errorf("group %s compares %q, which is no contender", g.name, name)
				}
			}
		}
		for _, row := range g.rows {
			for _, goal := range row.goals {
				goals++
				if !slices.Contains(row.figures, goal.figure) || !slices.Contains(g.pairs, pair{ours, goal.base}) {
					t.Errorf("row %s does not show its goal %+v", row.name, goal)
				}
			}
		}
	}
	if goals != 9 {
		t.Errorf("%d goals, want those of the issue: 9", goals)
	}
}
