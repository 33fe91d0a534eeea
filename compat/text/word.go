package text

import (
	"strconv"
	"strings"
)

// A Word is a word of a line, and where it stands.
type Word struct {
	Text   string
	Column int // of its first byte in the line, from 1
}

// At is an error about a place in a line. errors.As with a variable of type At
// finds it in what the dialects return.
type At struct {
	Column int // of the bad word's first byte, from 1; behind the last word for one that is missing
	Err    error
}

func (a At) Error() string { return a.Err.Error() }

// Unwrap is the error without its place.
func (a At) Unwrap() error { return a.Err }

// Fields splits line into its words. Separators are ASCII; other white space is
// part of a word, and so shows in the error that refuses it.
func Fields(line, separators string) []Word {
	var words []Word
	start := -1
	for i := range len(line) + 1 {
		switch blank := i == len(line) || strings.IndexByte(separators, line[i]) >= 0; {
		case !blank && start < 0:
			start = i
		case blank && start >= 0:
			words = append(words, Word{Text: line[start:i], Column: start + 1})
			start = -1
		}
	}
	return words
}

// At gives err the place of w.
func (w Word) At(err error) error { return At{Column: w.Column, Err: err} }

// Malformed is an error about w that wraps target.ErrMalformed.
func (w Word) Malformed(format string, args ...any) error { return w.At(Malformed(format, args...)) }

// String is w quoted for a message.
func (w Word) String() string { return Quote(w.Text) }

// maxQuoted is how much of a word a message shows.
const maxQuoted = 80

// Quote is s in quotes, its beginning only if it is long, so that the rest of a
// message is not lost behind it.
func Quote(s string) string {
	if len(s) <= maxQuoted {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:maxQuoted]) + "…"
}

// behind is the column behind the last of words.
func behind(words []Word) int {
	if len(words) == 0 {
		return 1
	}
	last := words[len(words)-1]
	return last.Column + len(last.Text)
}
