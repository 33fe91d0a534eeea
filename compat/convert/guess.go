package convert

import (
	"regexp"
	"strings"
)

// Kind is a daemon whose configuration a file is.
type Kind string

// The kinds of files.
const (
	GGAoED Kind = "ggaoed"
	QAoED  Kind = "qaoed"
	Vblade Kind = "vblade" // a persistence file
)

// marks tell kinds by a line; the first that is in a file decides.
var marks = []struct {
	kind Kind
	line *regexp.Regexp
}{
	{GGAoED, regexp.MustCompile(`^\[[^\[\]]*\]$`)},
	{QAoED, regexp.MustCompile(`^(/\*|//|[{}])|^(device|default|interface|logging|access-list|acl)\s*(\{|$)`)},
	{Vblade, regexp.MustCompile(`(^|[\s;])(netif|filename)=[^\s=]`)},
	{QAoED, regexp.MustCompile(`^[a-z-]+\s*=.*;`)},
	{GGAoED, regexp.MustCompile(`^[a-z-]+\s*=`)}, // one that lost its groups
}

// Guess tells whose configuration a file is, by its lines; empty: nobody's.
func Guess(file []byte) Kind {
	best := len(marks)
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		for i, m := range marks[:best] {
			if m.line.MatchString(line) {
				best = i
				break
			}
		}
		if best < len(marks) && marks[best].kind == QAoED && strings.HasPrefix(line, "/*") {
			break // what follows may be a comment
		}
	}
	if best == len(marks) {
		return ""
	}
	return marks[best].kind
}
