package ggaoed

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A file that went through a text extractor, as in an article that shows one, has
// lost its lines that begin with "[", and lines may be joined. Its keys tell where
// they belong.

// withHeaders are the groups of a file; those of a file that has no group line are
// found by its keys.
func (f keyFile) withHeaders(rep *report) []*group {
	switch {
	case len(f.bare) == 0:
		return f.groups
	case len(f.groups) > 0:
		for _, e := range f.bare {
			rep.mistake(place{e.line, e.column}, "%s stands before the first group: want a line [GROUP] above it", quote(e.key))
		}
		return f.groups
	}
	b := bareFile{defaults: newGroup(groupDefaults, 0)}
	for _, e := range f.bare {
		for _, e := range unjoin(e, rep) {
			b.put(e, rep)
		}
	}
	b.name(rep)
	if len(b.defaults.entries) == 0 {
		return b.devices
	}
	return append([]*group{b.defaults}, b.devices...)
}

// bareFile sorts entries without groups.
type bareFile struct {
	defaults *group
	devices  []*group
}

// put gives what only [defaults] has to it, and what it shares with devices until
// the first key that only devices have. A key that comes again begins a device.
func (b *bareFile) put(e entry, rep *report) {
	shared := slices.Contains(inheritedKeys, e.key) && len(b.devices) > 0
	if !shared && !slices.Contains(deviceKeys, e.key) {
		if old := b.defaults.put(e); old.key != "" {
			rep.warn(b.defaults, old, "comes again in line %d, and that one counts", e.line)
		}
		return
	}
	if n := len(b.devices); n == 0 || b.devices[n-1].has(e.key) {
		g := newGroup("", e.line)
		g.device = true
		b.devices = append(b.devices, g)
	}
	b.devices[len(b.devices)-1].put(e)
}

// Keys that devices have alone, and with [defaults].
var (
	deviceKeys    = slices.Concat(essential, keyNames((&Device{}).own(resolver{})))
	inheritedKeys = append(keyNames((&Tuning{}).keys(0)), "interfaces")
)

// name calls devices after their addresses, as initiators do, and says what was
// made of the file.
func (b *bareFile) name(rep *report) {
	if len(b.defaults.entries) > 0 {
		b.defaults.line = b.defaults.entries[0].line
		rep.warn(b.defaults, entry{}, "the file has no [GROUP] lines: %s taken as [defaults]", lines(b.defaults))
	}
	for _, g := range b.devices {
		shelf, _, ok := number(g.find(keyShelf).value)
		slot, _, good := number(g.find(keySlot).value)
		g.name = fmt.Sprintf("device of line %d", g.line)
		if ok && good {
			g.name = fmt.Sprintf("e%d.%d", shelf, slot)
		}
		rep.warn(g, entry{}, "the file has no [GROUP] lines: %s taken as the device [%s]", lines(g), g.name)
	}
}

// lines says on which lines the entries of a group stand.
func lines(g *group) string {
	const most = 20 // ranges, so that the message can be read
	var ranges []string
	list := g.list()
	for i := 0; i < len(list); {
		if len(ranges) == most {
			ranges = append(ranges, "…")
			break
		}
		first, last := list[i].line, list[i].line
		for ; i < len(list) && list[i].line <= last+1; i++ {
			last = list[i].line
		}
		switch {
		case first == last:
			ranges = append(ranges, fmt.Sprint(first))
		default:
			ranges = append(ranges, fmt.Sprintf("%d-%d", first, last))
		}
	}
	if len(ranges) == 1 && !strings.Contains(ranges[0], "-") {
		return "line " + ranges[0] + " is"
	}
	return "lines " + strings.Join(ranges, ", ") + " are"
}

func keyNames(keys []key) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}

// joint is where another entry may have been joined to a line.
var joint = regexp.MustCompile(`[ \t]+([a-z-]+)[ \t]*=[ \t]*`)

// unjoin takes "interfaces = eth0   broadcast = true" apart.
func unjoin(e entry, rep *report) []entry {
	var list []entry
	value, from := e.value, 0
	for _, m := range joint.FindAllStringSubmatchIndex(value, -1) {
		key := value[m[2]:m[3]]
		if !slices.Contains(everyKey, key) {
			continue
		}
		e.value = value[from:m[0]]
		list = append(list, e)
		rep.add(&rep.warnings, Remark{File: rep.file, Line: e.line, Column: e.column,
			Text: fmt.Sprintf("%s is taken as a line of its own, %s as another", quote(e.key+" = "+e.value), quote(key+" = …"))})
		e.key, e.column, from = key, e.column+m[1]-from, m[1]
	}
	e.value = value[from:]
	return append(list, e)
}

// everyKey are the keys of all groups.
var everyKey = slices.Concat(essential, keyNames((&Device{}).keys(resolver{})),
	keyNames((&Defaults{}).keys(V11, Env{})), []string{keyBuffers})
