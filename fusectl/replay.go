package fusectl

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"vbladefs/compat/native"
	"vbladefs/compat/text"
	"vbladefs/target"
)

// A Mistake is a line of a saved state that cannot be carried out.
type Mistake struct {
	Line, Column int    // both from 1; of the bad word, in bytes
	File, Text   string // what the line says to write, and to which file
	Err          error
}

// String is the mistake, to be written after the name of the file that it is in.
func (m Mistake) String() string { return fmt.Sprintf("%d:%d: %v", m.Line, m.Column, m.Err) }

// Replay carries out a saved state on e: a line of it is a file of the tree, a
// blank, and what to write there. Blank lines and those that begin with # say
// nothing. A line that fails is given to report, and the others follow; but of a
// state of another version nothing is carried out. With restoring, what is
// missing now is waited for: see target.Waiting.
func Replay(saved []byte, e Engine, restoring bool, report func(Mistake)) {
	r := replayer{tree: &tree{engine: e}, root: root(), restoring: restoring}
	other := eachLine(saved, func(n int, line string) {
		if m, ok := r.line(line); !ok {
			m.Line = n
			report(m)
		}
	})
	if other.Err != nil {
		report(other)
	}
}

// eachLine calls carryOut with each line of a saved state and its number, unless
// it is of another version: that is returned as a mistake.
func eachLine(saved []byte, carryOut func(n int, line string)) (other Mistake) {
	n := 0
	for full := range bytes.Lines(saved) { // no copy of all: there may be much of it
		n++
		line := string(bytes.TrimSuffix(full, []byte("\n")))
		if n == 1 {
			if err := native.CheckVersion(line); err != nil {
				return Mistake{Line: n, Column: columnOf(err), Text: line, Err: err}
			}
		}
		carryOut(n, line)
	}
	return Mistake{}
}

// replayer carries out the lines of a saved state.
type replayer struct {
	tree      *tree
	root      *dir
	restoring bool
}

// placeOf takes a line apart; no File: it says nothing.
func placeOf(line string) (m Mistake) {
	command := strings.TrimLeft(line, " \t")
	if command == "" || command[0] == '#' {
		return m
	}
	m.Column = len(line) - len(command) + 1
	m.File = command
	if blank := strings.IndexAny(command, " \t"); blank >= 0 {
		m.File, m.Text = command[:blank], command[blank+1:]
	}
	return m
}

// blame is m, whose column is that of its file, with an error at a column of its
// text.
func (m Mistake) blame(column int, err error) Mistake {
	m.Column += len(m.File)
	if m.Text == "" { // behind the file there may be no blank
		column = min(column, 1)
	}
	m.Column += min(column, len(m.Text)+1)
	m.Err = err
	return m
}

// line carries out one line; not ok: it failed, and how.
func (r replayer) line(line string) (m Mistake, ok bool) {
	m = placeOf(line)
	if m.File == "" {
		return m, true
	}
	f, s, err := r.find(m.File)
	if err != nil {
		m.Err = err
		return m, false
	}
	if column, err := r.carryOut(f, s, m.Text); err != nil {
		m = m.blame(column, err)
		m.Column = min(m.Column, len(line)+1)
		return m, false
	}
	return m, true
}

// carryOut has s take line through f; the column of an error is one of line.
func (r replayer) carryOut(f *file, s subject, line string) (column int, err error) {
	if len(line) > text.MaxLine {
		return 1, tooLong(line)
	}
	op, err := f.parse(r.tree, s, line, "")
	if err != nil || op == nil {
		return columnOf(err), err
	}
	if r.restoring {
		op = target.Waiting(op)
	}
	if err := r.tree.engine.Do(op); err != nil {
		return blamed(op, err, line), err
	}
	return 0, nil
}

var errNoFile = errors.New("no such file")

// find finds the file at a path that may be written.
func (r replayer) find(path string) (*file, subject, error) {
	at := child{dir: r.root}
	for name := range strings.SplitSeq(path, "/") {
		next, ok := child{}, false
		if at.dir != nil {
			next, ok = at.dir.child(r.tree, at.subject, name)
		}
		if !ok {
			return nil, subject{}, fmt.Errorf("%w: %s: there is no %s; want FILE LINE, where FILE is one of the control tree that exists by then",
				errNoFile, text.Quote(path), text.Quote(name))
		}
		at = next
	}
	switch {
	case at.file == nil:
		return nil, subject{}, fmt.Errorf("%w: %s is a folder: want a file in it", errNoFile, path)
	case !at.file.writable():
		return nil, subject{}, fmt.Errorf("%s: %w", path, errUnwritable)
	}
	return at.file, at.subject, nil
}

// columnOf is where an error says that the bad word is; 1 if it does not.
func columnOf(err error) int {
	var at text.At
	if errors.As(err, &at) {
		return at.Column
	}
	return 1
}
