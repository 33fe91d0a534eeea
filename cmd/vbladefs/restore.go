package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"vbladefs/compat/vbladekernel"
	"vbladefs/fusectl"
	"vbladefs/target"
)

// restoreState makes a running daemon export what a saved state says.
func restoreState(args []string, stdout io.Writer) error {
	f := newFlags("restore", stdout, "[-mount DIRECTORY] [-exact] FILE", `Has the daemon export what FILE, a saved state, has and it does not; - is standard input.
A state with mistakes changes nothing. What fails is shown as FILE:LINE:COLUMN: ERRNO: REASON,
and the rest is carried out.
`)
	mount := f.String("mount", defaultMount, "where the control tree is mounted")
	exact := f.Bool("exact", false, "also remove what FILE does not have")
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return badUsage("%d arguments, want one: the state to restore", f.NArg())
	}
	text, err := readState(f.Arg(0))
	if err != nil {
		return err
	}
	r := &restoring{control: openControl(*mount), file: f.Arg(0), stdout: stdout, want: text}
	if mistakes := fusectl.Check(text); len(mistakes) > 0 {
		for _, m := range mistakes {
			r.tell(placed(r.file, m))
		}
		return fmt.Errorf("mistakes, %d in all: nothing was changed", len(mistakes))
	}
	if err := r.run(*exact); err != nil {
		return err
	}
	if r.failed > 0 {
		return fmt.Errorf("%d of the commands failed", r.failed)
	}
	return nil
}

// restoring is one run of restore.
type restoring struct {
	*control
	file   string
	stdout io.Writer
	want   []byte
	failed int
}

func (r *restoring) tell(line string) { _, _ = fmt.Fprintln(r.stdout, line) }

func (r *restoring) run(exact bool) error {
	if exact {
		if err := r.remove(); err != nil {
			return err
		}
	}
	has, err := r.saved()
	if err != nil {
		return err
	}
	present := lineSet(has)
	for n, line := range strings.Split(string(r.want), "\n") {
		name, command, ok := commandOf(line)
		if present[line] || !ok {
			continue
		}
		if err := r.write(name, command); err != nil {
			r.failed++
			m := fusectl.Mistake{Line: n + 1, Column: len(name) + 2, Err: err}
			var refused *refusal
			if errors.As(err, &refused) && refused.column > 0 {
				m.Column += refused.column - 1
			}
			r.tell(placed(r.file, m))
		}
	}
	return nil
}

// commandOf splits a line of a state; it is false for comments and blank lines.
func commandOf(line string) (file, command string, ok bool) {
	file, command, _ = strings.Cut(line, " ")
	return file, command, file != "" && !strings.HasPrefix(file, "#")
}

func lineSet(text []byte) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		set[strings.TrimSuffix(line, "\n")] = true
	}
	return set
}

// remove undoes the commands that the state to restore does not have, the last
// first: ports, addresses, drives. What depends on something that goes, goes
// with it and is made again by what follows.
func (r *restoring) remove() error {
	text, err := r.saved()
	if err != nil {
		return err
	}
	wanted, set := lineSet(r.want), filesSet(r.want)
	present := strings.Split(string(text), "\n")
	gone := map[string]bool{} // drives
	for _, line := range present {
		if name, command, _ := commandOf(line); name == "vblade/drives" && !wanted[line] {
			gone[word(command, 1)] = true
		}
	}
	for _, line := range slices.Backward(present) {
		name, command, ok := commandOf(line)
		if !ok || wanted[line] && !(name == "targets/blades" && gone[word(command, 2)]) {
			continue
		}
		undo := undoing(name, command)
		if set[name] && undo.value {
			continue // it is going to be replaced
		}
		if err := r.write(name, undo.line); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.failed++
			r.tell(fmt.Sprintf("%s: %s %s stays: %v", r.path("saved"), name, command, err))
		}
	}
	return nil
}

// filesSet are the files that a state writes to.
func filesSet(text []byte) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := commandOf(line); ok {
			set[name] = true
		}
	}
	return set
}

// word is the n-th word of a command, from 0; empty: it has fewer.
func word(command string, n int) string {
	if words := strings.Fields(command); n < len(words) {
		return words[n]
	}
	return ""
}

// An undo is what takes a command of a state back.
type undo struct {
	line  string
	value bool // it sets a value or list, which a later command may set as well
}

func undoing(file, command string) undo {
	switch file {
	case "vblade/drives", "targets/blades":
		return undo{line: "del " + word(command, 1)}
	case "targets/ports":
		return undo{line: "del " + word(command, 1) + " " + word(command, 2)}
	}
	folder, name := path.Split(file)
	switch name {
	case "accept", "deny", "masks", "reserve":
		return undo{"clear", true}
	case "model":
		return undo{vbladekernel.Model, true}
	case "serial":
		drive := path.Base(folder)
		return undo{drive[:min(len(drive), target.MaxSerial)], true}
	case "firmware":
		return undo{fmt.Sprint(vbladekernel.Firmware), true}
	case "keep":
		return undo{"1", true}
	}
	return undo{"", true} // a config string
}
