package getopt

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

var options = []Option{{'c', "config", true}, {'d', "debug", false}, {'n', "nofork", false}, {'N', "none", false}}

func parse(args string, posix bool, options []Option) string {
	var got []string
	rest, err := Parse(strings.Fields(args), options, posix, func(letter byte, value string) error {
		if value == "refused" {
			return errors.New("refused")
		}
		got = append(got, fmt.Sprintf("%c%s", letter, value))
		return nil
	})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(got, rest)
}

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		"":                    "[] []",
		"-dc f x -n":          "[d cf n] [x]",
		"-cdn -d":             "[cdn d] []",
		"x - -- -d --debug":   "[] [x - -d --debug]",
		"--config f --debug":  "[cf d] []",
		"--conf=f=g --deb":    "[cf=g d] []",
		"--config= -d":        "[c d] []",
		"--no":                "option '--no' is ambiguous",
		"--none":              "[N] []",
		"--=":                 "option '--' is ambiguous",
		"--debug=1":           "option '--debug' doesn't allow an argument",
		"--config":            "option '--config' requires an argument",
		"--colour=red":        "unrecognized option '--colour'",
		"-d -c":               "option requires an argument -- 'c'",
		"-dx":                 "invalid option -- 'x'",
		"-d -c refused -x":    "refused",
		"--config=refused -x": "refused",
	} {
		if got := parse(line, false, options); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
	if got, want := parse("-d x -n", true, options), "[d] [x -n]"; got != want {
		t.Errorf("POSIXLY_CORRECT: %s, want %s", got, want)
	}
	if got, want := parse("--debug", false, []Option{{Letter: 'd'}}), "invalid option -- '-'"; got != want {
		t.Errorf("a program without long options: %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("-dc f x --config=g -- -n")
	f.Add("--c -d--")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		n := 0
		rest, err := Parse(args, options, false, func(letter byte, value string) error {
			if !strings.ContainsRune("cdnN", rune(letter)) || letter != 'c' && value != "" {
				t.Errorf("option %q with value %q", letter, value)
			}
			n++
			return nil
		})
		var wrong *Error
		if err != nil && !errors.As(err, &wrong) || len(rest) > len(args) {
			t.Errorf("%d options, %d words, %v", n, len(rest), err)
		}
	})
}
