package ggaoed

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOptions reads command lines as getopt_long(3) does.
func TestOptions(t *testing.T) {
	for line, want := range map[string]string{
		"":                        " false false []",
		"-c f -d":                 "f true false []",
		"-cf":                     "f false false []",
		"-dnc f":                  "f true true []",
		"-dcn":                    "n true false []",
		"--config f --debug":      "f true false []",
		"--config=f=g":            "f=g false false []",
		"--con f --no":            "f false true []",
		"x -d y":                  " true false [x y]",
		"-d -- -n":                " true false [-n]",
		"-d - x":                  " true false [- x]",
		"-c -d":                   "-d false false []",
		"-c":                      "option requires an argument -- 'c'",
		"-dx":                     "invalid option -- 'x'",
		"--config":                "option '--config' requires an argument",
		"--debug=1":               "option '--debug' doesn't allow an argument",
		"--colour":                "unrecognized option '--colour'",
		"--colour=red":            "unrecognized option '--colour'",
		"--=x":                    "option '--' is ambiguous",
		"-d --version -V --help ": " true false []",
	} {
		f := flags{}
		rest, err := parseOptions(strings.Fields(line), f.options())
		got := fmt.Sprintf("%s %v %v %v", f.config, f.debug, f.nofork, rest)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}

// TestEnds has the programs end before they do anything, with the sheet's words.
func TestEnds(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "ggaoed.conf")
	if err := os.WriteFile(wrong, []byte("[d]\npath = /x\nshelf = 70000\nslot = 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]struct {
		code           int
		stdout, stderr string // their beginnings
	}{
		"ggaoed -V":               {0, "GGs AoE target 1.1\n", ""},
		"ggaoed -h":               {0, "Usage: ggaoed [options]\n", ""},
		"ggaoed -x":               {1, "Usage: ggaoed [options]\n", "ggaoed: invalid option -- 'x'\n"},
		"ggaoed --link=x -d":      {1, "Usage: ggaoed [options]\n", "ggaoed: --link \"x\": want one of auto ring raw xdp\n"},
		"ggaoed -d -c /none":      {1, "Loading the config file has failed: stat /none: no such file or directory\n", ""},
		"ggaoed -d -c /dev/null":  {1, "Loading the config file has failed: /dev/null: want a regular file\n", ""},
		"ggaoed -d -c " + wrong:   {1, wrong + ":3: [d] shelf: \"70000\": want a decimal number from 0 to 65534\n", ""},
		"ggaoectl -V":             {0, "GGs AoE target 1.1\n", ""},
		"ggaoectl":                {1, "", "You must specify a command.\n"},
		"ggaoectl -i 1 stats":     {1, "Usage: ggaoectl [options] command [arguments]\n", "ggaoectl: invalid option -- 'i'\n"},
		"ggaoectl -c /none stats": {1, "", "Loading the config file has failed: stat /none"},
	} {
		args := strings.Fields(line)
		program := Main
		if args[0] == "ggaoectl" {
			program = CtlMain
		}
		var stdout, stderr bytes.Buffer
		code := program(args, &stdout, &stderr)
		if code != want.code || !strings.HasPrefix(stdout.String(), want.stdout) || !strings.HasPrefix(stderr.String(), want.stderr) ||
			want.stdout == "" && stdout.Len() > 0 || want.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q; want %d, %q, %q", line, code, &stdout, &stderr, want.code, want.stdout, want.stderr)
		}
	}
}
