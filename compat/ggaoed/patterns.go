package ggaoed

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A pattern stands for the interfaces whose whole name it matches: * is any run of
// characters, ? is one, everything else is itself.

// maxInterface is the longest interface name, IFNAMSIZ without its NUL.
const maxInterface = 15

// mostPatterns is how many a list may have: a choice of ours, so that what two
// lists have in common is found in reasonable time.
const mostPatterns = 64

// mostSteps ends the search for what patterns have in common; no list that means
// something needs as many.
const mostSteps = 1 << 12

// patterns is a list of interfaces.
type patterns struct{ p *[]string }

func (v patterns) parse(raw string) (string, error) {
	if !utf8.ValidString(raw) {
		return "", errText
	}
	list, ok := items(raw)
	if !ok {
		return "", errEscape
	}
	for i, item := range list {
		if err := checkPattern(item); err != nil {
			return "", err
		}
		list[i] = stars.ReplaceAllString(item, "*")
	}
	if len(list) == 0 || len(list) > mostPatterns {
		return "", fmt.Errorf("%d interfaces: want 1 to %d separated by commas; leave the key out for all", len(list), mostPatterns)
	}
	*v.p = list
	return "", nil
}

// stars are as good as one.
var stars = regexp.MustCompile(`\*\*+`)

func (v patterns) print() string { return joinItems(*v.p) }

// checkPattern refuses what no interface can match, by the rules of the kernel's
// dev_valid_name, and what no command could name.
func checkPattern(item string) error {
	control := strings.ContainsFunc(item, func(r rune) bool { return r <= ' ' || r == 0x7f })
	if control || strings.ContainsAny(item, "/:,") || item[0] == '#' || item == "." || item == ".." || shortest(item) > maxInterface {
		return fmt.Errorf("%s: want an interface such as eth0, or a pattern of several such as eth*", quote(item))
	}
	return nil
}

// shortest is how many bytes the shortest name has that a pattern matches.
func shortest(pattern string) int { return len(pattern) - strings.Count(pattern, "*") }

// common are patterns for the names that match some of a and some of b; an empty
// list stands for all names. ok is false if that would be too many.
func common(a, b []string) (list []string, ok bool) {
	if len(a) == 0 || len(b) == 0 {
		return append(slices.Clone(a), b...), true
	}
	m := meeting{seen: map[[2]string][]string{}}
	for _, p := range a {
		for _, q := range b {
			list = append(list, m.of(p, q)...)
		}
		if list = widest(list); m.full || len(list) > mostPatterns {
			return nil, false
		}
	}
	return list, true
}

// meeting finds patterns for the names that match two.
type meeting struct {
	seen map[[2]string][]string
	full bool
}

func (m *meeting) of(p, q string) []string {
	if list, ok := m.seen[[2]string{p, q}]; ok || m.full {
		return list
	}
	list := slices.DeleteFunc(widest(m.build(p, q)), func(s string) bool { return shortest(s) > maxInterface })
	m.full = m.full || len(list) > mostPatterns || len(m.seen) > mostSteps
	m.seen[[2]string{p, q}] = list
	return list
}

func (m *meeting) build(p, q string) []string {
	if p == "" || q == "" {
		if strings.Trim(p+q, "*") != "" {
			return nil
		}
		return []string{""}
	}
	if q[0] == '*' && p[0] != '*' {
		p, q = q, p
	}
	if p[0] == '*' {
		// Either the star ends here, or it takes one more of what q begins with; if
		// that is a star, too, the one that ends first leaves the other.
		ends, goes := m.of(p[1:], q), m.of(p, q[1:])
		if q[0] == '*' {
			return prefixed("*", slices.Concat(ends, goes))
		}
		return slices.Concat(ends, prefixed(q[:1], goes))
	}
	switch {
	case p[0] == '?':
		return prefixed(q[:1], m.of(p[1:], q[1:]))
	case q[0] == '?' || p[0] == q[0]:
		return prefixed(p[:1], m.of(p[1:], q[1:]))
	}
	return nil
}

func prefixed(head string, tails []string) []string {
	list := make([]string, len(tails))
	for i, tail := range tails {
		list[i] = head + tail
		if head == "*" && strings.HasPrefix(tail, "*") {
			list[i] = tail
		}
	}
	return list
}

// widest leaves out what is in another of the list.
func widest(list []string) []string {
	var kept []string
	for i, p := range list {
		within := func(j int) bool {
			q := list[j]
			return j != i && covers(q, p) && (j < i || !covers(p, q))
		}
		inner := false
		for j := range list {
			inner = inner || within(j)
		}
		if !inner {
			kept = append(kept, p)
		}
	}
	return kept
}

// covers reports that everything that matches inner matches outer. Of a name, it
// says whether outer matches it.
func covers(outer, inner string) bool {
	o, i := 0, 0
	star, taken := -1, 0 // the last star of outer, and where what it takes ends
	for i < len(inner) {
		switch {
		case o < len(outer) && outer[o] == '*':
			star, taken = o, i
			o++
		case o < len(outer) && inner[i] != '*' && (outer[o] == '?' || outer[o] == inner[i]):
			o++
			i++
		case star >= 0:
			taken++
			o, i = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(outer[o:], "*") == ""
}
