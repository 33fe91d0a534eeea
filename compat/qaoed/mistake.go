package qaoed

import (
	"fmt"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// A Mistake is what is wrong at one place of a configuration.
type Mistake struct {
	File         string
	Line, Column int // from 1; 0: the file as a whole
	Text         string
}

func (m Mistake) Error() string {
	if m.Line == 0 {
		return text.Printable(m.File) + ": " + m.Text
	}
	return fmt.Sprintf("%s:%d: %s", text.Printable(m.File), m.Line, m.Text)
}

// Mistakes are all that was found wrong, in the order of the files; it wraps
// target.ErrMalformed.
type Mistakes []Mistake

// How many mistakes a message lists, and how many are kept.
const (
	maxShown = 20
	maxKept  = 1000
)

func (ms Mistakes) Error() string {
	var lines []string
	for i, m := range ms {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and more: %d at least", len(ms)-i))
			break
		}
		lines = append(lines, m.Error())
	}
	return strings.Join(lines, "\n")
}

// Unwrap is the kind of the error.
func (ms Mistakes) Unwrap() error { return target.ErrMalformed }

// A Warning is what was taken though it looks wrong.
type Warning Mistake

func (w Warning) String() string { return Mistake(w).Error() }

// findings is what reading a configuration has found so far.
type findings struct {
	mistakes Mistakes
	warnings []Warning
}

func (f *findings) mistake(at token, format string, args ...any) {
	if len(f.mistakes) == maxKept {
		return
	}
	f.mistakes = append(f.mistakes, Mistake{at.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

func (f *findings) warn(at token, format string, args ...any) {
	if len(f.warnings) == maxKept {
		return
	}
	f.warnings = append(f.warnings, Warning{at.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// refuse is a mistake about the value of a statement.
func (f *findings) refuse(s statement, want string) {
	f.mistake(s.value, "%s: %s: want %s", s, text.Quote(s.value.text), want)
}

// oneOf lists what is allowed.
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
