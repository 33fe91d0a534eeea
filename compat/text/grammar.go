package text

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A grammar is how a command is written, in the form that people read in the
// tree's README, in the manual and in errors; the same string says here how many
// words there may be:
//
//	add INTERFACE SHELF SLOT [BUFFERS [SECTORS]] [ro|rw] [force]
//
// A lower-case word at the beginning is the verb. Words in capitals are values,
// MAC... one or more of a kind. What is in brackets may be left out; if it is of
// lower case it is a flag: flags come last, in any order, one of each bracket.
// A flag name=VALUE has a value.
// [...] takes more words and ignores them.
type grammar struct {
	verb        string
	least, most int // values; most is as many as can be for "..."
	flags       [][]string
}

const noEnd = 1 << 30

// parsed are the grammars that were used so far, by their text. There is a fixed number.
var parsed sync.Map

func grammarOf(s string) grammar {
	if g, ok := parsed.Load(s); ok {
		return g.(grammar)
	}
	g := parseGrammar(s)
	parsed.Store(s, g)
	return g
}

func parseGrammar(s string) grammar {
	var g grammar
	depth := 0
	for i, token := range strings.Fields(s) {
		depth += strings.Count(token, "[")
		name := strings.Trim(token, "[]")
		if flag, _, valued := strings.Cut(name, "="); valued {
			name = flag + "="
		}
		switch {
		case name == "...":
			g.most = noEnd
		case name == strings.ToLower(name) && i == 0:
			g.verb = name
		case name == strings.ToLower(name):
			g.flags = append(g.flags, strings.Split(name, "|"))
		default:
			g.most++
			if depth == 0 {
				g.least++
			}
			if strings.HasSuffix(name, "...") {
				g.most = noEnd
			}
		}
		depth -= strings.Count(token, "]")
	}
	return g
}

// A Command is a line that a grammar takes.
type Command struct {
	Verb   string // as the grammar has it; empty if it has none
	Values []Word // as many as the grammar allows; those of "[...]" too
	Flags  []Word
}

// Has tells whether a flag was given.
func (c Command) Has(flag string) bool {
	return slices.ContainsFunc(c.Flags, func(w Word) bool { return w.Text == flag })
}

// Value is the value of a flag name=VALUE, where it was given.
func (c Command) Value(flag string) (value Word, given bool) {
	for _, w := range c.Flags {
		if name, text, valued := strings.Cut(w.Text, "="); valued && name == flag {
			return Word{Text: text, Column: w.Column + len(name) + 1}, true
		}
	}
	return Word{}, false
}

// Match finds the grammar whose verb words begin with, and sorts the words by
// it. Of several grammars each must have a verb.
func Match(words []Word, grammars ...string) (Command, error) {
	return match(words, grammars, func(word, verb string) bool { return word == verb })
}

// MatchLine is Match for a line of a dialect that knows comments: from the first
// word that begins with # on, so that a path may have one inside. No error and
// not found: there is nothing else in the line.
func MatchLine(line string, grammars ...string) (c Command, found bool, err error) {
	words := Fields(line, " \t")
	comment := slices.IndexFunc(words, func(w Word) bool { return w.Text[0] == '#' })
	if comment >= 0 {
		words = words[:comment]
	}
	if len(words) == 0 {
		return Command{}, false, nil
	}
	c, err = Match(words, grammars...)
	var at At
	if comment >= 0 && errors.As(err, &at) && at.Column == behind(words) {
		err = fmt.Errorf("%w; from a word that begins with # on it is a comment", err)
	}
	return c, err == nil, err
}

// MatchPrefix is Match for a dialect of which only the start of a verb counts.
func MatchPrefix(words []Word, grammars ...string) (Command, error) {
	return match(words, grammars, strings.HasPrefix)
}

// CountFits tells whether a grammar without verb takes as many words as these.
func CountFits(words []Word, oneGrammar string) bool {
	_, err := Match(words, oneGrammar)
	return err == nil
}

func match(words []Word, grammars []string, same func(word, verb string) bool) (Command, error) {
	for _, s := range grammars {
		g := grammarOf(s)
		switch {
		case g.verb == "":
			return g.sort(words, s, words)
		case len(words) > 0 && same(words[0].Text, g.verb):
			return g.sort(words[1:], s, words)
		}
	}
	if len(words) == 0 {
		return Command{}, At{Column: 1, Err: Malformed("nothing written: want %s", Either(grammars))}
	}
	return Command{}, words[0].Malformed("command %s: want %s", words[0], Either(grammars))
}

// Either lists grammars for a message: "this, that, or more".
func Either(grammars []string) string {
	if len(grammars) < 2 {
		return strings.Join(grammars, "")
	}
	last := len(grammars) - 1
	return strings.Join(grammars[:last], ", ") + ", or " + grammars[last]
}

// sort tells values and flags of args apart; all is the whole line, for places.
func (g grammar) sort(args []Word, shown string, all []Word) (Command, error) {
	values, flags, err := g.cutFlags(args, shown)
	if err != nil {
		return Command{}, err
	}
	if len(values) < g.least {
		return Command{}, At{Column: behind(all), Err: Malformed("a word is missing: want %s", shown)}
	}
	if len(values) > g.most {
		excess := g.excess(values)
		return Command{}, excess.Malformed("%s is one word too many: want %s", excess, shown)
	}
	return Command{Verb: g.verb, Values: values, Flags: flags}, nil
}

// excess is the word to blame for more values than there can be. A flag that
// stands before it is not: it only is no flag because of that word.
func (g grammar) excess(values []Word) Word {
	beyond := values[g.most:]
	if i := slices.IndexFunc(beyond, func(w Word) bool { return g.flag(w.Text) < 0 }); i >= 0 {
		return beyond[i]
	}
	return beyond[0]
}

// cutFlags takes the flags from the end of args, but nothing of the values that
// there must be.
func (g grammar) cutFlags(args []Word, shown string) (values, flags []Word, err error) {
	at := len(args)
	for at > g.least && g.flag(args[at-1].Text) >= 0 {
		at--
	}
	for i, w := range args[at:] {
		bracket := g.flag(w.Text)
		if slices.ContainsFunc(args[at:at+i], func(o Word) bool { return g.flag(o.Text) == bracket }) {
			return nil, nil, w.Malformed("%s once more, or against another: want %s", w, shown)
		}
	}
	return args[:at], args[at:], nil
}

// flag is the bracket that a flag is of; -1: it is none.
func (g grammar) flag(word string) int {
	if name, _, valued := strings.Cut(word, "="); valued {
		word = name + "="
	}
	return slices.IndexFunc(g.flags, func(group []string) bool { return slices.Contains(group, word) })
}
