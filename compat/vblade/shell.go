package vblade

import (
	"fmt"
	"strings"

	"vbladefs/compat/text"
)

// assignment is name=value of a shell script.
type assignment struct {
	name, value string
	line        int // from 1
}

// lineError is a mistake in a line.
type lineError struct {
	line int
	text string
}

func (e lineError) Error() string { return e.text }

// assignments hands those of a script to set, in order. A script may have nothing
// else but comments: no command is run and no variable looked up. An error is a
// lineError.
func assignments(script string, set func(assignment)) error {
	s := shell{text: script, line: 1}
	for s.skip() {
		a := assignment{line: s.line}
		var ok bool
		if a.name, ok = s.name(); !ok {
			word, _, _ := strings.Cut(s.text, "\n")
			return lineError{a.line, fmt.Sprintf("%s: want name=value, a comment, or nothing", text.Quote(word))}
		}
		var err error
		if a.value, err = s.value(a.name); err != nil {
			return err
		}
		set(a)
	}
	return nil
}

// shell reads a script.
type shell struct {
	text string // that is left
	line int
}

// next takes n bytes.
func (s *shell) next(n int) string {
	taken := s.text[:n]
	s.line += strings.Count(taken, "\n")
	s.text = s.text[n:]
	return taken
}

// skip goes to the next word; false: there is none.
func (s *shell) skip() bool {
	for s.text != "" {
		switch c := s.text[0]; {
		case strings.IndexByte(" \t\n;", c) >= 0:
			s.next(1)
		case c == '#':
			comment, _, _ := strings.Cut(s.text, "\n")
			s.next(len(comment))
		case strings.HasPrefix(s.text, "\\\n"):
			s.next(2)
		default:
			return true
		}
	}
	return false
}

// name takes a name and the = behind it.
func (s *shell) name() (string, bool) {
	name, _, ok := strings.Cut(s.text, "=")
	for i := range len(name) {
		c := name[i]
		ok = ok && (c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || i > 0 && c >= '0' && c <= '9')
	}
	if !ok || name == "" {
		return "", false
	}
	s.next(len(name) + 1)
	return name, true
}

// value takes what is assigned to name.
func (s *shell) value(name string) (string, error) {
	var b strings.Builder
	for s.text != "" && strings.IndexByte(" \t\n;", s.text[0]) < 0 {
		switch c := s.text[0]; c {
		case '\'':
			quoted, _, ok := strings.Cut(s.text[1:], "'")
			if !ok {
				return "", s.open(name, "'")
			}
			s.next(1)
			b.WriteString(s.next(len(quoted)))
			s.next(1)
		case '"':
			if err := s.doubleQuoted(name, &b); err != nil {
				return "", err
			}
		case '\\':
			s.escaped(&b, "")
		default:
			if strings.IndexByte("$`&|<>()\x00", c) >= 0 {
				return "", s.expansion(name, c)
			}
			b.WriteString(s.next(1))
		}
	}
	return b.String(), nil
}

// doubleQuoted takes what is between double quotes.
func (s *shell) doubleQuoted(name string, b *strings.Builder) error {
	start := *s
	s.next(1)
	for s.text != "" {
		switch c := s.text[0]; c {
		case '"':
			s.next(1)
			return nil
		case '\\':
			s.escaped(b, "\\\"$`\n")
		case '$', '`', 0:
			return s.expansion(name, c)
		default:
			b.WriteString(s.next(1))
		}
	}
	return start.open(name, `"`)
}

// escaped takes a backslash and what is behind it: that alone if it is one of
// special, empty: any; a newline is taken away.
func (s *shell) escaped(b *strings.Builder, special string) {
	s.next(1)
	if s.text == "" || special != "" && strings.IndexByte(special, s.text[0]) < 0 {
		b.WriteByte('\\')
		return
	}
	if c := s.next(1); c != "\n" {
		b.WriteString(c)
	}
}

func (s *shell) open(name, quote string) error {
	return lineError{s.line, fmt.Sprintf("%s: a quote is not closed: want another %s", name, quote)}
}

func (s *shell) expansion(name string, c byte) error {
	return lineError{s.line, fmt.Sprintf("%s: %q would have a shell do something: want a plain value, or this in single quotes", name, c)}
}
