package qaoed

import (
	"bytes"
	"fmt"
	"strings"
)

// maxText is how long a file may be; a thousand targets take some 100 KiB.
const maxText = 4 << 20

// A token is a word or one of { } = ; and where it stands.
type token struct {
	text         string
	kind         kind
	file         string
	line, column int // of its first byte, from 1
}

type kind uint8

const (
	word kind = iota // may be "{" if it was quoted
	mark             // { } = ;
	end              // of the file
)

// marks are tokens by themselves; they and the separators end a word.
const (
	marks      = "{}=;"
	separators = " \t\r\n"
)

func (t token) is(text string) bool { return t.kind == mark && t.text == text }

// lexer cuts one file into tokens, by §2.1 and §7 of the sheet.
type lexer struct {
	findings
	file        string
	text        []byte
	at          int // next byte
	line        int
	lineStarted int // the offset that line begins at
	tokens      []token
}

// lex is the tokens of a file; the last one is its end.
func lex(file string, text []byte) ([]token, Mistakes) {
	l := lexer{file: file, text: text, line: 1}
	if len(text) > maxText {
		return nil, Mistakes{{File: file, Text: fmt.Sprintf("%d bytes: want at most %d", len(text), maxText)}}
	}
	for l.at < len(text) {
		switch c := text[l.at]; {
		case c == '\n':
			l.newline()
		case strings.IndexByte(separators, c) >= 0:
			l.at++
		case c == '#', l.starts("//"):
			l.skipLine()
		case l.starts("/*"):
			l.skipComment()
		case strings.IndexByte(marks, c) >= 0:
			t := l.place(mark)
			t.text = string(c)
			l.tokens = append(l.tokens, t)
			l.at++
		default:
			l.word()
		}
	}
	return append(l.tokens, l.place(end)), l.mistakes
}

func (l *lexer) place(k kind) token {
	return token{kind: k, file: l.file, line: l.line, column: l.at - l.lineStarted + 1}
}

func (l *lexer) starts(s string) bool { return bytes.HasPrefix(l.text[l.at:], []byte(s)) }

func (l *lexer) newline() {
	l.at++
	l.line++
	l.lineStarted = l.at
}

func (l *lexer) skipLine() {
	for l.at < len(l.text) && l.text[l.at] != '\n' {
		l.at++
	}
}

func (l *lexer) skipComment() {
	start := l.place(mark)
	for l.at += 2; l.at < len(l.text); {
		switch {
		case l.starts("*/"):
			l.at += 2
			return
		case l.text[l.at] == '\n':
			l.newline()
		default:
			l.at++
		}
	}
	l.mistake(start, "a comment that is never closed: want */ behind it")
}

// word reads up to a separator, a mark or a #; quotes protect all of these but
// the end of a line, and are dropped.
func (l *lexer) word() {
	t := l.place(word)
	var b []byte
	quoted := false
	for ; l.at < len(l.text); l.at++ {
		c := l.text[l.at]
		if c == '\n' || !quoted && strings.IndexByte(separators+marks+"#", c) >= 0 {
			break
		}
		switch {
		case c == '"':
			quoted = !quoted
		case c < ' ' && c != '\t' || c == 0x7f:
			l.mistake(l.place(word), "a control character, %#02x: want printable text", c)
		default:
			b = append(b, c)
		}
	}
	if quoted {
		l.mistake(t, "a quoted text that is never closed: want \" on the same line")
	}
	t.text = string(b)
	l.tokens = append(l.tokens, t)
}
