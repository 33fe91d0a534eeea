package ggaoed

import "strings"

// MaxFile is how many bytes a configuration file may have: a choice of ours.
const MaxFile = 1 << 20

// blanks are what GLib skips at the beginning of a line and around its "=".
const blanks = " \t\v\f\r"

// entry is "key = value" as it stands in the file, escapes and trailing blanks
// included.
type entry struct {
	key, value string
	line       int
	column     int // of the value's first byte in the line, from 1
}

// group is a "[name]" with the entries that count: of repeated keys the last one,
// in its place, and all entries of repeated groups.
type group struct {
	name    string
	line    int // of the first "[name]"
	entries []entry
	at      map[string]int // where in entries a key is
	device  bool           // it is one though it may have no shelf, see bare.go
}

func newGroup(name string, line int) *group {
	return &group{name: name, line: line, at: map[string]int{}}
}

// find returns the entry of a key, with an empty key if there is none.
func (g *group) find(key string) entry {
	if i, ok := g.at[key]; ok {
		return g.entries[i]
	}
	return entry{}
}

func (g *group) has(key string) bool { return g.find(key).key != "" }

// put adds an entry, and returns the one of the same key that no longer counts.
func (g *group) put(e entry) (replaced entry) {
	if i, ok := g.at[e.key]; ok {
		replaced = g.entries[i]
		g.entries[i].key = ""
	}
	g.at[e.key] = len(g.entries)
	g.entries = append(g.entries, e)
	return replaced
}

// list returns the entries that count, in the order of the file.
func (g *group) list() []entry {
	var live []entry
	for _, e := range g.entries {
		if e.key != "" {
			live = append(live, e)
		}
	}
	return live
}

// keyFile is a file split into groups.
type keyFile struct {
	bare   []entry // before the first group; repeated keys are all there
	groups []*group
}

// split takes a key file apart as g_key_file_load_from_data does.
func split(text []byte, rep *report) keyFile {
	var file keyFile
	if len(text) > MaxFile {
		rep.mistake(place{}, "%d bytes: want at most %d", len(text), MaxFile)
		return file
	}
	byName := map[string]*group{}
	var now *group
	for i, line := range strings.Split(string(text), "\n") {
		at := place{line: i + 1, column: 1}
		line = strings.TrimSuffix(line, "\r")
		body := strings.TrimLeft(line, blanks)
		switch {
		case body == "" || body[0] == '#':
		case strings.IndexByte(line, 0) >= 0:
			rep.mistake(at, "a NUL byte: want text")
			return file
		case body[0] == '[':
			if now = header(body, at, byName, rep); now != nil && now.line == at.line {
				file.groups = append(file.groups, now)
			}
		default:
			file.entry(now, line, at, rep)
		}
	}
	return file
}

// header reads "[name]" and returns its group, a new one or the one that has
// begun already.
func header(body string, at place, byName map[string]*group, rep *report) *group {
	name, rest, closed := strings.Cut(body[1:], "]")
	bad := strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '[' })
	if !closed || name == "" || bad || strings.Trim(rest, blanks) != "" {
		rep.mistake(at, "%s: want a group: [NAME]", quote(body))
		name = body // what follows belongs to it, not to the group before
	}
	if byName[name] == nil {
		byName[name] = newGroup(name, at.line)
	}
	return byName[name]
}

// entry reads "key = value".
func (f *keyFile) entry(now *group, line string, at place, rep *report) {
	key, value, ok := strings.Cut(line, "=")
	key = strings.Trim(key, blanks)
	if !ok || key == "" {
		rep.mistake(at, "%s: want KEY = VALUE, a [GROUP], or # and a comment", quote(strings.Trim(line, blanks)))
		return
	}
	text := strings.TrimLeft(value, blanks)
	e := entry{key: key, value: text, line: at.line, column: len(line) - len(text) + 1}
	if now == nil {
		f.bare = append(f.bare, e)
		return
	}
	if old := now.put(e); old.key != "" {
		rep.warn(now, old, "comes again in line %d, and that one counts", e.line)
	}
}
