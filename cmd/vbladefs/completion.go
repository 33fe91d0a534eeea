package main

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"vbladefs/cmd/internal/daemon"
)

// Completion is generated from what the program says of itself: the tables of
// commands and daemons, and the options that -h of each shows.

// completion writes the script for a shell.
func completion(args []string, stdout io.Writer) error {
	f := newFlags("completion", stdout, "SHELL", `Writes what SHELL, one of bash, zsh and fish, needs to complete command lines of vbladefs and of the daemons
under their own names. "make install" puts it where the shells look; else: source <(vbladefs completion bash).
`)
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 || completionScripts[f.Arg(0)] == nil {
		return badUsage("want one shell, of %s", strings.Join(shells, ", "))
	}
	_, err := io.WriteString(stdout, completionScripts[f.Arg(0)](completable()))
	return err
}

var (
	shells            = []string{"bash", "zsh", "fish"}
	completionScripts = map[string]func([]completed) string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
)

// completed is a command, or a daemon, as completion knows it.
type completed struct {
	name, about string
	daemon      bool // also under its own name
	options     []completedOption
	kind        string   // of what else it takes, as in kinds
	words       []string // beside
}

// completedOption is an option, with its dashes.
type completedOption struct {
	name, about string
	values      []string // one of them, or
	kind        string   // something of this kind; "": takes no value
}

// The kinds of values, by the words that usages have for them. What has no row is
// of anyValue.
const (
	aFile, aDirectory, anInterface, aUser, aGroup, anyValue = "file", "directory", "interface", "user", "group", "any"
)

var (
	optionKinds = map[string]string{"-state": aDirectory, "-state-directory": aDirectory, "-mount": aDirectory, "--mount": aDirectory,
		"-user": aUser, "-group": aGroup, "-o": aFile, "-to": aFile, "-c": aFile, "--config": aFile, "--socket": aFile}
	optionValues = map[string][]string{"-link": {"auto", "ring", "raw", "xdp"}, "-io": {"auto", "uring", "sync"},
		"-cache": {"writeback", "direct", "durable"}, "-from": {"ggaoed", "qaoed", "vblade"}}
	// optionLine is one of -h: "  -name value", or "  -c, --config FILE  what it is".
	optionLine  = regexp.MustCompile(`(?m)^  (-[a-zA-Z]\b|-[a-z][a-z-]*|--[a-z-]+)(?:, (--[a-z-]+))?(?: ([A-Za-z]+))?(?:  +(.+)|\s*\n    \s*(.+)|\t(.+))?$`)
	shortOption = regexp.MustCompile(`\[(-[a-zA-Z])(?: ([A-Z])| MAC)?`)
	lowerWord   = regexp.MustCompile(`(?m)^  ([a-z][a-z-]+) `)
)

// completable lists what there is.
func completable() (all []completed) {
	for _, c := range commands {
		var help bytes.Buffer
		_ = c.run([]string{"-h"}, &help)
		e := completed{name: c.name, about: c.summary, options: optionsIn(help.String()), kind: kindOf(c.args)}
		switch c.name {
		case "help":
			e.words, e.kind = []string{"ctl"}, ""
			for _, other := range commands {
				e.words = append(e.words, other.name)
			}
			for _, p := range personalities {
				e.words = append(e.words, p.name)
			}
		case "completion":
			e.words, e.kind = shells, ""
		}
		all = append(all, e)
	}
	for _, p := range personalities {
		all = append(all, completedDaemon(p))
	}
	return all
}

func completedDaemon(p personality) completed {
	e := completed{name: p.name, about: p.summary, daemon: true, kind: aFile}
	args := p.args
	if args == "the same" {
		args = personalities[0].args
	}
	for _, m := range shortOption.FindAllStringSubmatch(args, -1) {
		o := completedOption{name: m[1]}
		if m[1] == "-c" {
			o.kind = aFile
		} else if strings.HasSuffix(m[0], " MAC") || m[2] != "" {
			o.kind = anyValue
		}
		e.options = append(e.options, o)
	}
	switch p.name {
	case "qdctl":
		e.words, e.kind = []string{"add", "remove", "show", "set"}, ""
		e.options = append(e.options, completedOption{name: "--socket", kind: aFile})
	case "ggaoectl":
		var help bytes.Buffer
		p.run([]string{p.name, "-h"}, &help, io.Discard)
		_, list, _ := strings.Cut(help.String(), "Commands:\n")
		for _, m := range lowerWord.FindAllStringSubmatch(list, -1) {
			e.words = append(e.words, m[1])
		}
		e.kind = ""
	default:
		e.options = append(e.options, optionsIn(daemon.OwnUsage)...)
	}
	return e
}

// optionsIn lists the options that the text of a -h has.
func optionsIn(help string) (options []completedOption) {
	for _, m := range optionLine.FindAllStringSubmatch(help, -1) {
		about, _, _ := strings.Cut(m[4]+m[5]+m[6], "\n")
		about, _, _ = strings.Cut(about, ";")
		for _, name := range []string{m[1], m[2]} {
			if name == "" {
				continue
			}
			o := completedOption{name: name, about: strings.TrimSpace(about)}
			if m[3] != "" {
				o.values, o.kind = optionValues[strings.Replace(name, "--", "-", 1)], optionKinds[name]
				if o.values == nil && o.kind == "" || m[3] == "int" { // -c is a file, or a count
					o.kind = anyValue
				}
			}
			options = append(options, o)
		}
	}
	return options
}

// kindOf is what the last word of a command's usage stands for.
func kindOf(args string) string {
	switch {
	case strings.Contains(args, "INTERFACE"):
		return anInterface
	case strings.HasSuffix(args, " DIRECTORY"):
		return aDirectory
	case strings.Contains(args, "FILE"), strings.Contains(args, "COMMAND"):
		return aFile
	}
	return ""
}

// names are those of all.
func names(all []completed) (list []string) {
	for _, e := range all {
		list = append(list, e.name)
	}
	return list
}

// plain is text for a place between single quotes of any of the shells.
func plain(text string) string {
	return strings.NewReplacer("'", "", `\`, "", "\n", " ", "[", "(", "]", ")", ":", ",", "`", "").Replace(text)
}

func linef(b *strings.Builder, format string, args ...any) {
	_, _ = fmt.Fprintf(b, format+"\n", args...)
}
