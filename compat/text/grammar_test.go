package text

import (
	"errors"
	"strings"
	"testing"

	"vbladefs/target"
)

var grammars = []string{"add A B [C [D]] [ro|rw] [force]", "del A", "set MAC...", "see A [...]", "put A [B] [at=N] [ro]"}

func TestMatch(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"add 1 2", "add(1 2)"},
		{"  add 1\t2  3", "add(1 2 3)"},
		{"add 1 2 3 4 force ro", "add(1 2 3 4) force ro"},
		{"add 1 2 rw", "add(1 2) rw"},
		{"add ro force", "add(ro force)"}, // values that there must be
		{"add 1 2 force 3", "add(1 2 force 3)"},
		{"del 1", "del(1)"},
		{"set 1", "set(1)"},
		{"set 1 2 3", "set(1 2 3)"},
		{"see 1 2 3", "see(1 2 3)"},
		{"put 1 2 ro at=3", "put(1 2) ro at=3"},
		{"put at=1 at=", "put(at=1) at="},
		{"put 1 to=2", "put(1 to=2)"},
	} {
		c, err := Match(Fields(tt.line, " \t"), grammars...)
		if got := show(c); err != nil || got != tt.want {
			t.Errorf("%q: got %s, %v; want %s", tt.line, got, err, tt.want)
		}
	}
}

func show(c Command) string {
	var values, flags []string
	for _, w := range c.Values {
		values = append(values, w.Text)
	}
	for _, w := range c.Flags {
		if flags = append(flags, w.Text); !c.Has(w.Text) {
			return "Has does not have " + w.Text
		}
	}
	return strings.TrimSpace(c.Verb + "(" + strings.Join(values, " ") + ") " + strings.Join(flags, " "))
}

// TestMistakes: an error says what was expected, and where.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		line   string
		column int
		reason string
	}{
		{"", 1, "nothing written: want add A B [C [D]] [ro|rw] [force], del A, set MAC..., see A [...], or put A [B] [at=N] [ro]"},
		{" ad 1 2", 2, `command "ad": want add A B [C [D]] [ro|rw] [force], del A`},
		{"add 1", 6, "a word is missing: want add A B [C [D]] [ro|rw] [force]"},
		{"add  1 ", 7, "a word is missing: want add A B"},
		{"set", 4, "a word is missing: want set MAC..."},
		{"add 1 2 3 4 5 force", 13, `"5" is one word too many: want add A B`},
		{"add 1 2 3 4 ro wrong", 16, `"wrong" is one word too many`},
		{"add 1 2 3 4 ro wrong force", 16, `"wrong" is one word too many`},
		{"put 1 at=1 at=2", 12, `"at=2" once more`},
		{"put 1 2 at", 9, `"at" is one word too many`},
		{"del 1 2", 7, `"2" is one word too many: want del A`},
		{"add 1 2 ro rw", 12, `"rw" once more, or against another: want add A B`},
		{"add 1 2 force force", 15, `"force" once more`},
		{"del 1 " + strings.Repeat("x", 500), 7, `xxx"… is one word too many`},
	} {
		_, err := Match(Fields(tt.line, " \t"), grammars...)
		var at At
		if !errors.As(err, &at) || at.Column != tt.column || !errors.Is(err, target.ErrMalformed) || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%q: got column %d, %v; want column %d, %s", tt.line, at.Column, err, tt.column, tt.reason)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%q: a message of %d bytes", tt.line, len(err.Error()))
		}
	}
}

// TestMatchLine: a comment is no part of a command, and is named where it took
// the place of a word.
func TestMatchLine(t *testing.T) {
	for _, tt := range []struct {
		line, want string
		found      bool
		column     int
		reason     string
	}{
		{"", "()", false, 0, ""},
		{" \t", "()", false, 0, ""},
		{"  #add 1 2", "()", false, 0, ""},
		{" del 1", "del(1)", true, 0, ""},
		{"del 1 # x y z", "del(1)", true, 0, ""},
		{"add a#b #x", "()", false, 8, "a word is missing: want add A B [C [D]] [ro|rw] [force]; from a word that begins with # on it is a comment"},
		{"add a", "()", false, 6, "a word is missing: want add A B [C [D]] [ro|rw] [force]"},
		{"del 1 2 #", "()", false, 7, `"2" is one word too many: want del A`},
	} {
		c, found, err := MatchLine(tt.line, grammars...)
		message := ""
		if err != nil {
			message = strings.TrimPrefix(err.Error(), target.ErrMalformed.Error()+": ")
		}
		if got := show(c); got != tt.want || found != tt.found || message != tt.reason {
			t.Errorf("%q: got %s, %t, %v; want %s, %t, %s", tt.line, got, found, err, tt.want, tt.found, tt.reason)
		}
		var at At
		if errors.As(err, &at); at.Column != tt.column {
			t.Errorf("%q: the mistake is at column %d, want %d", tt.line, at.Column, tt.column)
		}
	}
}

func TestMatchPrefix(t *testing.T) {
	c, err := MatchPrefix(Fields("delete 1", " "), grammars...)
	if got := show(c); err != nil || got != "del(1)" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := MatchPrefix(Fields("de 1", " "), grammars...); !errors.Is(err, target.ErrMalformed) {
		t.Errorf("de: got %v", err)
	}
}

func TestNoVerb(t *testing.T) {
	const one = "A B [force]"
	for line, want := range map[string]string{"1 2": "(1 2)", "1 2 force": "(1 2) force", "1": "()", "1 2 3": "()"} {
		words := Fields(line, " ")
		c, err := Match(words, one)
		if got := show(c); got != want || (err == nil) != (want != "()") || CountFits(words, one) != (err == nil) {
			t.Errorf("%q: got %s, %v; want %s", line, got, err, want)
		}
	}
}

// TestPlaces: the words of values know where they stand.
func TestPlaces(t *testing.T) {
	words := Fields("add 1x 256 disk a/b 0:0", " ")
	_, number := Number("shelf", words[1], 0, 9)
	_, high := Addr(Word{"1", 1}, words[2])
	_, path := Path(words[3], "")
	_, netif := Interface(words[4])
	_, mac := MAC(words[5])
	_, label := ParseModel("d", "abc\x01")
	for i, c := range []struct {
		err    error
		column int
	}{{number, 5}, {high, 8}, {path, 12}, {netif, 17}, {mac, 21}, {label, 4}} {
		var at At
		if !errors.As(c.err, &at) || at.Column != c.column {
			t.Errorf("%d: column %d of %v, want %d", i, at.Column, c.err, c.column)
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, line := range []string{"add 1 2 3 4 ro force", "del", "set a b c", "see x y", "", "\xff\t"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := Fields(line, " \t")
		for i, w := range words {
			if w.Text == "" || line[w.Column-1:w.Column-1+len(w.Text)] != w.Text || strings.ContainsAny(w.Text, " \t") ||
				i > 0 && w.Column <= words[i-1].Column+len(words[i-1].Text) {
				t.Fatalf("%q: word %d is %+v", line, i, w)
			}
		}
		c, err := Match(words, grammars...)
		var at At
		switch {
		case err == nil && 1+len(c.Values)+len(c.Flags) != len(words):
			t.Errorf("%q: %d words in %+v", line, len(words), c)
		case err != nil && (!errors.As(err, &at) || at.Column < 1 || at.Column > len(line)+1 || !errors.Is(err, target.ErrMalformed)):
			t.Errorf("%q: %v at column %d", line, err, at.Column)
		}
	})
}

func TestValueOfFlag(t *testing.T) {
	c, err := Match(Fields("put 1  ro at=a=b", " "), grammars...)
	if at, given := c.Value("at"); err != nil || !given || at != (Word{Text: "a=b", Column: 14}) {
		t.Errorf("got %+v, %v, %v", at, given, err)
	}
	if _, given := c.Value("ro"); given {
		t.Error("ro has a value")
	}
}
