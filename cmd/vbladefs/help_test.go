package main_test

import (
	"regexp"
	"strings"
	"testing"
)

// TestHelp: of each command and daemon that help lists, help NAME shows how it is called and what options
// it has, and so do -h, -help and --help of each command.
func TestHelp(t *testing.T) {
	t.Parallel()
	list, code := subcommand(t, "help")
	if code != 0 {
		t.Fatalf("help: exit code %d", code)
	}
	commands, daemons, _ := strings.Cut(list, "\ndaemons, ")
	rows := regexp.MustCompile(`(?m)^  ([a-z-]+) `)
	seen := 0
	_, commands, _ = strings.Cut(commands, "\ncommands:\n")
	for _, m := range rows.FindAllStringSubmatch(commands, -1) {
		name := m[1]
		seen++
		for _, args := range [][]string{{"help", name}, {name, "-h"}, {name, "-help"}, {name, "--help"}} {
			out, code := subcommand(t, args...) // what it says on standard error is shown, and is no part of out
			if code != 0 || !strings.HasPrefix(out, "usage: vbladefs "+name) {
				t.Errorf("%v: exit code %d, %q", args, code, out)
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d commands", seen)
	}
	for name, option := range map[string]string{"vblade": "  -b N ", "vbladed": "  -r ", "ggaoed": "  -c, --config FILE ", "ggaoectl": "  reload ",
		"qaoed": "  -c FILE ", "qdctl": "  --socket FILE ", "sqaoed": "  --mount DIRECTORY "} {
		if !strings.Contains(daemons, "\n  "+name+" ") {
			t.Errorf("help does not list %s", name)
		}
		if out, code := subcommand(t, "help", name); code != 0 || !strings.HasPrefix(out, "usage: "+name+" ") || !strings.Contains(out, "\n"+option) {
			t.Errorf("help %s: exit code %d, without %q: %s", name, code, option, out)
		}
	}
	if n := len(rows.FindAllString(daemons, -1)); n != 7 {
		t.Errorf("%d daemons, want 7", n)
	}
	for _, args := range [][]string{{"help", "nonsense"}, {"help", "ctl", "more"}, {"version", "more"}} {
		if out, code := subcommand(t, args...); code != 2 || out != "" {
			t.Errorf("%v: exit code %d, %q", args, code, out)
		}
	}
}
