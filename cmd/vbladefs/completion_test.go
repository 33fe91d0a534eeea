package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// completionScript is that of a shell, in a file.
func completionScript(t *testing.T, shell string) string {
	t.Helper()
	text, err := exec.Command(program, "completion", shell).Output()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "_vbladefs")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// completionCases are words, the last of which is to be completed, and what some
// of the outcome is; those behind "!" are none of it.
var completionCases = []struct{ line, want string }{
	{"vbladefs ", "serve save upgrade completion ggaoed qdctl"},
	{"vbladefs se", "serve ! save"},
	{"vbladefs serve -", "-link -state -takeover ! -exact --mount"},
	{"vbladefs serve -link ", "auto ring raw xdp ! uring"},
	{"vbladefs serve -io u", "uring ! sync"},
	{"vbladefs serve -user roo", "root"},
	{"vbladefs restore -e", "-exact"},
	{"vbladefs completion ", "bash zsh fish"},
	{"vbladefs help ", "ctl serve"},
	{"vbladefs discover l", "lo"},
	{"vbladefs ggaoectl re", "reload"},
	{"vbladefs vblade --li", "--link"},
	{"vblade -", "-b -r --force"},
	{"ggaoectl show-c", "show-config ! reload"},
	{"qdctl a", "add"},
}

// checkCompleted compares words with a case.
func checkCompleted(t *testing.T, line, want string, got []string) {
	t.Helper()
	wanted, unwanted, _ := strings.Cut(want, "!")
	for _, word := range strings.Fields(wanted) {
		if !slices.Contains(got, word) {
			t.Errorf("%q is completed by %q, without %q", line, got, word)
		}
	}
	for _, word := range strings.Fields(unwanted) {
		if slices.Contains(got, word) {
			t.Errorf("%q is completed by %q, with %q", line, got, word)
		}
	}
}

func TestBashCompletion(t *testing.T) {
	t.Parallel()
	need(t, "bash")
	path := completionScript(t, "bash")
	for _, tt := range completionCases {
		words := strings.Split(tt.line, " ")
		script := `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vbladefs; printf '%s\n' "${COMPREPLY[@]}"; complete -p "$1" >&2`
		cmd := exec.Command("bash", append([]string{"-u", "-c", script, "bash", path}, words...)...)
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil || !strings.Contains(complaints.String(), "-F _vbladefs "+words[0]) {
			t.Errorf("%q: %v, %s", tt.line, err, complaints.String())
		}
		checkCompleted(t, tt.line, tt.want, strings.Fields(string(out)))
	}
}

func TestFishCompletion(t *testing.T) {
	t.Parallel()
	need(t, "fish")
	path := completionScript(t, "fish")
	for _, tt := range completionCases {
		cmd := exec.Command("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", path, tt.line)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v, %s", tt.line, err, out)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		checkCompleted(t, tt.line, tt.want, got)
	}
}

// TestZshCompletion has zsh load the function, and looks for what it is to say:
// its completion needs a terminal.
func TestZshCompletion(t *testing.T) {
	t.Parallel()
	need(t, "zsh")
	path := completionScript(t, "zsh")
	out, err := exec.Command("zsh", "-f", "-c", "fpath=($1 $fpath); autoload -Uz compinit && compinit -u -D && echo $_comps[vbladefs] $_comps[ggaoectl] && autoload +X _vbladefs && functions _vbladefs", "zsh", filepath.Dir(path)).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "_vbladefs _vbladefs\n") {
		t.Fatalf("%v, %s", err, out)
	}
	for _, want := range []string{"serve:mount the control tree", "*-link[how frames are received", "value:(auto ring raw xdp)", "1:word:(reload "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// Every option of every command can be completed, in each shell.
func TestCompletionIsWhole(t *testing.T) {
	t.Parallel()
	help, err := exec.Command(program, "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	scripts := map[string]string{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		text, err := os.ReadFile(completionScript(t, shell))
		if err != nil {
			t.Fatal(err)
		}
		scripts[shell] = string(text)
	}
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) `).FindAllSubmatch(help, -1) {
		name := string(m[1])
		if name == "help" || name == "version" || name == "vbladefs" || name == "echo" || name == "cat" {
			continue
		}
		if !regexp.MustCompile(`(?m)-a ` + name + ` `).MatchString(scripts["fish"]) {
			t.Errorf("fish does not know %s", name)
		}
		out, _ := exec.Command(program, name, "-h").CombinedOutput()
		list := regexp.MustCompile(`(?m)^    -\*:` + name + `\) list='(.*)'`).FindStringSubmatch(scripts["bash"])
		for _, option := range regexp.MustCompile(`(?m)^  (-[a-z]+[a-z-]*) ?.*\n    \t`).FindAllSubmatch(out, -1) {
			n++
			if list == nil || !slices.Contains(strings.Fields(list[1]), string(option[1])) {
				t.Errorf("bash does not know %s %s: %q", name, option[1], list)
			}
			if !strings.Contains(scripts["zsh"], "'*"+string(option[1])+"[") {
				t.Errorf("zsh does not know %s %s", name, option[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d options were looked at", n)
	}
}
