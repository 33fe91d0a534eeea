package qaoed

import "slices"

// This file takes configurations that lost the lines with their braces, as that
// of the article did:
//
//	apisocket = /tmp/qaoedsocket; default         apisocket = /tmp/qaoedsocket;
//	shelf = 0;                                    default { shelf = 0; slot = 6;
//	slot = 6;                            for          interface = eth0; }
//	interface = eth0;                             device { target = /dev/loop6; }
//	target = /dev/loop6;
//
// The "default" is left there, its { is not, and the "} device {" before target
// went, too. So the name of a section without a { behind it begins one that runs
// to the next name of a section, and a target begins a device where none can
// stand: behind the target of another device, or in another section. The original
// refused such files, so no working one is misread.

// damaged reads a section whose name has no { behind it.
func (p *parser) damaged(name token) {
	s := section{word: name}
	for p.continues(s) {
		t := p.peek()
		switch {
		case p.skip(";"):
		case takesACL(s.word.text) && t.text == "acl" && !p.second().is("="):
			p.acl(&s)
		case t.text == "target" && (s.word.text != "device" || s.has("target")):
			p.endDamaged(s)
			s = section{word: t}
			s.word.text = "device"
		default:
			s.add(p.statement(s.word.text, false))
		}
	}
	p.endDamaged(s)
}

// continues says whether what comes next belongs to a damaged section.
func (p *parser) continues(s section) bool {
	t := p.peek()
	switch {
	case t.kind == end, t.is("}"), p.startsSection():
		return false
	case t.kind == word && p.second().is("=") && slices.Contains(globalWords, t.text):
		return slices.Contains(keysOf(s.word.text), t.text)
	}
	return true
}

func (p *parser) endDamaged(s section) {
	if len(s.body) == 0 {
		return
	}
	first, last := s.body[0].key.line, s.body[len(s.body)-1].value.line
	what := s.word.text + " without { }"
	if first := s.body[0]; first.key.line == s.word.line && first.key.column == s.word.column {
		what = "target in no device { }"
	}
	p.warn(s.word, "%s: lines %d to %d are taken as %s { … }; if its braces were lost, write them again", what, first, last, s.word.text)
	p.sections = append(p.sections, s)
}

func (s section) has(key string) bool {
	return slices.ContainsFunc(s.body, func(st statement) bool { return st.key.text == key && !st.inACL })
}

// damagedACL reads the lists of an acl that has no { behind it.
func (p *parser) damagedACL(s *section, name token) {
	listed := len(s.body)
	for p.peek().kind == word && p.second().is("=") && slices.Contains(names(aclKeys), p.peek().text) {
		s.add(p.statement(s.word.text, true))
	}
	if len(s.body) == listed {
		p.mistake(name, "[%s] acl: want { LISTS } behind it", s.word.text)
		return
	}
	p.warn(name, "[%s] acl without { }: lines %d to %d are taken as acl { … }; if its braces were lost, write them again",
		s.word.text, s.body[listed].key.line, s.body[len(s.body)-1].value.line)
}
