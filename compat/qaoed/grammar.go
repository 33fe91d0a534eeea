package qaoed

import (
	"slices"

	"vbladefs/compat/text"
)

// statement is KEY = VALUE ; and the section that it stands in.
type statement struct {
	section    string // "" for a global one
	inACL      bool   // in the acl { } of a device or default
	key, value token
}

// String is what the statement is called in messages.
func (s statement) String() string {
	name := s.key.text
	if !plain(name) || len(name) > 40 { // of none that there is
		name = text.Quote(name)
	}
	if s.inACL {
		name = "acl " + name
	}
	if s.section == "" {
		return name
	}
	return "[" + s.section + "] " + name
}

// section is SECTION { STATEMENTS }.
type section struct {
	word token
	body []statement
	torn bool // some of it could not be read, so that nothing can be said to be missing
}

func (s *section) add(st statement, ok bool) {
	if ok {
		s.body = append(s.body, st)
	}
	s.torn = s.torn || !ok
}

// parsed is what files say, before anything is made of it.
type parsed struct {
	findings
	sections []section
	globals  []statement
	includes []statement
	order    map[string]int // of the files
}

func (all *parsed) add(p parsed) {
	all.mistakes = append(all.mistakes, p.mistakes[:min(len(p.mistakes), maxKept-len(all.mistakes))]...)
	all.warnings = append(all.warnings, p.warnings[:min(len(p.warnings), maxKept-len(all.warnings))]...)
	all.sections = append(all.sections, p.sections...)
	all.globals = append(all.globals, p.globals...)
}

// The words that the grammar (§2.2) knows; keys are those of keys.go.
var (
	sectionWords = []string{"logging", "interface", "default", "device", "access-list"}
	globalWords  = []string{"log-level", "apisocket", "include"}
	// unclosed need no ; behind them: the original did not insist on theirs.
	unclosed = []string{"interface", "name", "policy", "accept", "reject", "allow", "deny"}
)

// parser turns the tokens of one file into sections; a mistake is noted and
// skipped, so that all are found at once.
type parser struct {
	parsed
	tokens []token // the last one is the end
	at     int
}

func parse(file string, content []byte) parsed {
	tokens, mistakes := lex(file, content)
	if len(mistakes) > 0 { // the rest would be misread
		return parsed{findings: findings{mistakes: mistakes}}
	}
	p := parser{tokens: tokens}
	p.file()
	return p.parsed
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) second() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

func (p *parser) skip(mark string) bool {
	found := p.peek().is(mark)
	if found {
		p.next()
	}
	return found
}

// file reads all that stands outside of sections.
func (p *parser) file() {
	for t := p.peek(); t.kind != end; t = p.peek() {
		switch {
		case p.skip(";"):
		case p.skip("}"):
			p.mistake(t, "} without a { before it: want { behind the name of each section")
		case p.startsSection():
			p.section()
		case p.startsGlobal():
			if s, ok := p.statement("", false); ok && s.key.text == "include" {
				p.includes = append(p.includes, s)
			} else if ok {
				p.globals = append(p.globals, s)
			}
		default:
			p.mistake(t, "%s: unknown statement outside of sections: want %s =, or %s with { behind it",
				text.Quote(t.text), oneOf(globalWords), oneOf(sectionWords))
			p.resume()
		}
	}
}

func (p *parser) startsSection() bool {
	t := p.peek()
	return t.kind == word && slices.Contains(sectionWords, t.text) && !p.second().is("=")
}

func (p *parser) startsGlobal() bool {
	t := p.peek()
	return t.kind == word && slices.Contains(globalWords, t.text)
}

func (p *parser) section() {
	name := p.next()
	switch {
	case p.skip("{"):
		s := section{word: name}
		p.body(&s)
		p.sections = append(p.sections, s)
	case p.peek().kind == word:
		p.damaged(name)
	default:
		p.mistake(name, "%s: want { STATEMENTS } behind it", name.text)
	}
}

// body reads up to the } of a section.
func (p *parser) body(s *section) {
	for {
		switch t := p.peek(); {
		case p.skip("}"):
			return
		case p.skip(";"):
		case t.kind == end, p.startsSection() && p.second().is("{"):
			p.mistake(s.word, "[%s] its { is never closed: want } before line %d", s.word.text, t.line)
			return
		case takesACL(s.word.text) && t.kind == word && t.text == "acl" && !p.second().is("="):
			p.acl(s)
		default:
			s.add(p.statement(s.word.text, false))
		}
	}
}

func takesACL(section string) bool { return section == "device" || section == "default" }

// acl reads the access lists of a device or of the default section.
func (p *parser) acl(s *section) {
	name := p.next()
	if !p.skip("{") {
		p.damagedACL(s, name)
		return
	}
	for {
		switch t := p.peek(); {
		case p.skip("}"):
			return
		case p.skip(";"):
		case t.kind == end, t.kind == word && p.second().is("{"):
			p.mistake(name, "[%s] acl: its { is never closed: want } before line %d", s.word.text, t.line)
			return
		default:
			s.add(p.statement(s.word.text, true))
		}
	}
}

// statement reads KEY = VALUE ; or says what is wrong with it and skips it.
func (p *parser) statement(section string, inACL bool) (statement, bool) {
	s := statement{section: section, inACL: inACL, key: p.next()}
	switch {
	case s.key.kind != word:
		p.mistake(s.key, "%s: want KEY = VALUE ;", text.Quote(s.key.text))
	case !p.skip("="):
		p.mistake(s.key, "%s: want = behind it", s)
	case p.peek().kind != word:
		p.mistake(s.key, "%s: want a value behind =", s)
	default:
		s.value = p.next()
		if !p.skip(";") && !slices.Contains(unclosed, s.key.text) {
			p.mistake(s.value, "%s: %s: want ; behind it", s, text.Quote(s.value.text))
		}
		return s, true
	}
	p.resume()
	return statement{}, false
}

// resume skips to where the next statement may begin.
func (p *parser) resume() {
	for depth := 0; ; p.next() {
		switch t := p.peek(); {
		case t.kind == end, depth == 0 && t.is("}"):
			return
		case t.is("{"):
			depth++
		case t.is("}"):
			if depth--; depth == 0 {
				p.next()
				return
			}
		case depth == 0 && t.is(";"):
			return
		}
	}
}
