package ggaoed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"vbladefs/compat/text"
)

// Remark is something that is said of a place in a configuration file.
type Remark struct {
	File   string
	Line   int // from 1; 0: the file as a whole
	Column int // of the value or what of it is meant, from 1; 0: the line as a whole
	Group  string
	Key    string // empty: the group or the line as a whole
	Value  string // as it stands in the file
	Text   string
}

// Warning is a Remark on what is taken otherwise than one may think.
type Warning = Remark

// String is FILE:LINE: [GROUP] KEY: "VALUE": TEXT, without what there is none of.
func (r Remark) String() string {
	var b strings.Builder
	b.WriteString(r.File)
	if r.Line > 0 {
		fmt.Fprintf(&b, ":%d", r.Line)
	}
	b.WriteString(": ")
	if r.Group != "" {
		b.WriteString(text.Printable("[" + r.Group + "]"))
		if r.Key != "" {
			b.WriteString(" " + text.Printable(r.Key))
		}
		b.WriteString(": ")
	}
	if r.Key != "" {
		b.WriteString(quote(r.Value) + ": ")
	}
	return b.String() + r.Text
}

// Mistakes are all that is wrong in a configuration file, in the order of its
// lines; Parse returns them as its error.
type Mistakes []Remark

// Error is a line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, r := range m {
		lines[i] = r.String()
	}
	return strings.Join(lines, "\n")
}

// mostRemarks ends the list of a file that is no configuration file at all.
const mostRemarks = 100

type place struct{ line, column int }

// report gathers remarks while a file is read.
type report struct {
	file     string
	mistakes []Remark
	warnings []Remark
}

// add keeps far more remarks than are told, so that the first lines are among them,
// and not as many as a hostile file can cause.
func (r *report) add(list *[]Remark, remark Remark) {
	if len(*list) < 100*mostRemarks {
		*list = append(*list, remark)
	}
}

func (r *report) mistake(at place, format string, args ...any) {
	r.add(&r.mistakes, Remark{File: r.file, Line: at.line, Column: at.column, Text: fmt.Sprintf(format, args...)})
}

// refuse says what is wrong with an entry; one without a key stands for its group.
func (r *report) refuse(g *group, e entry, format string, args ...any) {
	r.add(&r.mistakes, r.on(g, e, format, args))
}

func (r *report) warn(g *group, e entry, format string, args ...any) {
	r.add(&r.warnings, r.on(g, e, format, args))
}

func (r *report) on(g *group, e entry, format string, args []any) Remark {
	if e.key == "" {
		e.line = g.line
	}
	return Remark{File: r.file, Line: e.line, Column: e.column, Group: g.name, Key: e.key, Value: e.value,
		Text: fmt.Sprintf(format, args...)}
}

// quote is s in quotes, its beginning only if it is long.
func quote(s string) string { return text.Quote(s) }

// sorted puts remarks in order of lines, and cuts an endless list.
func (r *report) sorted(list []Remark) []Remark {
	slices.SortStableFunc(list, func(a, b Remark) int { return cmp.Compare(a.Line, b.Line) })
	if len(list) > mostRemarks {
		list = append(list[:mostRemarks:mostRemarks], Remark{File: r.file, Text: "and so on"})
	}
	return list
}
