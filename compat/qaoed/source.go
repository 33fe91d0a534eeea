package qaoed

import (
	"fmt"
	"slices"
	"strings"

	"vbladefs/compat/text"
)

// Source is a file of a configuration.
type Source struct {
	Name string // for messages, and to notice files that include each other
	Text []byte
}

// Env is what a configuration needs to know of the machine. What is nil is not
// asked.
type Env struct {
	// Folder is what relative paths start at: the daemon's working folder, as it was
	// for the original. Empty: they are refused.
	Folder string
	// Include gives the files that a pattern of glob(7) matches. nil: no file matches.
	Include func(pattern string) ([]Source, error)
	// MTU is that of an interface, in bytes; false: there is no such interface.
	MTU func(netif string) (int, bool)
	// Usable says why a path cannot be exported.
	Usable func(path string) error
}

// Limits of what include may bring in.
const (
	maxDepth = 16
	maxFiles = 1000
	maxBytes = 16 << 20
)

// source is a file, and the files that led to it.
type source struct {
	Source
	by   *source // whose include named it
	deep int
}

// readFiles parses a file and what it includes. As in the original, the
// statements of an included file come behind everything known by then, wherever
// the include stands.
func readFiles(first Source, env Env) (all parsed) {
	files, size := 0, 0
	all.order = map[string]int{}
	for queue := []source{{Source: first}}; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		p := parse(from.Name, from.Text)
		all.add(p)
		if _, known := all.order[from.Name]; !known {
			all.order[from.Name] = len(all.order)
		}
		for _, s := range p.includes {
			found, problem := included(s.value.text, &from, env)
			for _, f := range found {
				files, size = files+1, size+len(f.Text)
			}
			if files > maxFiles || size > maxBytes {
				all.refuse(s, fmt.Sprintf("at most %d files with %d bytes in all", maxFiles, maxBytes))
				return all
			}
			if problem != "" {
				all.refuse(s, problem)
				continue
			}
			queue = append(queue, found...)
		}
	}
	return all
}

// included is the files that a pattern in a file brings in, or what would be
// right instead.
func included(pattern string, by *source, env Env) ([]source, string) {
	if by.deep == maxDepth {
		return nil, fmt.Sprintf("includes at most %d deep", maxDepth)
	}
	var matches []Source
	if env.Include != nil {
		var err error
		if matches, err = env.Include(pattern); err != nil {
			return nil, "files that can be read: " + text.Printable(err.Error())
		}
	}
	if len(matches) == 0 {
		return nil, "a pattern that matches a file"
	}
	found := make([]source, 0, len(matches))
	for _, m := range matches {
		for up := by; up != nil; up = up.by {
			if up.Name == m.Name {
				return nil, fmt.Sprintf("no file that leads to itself: %s", strings.Join(chain(by, m.Name), " includes "))
			}
		}
		found = append(found, source{Source: m, by: by, deep: by.deep + 1})
	}
	return found, ""
}

// chain is how last came to be included.
func chain(by *source, last string) []string {
	names := []string{text.Quote(last)}
	for ; by != nil; by = by.by {
		names = append(names, text.Quote(by.Name))
	}
	slices.Reverse(names)
	return names
}
