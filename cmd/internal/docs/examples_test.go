package docs

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A command is one shell command of a document.
type command struct {
	at   string // file:line
	text string // more than one line where it has a here-document
}

// blocks lists the commands of a document's code: blocks of Markdown that are indented by four, or mdoc's .Bd -literal.
func blocks(name, text string) []command {
	var all []command
	literal := false
	for i, line := range strings.Split(text, "\n") {
		at := fmt.Sprintf("%s:%d", name, i+1)
		switch {
		case !strings.HasSuffix(name, ".md"):
			if literal = strings.HasPrefix(line, ".Bd -literal") || literal && line != ".Ed"; !literal || line[0:min(3, len(line))] == ".Bd" {
				continue
			}
		case strings.HasPrefix(line, "    "):
			line = line[4:]
		default:
			continue
		}
		if last := len(all) - 1; last >= 0 && unfinished(all[last].text) {
			all[last].text += "\n" + line
		} else if line != "" {
			all = append(all, command{at, line})
		}
	}
	return all
}

// unfinished tells whether the shell would read on.
func unfinished(text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	if _, end, ok := strings.Cut(first, "<< "); ok {
		return !strings.HasSuffix(text, "\n"+end)
	}
	return strings.HasSuffix(text, "||") || strings.HasSuffix(text, `\`)
}

var (
	span     = regexp.MustCompile("`([^`]*)`")
	tableRow = regexp.MustCompile(`^\|[^|]*\|(.*)\|$`)
)

// spans lists the commands on the tree in a Markdown document's `spans`: those in tables, which tell what the
// commands of the first column are here, and those in its sentences.
func spans(name, text string) (tables, sentences []command) {
	for i, line := range strings.Split(text, "\n") {
		row := tableRow.FindStringSubmatch(line)
		if row != nil {
			line = row[1]
		}
		if strings.HasPrefix(line, "    ") {
			continue
		}
		for _, m := range span.FindAllStringSubmatch(line, -1) {
			c := command{fmt.Sprintf("%s:%d", name, i+1), m[1]}
			switch {
			case !regexp.MustCompile(`^(echo|cat) .*/run/vbladefs/`).MatchString(c.text):
			case row != nil:
				tables = append(tables, c)
			default:
				sentences = append(sentences, c)
			}
		}
	}
	return tables, sentences
}

// elsewhere are the commands of the documents that are not run here, with the files in whose tests they are.
var elsewhere = map[string]string{
	"modprobe aoe":                "scripts/vm/modules.go",
	"mkfs.ext4 /dev/etherd/e0.1":  "scripts/interop/",
	"mount /dev/etherd/e0.1 /mnt": "scripts/interop/",
	"make build":                  "Makefile",
	"make demo":                   "Makefile",
	"make test":                   "Makefile",
	"make bench":                  "Makefile",
	"make install":                "Makefile",
	"make bench-disk":             "Makefile",
}

// here removes the commands that are covered elsewhere, and holds that to be true.
func here(t *testing.T, all []command) []command {
	t.Helper()
	var run []command
	for _, c := range all {
		text := strings.TrimSpace(regexp.MustCompile(`\s#.*`).ReplaceAllString(c.text, ""))
		where, ok := elsewhere[text]
		if !ok {
			run = append(run, c)
			continue
		}
		if !covered(t, strings.Fields(text), where) {
			t.Errorf("%s: nothing in %s runs %q", c.at, where, text)
		}
	}
	return run
}

// covered looks for the words of a command: a target of the Makefile, or a program that a test runs.
func covered(t *testing.T, words []string, where string) bool {
	t.Helper()
	for _, name := range tracked(t) {
		if !strings.HasPrefix(name, where) {
			continue
		}
		want := regexp.MustCompile(`\b` + regexp.QuoteMeta(words[0]) + `\b`)
		switch words[0] {
		case "make":
			want = regexp.MustCompile(`(?m)^` + words[1] + `:`)
		case "modprobe":
			want = regexp.MustCompile(`"` + words[1] + `"`)
		}
		if want.MatchString(read(t, name)) {
			return true
		}
	}
	return false
}

// TestReadmeTable runs what the README's tables say to do instead of a legacy command.
func TestReadmeTable(t *testing.T) {
	tables, _ := spans("README.md", read(t, "README.md"))
	s := newSession(t)
	s.serve()
	s.run(tables)
}

// TestReadme runs the rest of the README, its blocks first.
func TestReadme(t *testing.T) {
	text := read(t, "README.md")
	_, sentences := spans("README.md", text)
	s := newSession(t)
	s.run(append(here(t, blocks("README.md", text)), sentences...))
	s.exported("e0.1", "e0.2", "e0.3", "e1.0")
}

// TestManualExamples runs the examples of the manual pages.
func TestManualExamples(t *testing.T) {
	for _, name := range manuals {
		t.Run(name, func(t *testing.T) {
			commands := here(t, blocks("docs/"+name, read(t, "docs/"+name)))
			s := newSession(t)
			if name != "vbladefs.8" && name != daemonsPage {
				s.serve()
			}
			if name == "aoebench.1" {
				s.run([]command{{"this test", "echo add /dev/loop1 0 1 eth0 > /run/vbladefs/aoeserver"}})
			}
			s.run(commands)
			if name == daemonsPage {
				s.exported("e0.3", "e2.0", "e2.1")
			}
		})
	}
}
