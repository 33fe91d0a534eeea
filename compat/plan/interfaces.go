package plan

import (
	"slices"
	"strings"

	"vbladefs/target"
)

// PlainInterface reports whether name can be that of an interface, alternative
// names included, and is no pattern; nor a comment, as no command could name it.
func PlainInterface(name string) bool {
	const longest = 127 // ALTIFNAMSIZ without its NUL
	return name != "" && len(name) <= longest && name[0] != '#' &&
		!strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || strings.ContainsRune("/:*?,\x7f", c) })
}

// ports are the interfaces that e gets a port on: one for each plain name, so
// that it can be seen and changed by itself, and one for all patterns together,
// since no two ports of an address may be on the same interface.
func (e *Export) ports() []string {
	var names, patterns []string
	every := false
	for _, list := range e.Interfaces {
		for word := range strings.SplitSeq(list, ",") {
			switch word = strings.TrimSpace(word); {
			case word == target.EveryInterface:
				every = true
			case word == "":
			case isPattern(word):
				patterns = append(patterns, word)
			default:
				names = append(names, word)
			}
		}
	}
	switch {
	case every && slices.Contains(names, loopback):
		return []string{target.EveryInterface + "," + loopback}
	case every:
		return []string{target.EveryInterface}
	}
	joined := strings.Join(unique(patterns), ",")
	ports := slices.DeleteFunc(unique(names), func(name string) bool { return overlap(name, joined) })
	if joined != "" {
		ports = append(ports, joined)
	}
	return ports
}

// loopback is an interface that target.EveryInterface does not stand for.
const loopback = "lo"

// unique is list without repetitions, in order of first appearance.
func unique(list []string) []string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?,") }

// overlap reports whether two ports, as ports gives them, may be on the same
// interface.
func overlap(a, b string) bool {
	switch {
	case isPattern(a) && isPattern(b):
		return true // mostly; nothing is lost by thinking so
	case isPattern(a):
		a, b = b, a
		fallthrough
	case isPattern(b):
		return slices.ContainsFunc(strings.Split(b, ","), func(p string) bool { return matches(p, a) })
	}
	return a == b
}

// matches reports whether a pattern of * and ? matches the whole of name.
func matches(pattern, name string) bool {
	star, mark := -1, 0 // the last *, and where its run may end next
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
