package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"vbladefs/compat/native"
)

// restoreState makes a running daemon export what a saved state says. The daemon
// does the work, through the file restore of its tree; this gives it the text
// and shows the report as it grows.
func restoreState(args []string, stdout io.Writer) error {
	f := newFlags("restore", stdout, "[-mount DIRECTORY] [-exact] [-v] FILE", `Has the daemon export what FILE, a saved state, has; - is standard input. What is the same
stays untouched, values that differ are set, and devices and interfaces that are missing are
waited for. A state with mistakes changes nothing. What fails is shown as
FILE:LINE:COLUMN: ERRNO: REASON, and the rest is carried out.
`)
	mount := f.String("mount", defaultMount, "where the control tree is mounted")
	exact := f.Bool("exact", false, "also remove what FILE does not have, and replace what differs and cannot be changed")
	verbose := f.Bool("v", false, "also show what is carried out")
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
	if len(text) == 0 {
		return fmt.Errorf("%s is empty: want a state; nothing was changed", f.Arg(0))
	}
	if native.IsOld(text) {
		text = renewed(text, f.Arg(0))
	}
	if *exact {
		text = append([]byte("exact\n"), text...)
	}
	r := reporter{file: f.Arg(0), verbose: *verbose, stdout: bufio.NewWriter(stdout)}
	c := openControl(*mount)
	if err := r.restore(c, text); err != nil {
		return err
	}
	c.tellDown()
	return nil
}

// tellDown says how many ports are down: to wait for a device is no failure, but
// is not what whoever restores hopes for.
func (c *control) tellDown() {
	text, err := os.ReadFile(c.path("targets/ports"))
	if err != nil {
		return // the daemon is gone since
	}
	ports, down := 0, 0
	for line := range strings.Lines(string(text)) {
		ports++
		if words := strings.Fields(line); len(words) > 5 && words[5] == "down" {
			down++
		}
	}
	if down > 0 {
		fmt.Fprintf(os.Stderr, "vbladefs: %d of %d ports are down; targets/ports shows them, and the state of each in targets/ADDRESS/ports/INTERFACE why\n", down, ports)
	}
}

// renewed is a state of version 1 as one of this version, with its end line. One
// that is cut within a line stays as it is, for the daemon to refuse.
func renewed(text []byte, file string) []byte {
	if _, err := native.CheckForm(text); err != nil {
		return text
	}
	fmt.Fprintf(os.Stderr, "vbladefs: %s is of an older version, which had no end line: if it was cut off, nobody can tell\n", file)
	_, commands, _ := bytes.Cut(text, []byte("\n"))
	return fmt.Appendf(nil, "%s\n%s# end\n", native.Header, commands)
}

// reporter shows what the daemon says of a restore.
type reporter struct {
	file    string
	verbose bool
	stdout  *bufio.Writer
	failed  int
	summary bool // the last line was there: the state had no mistakes
}

func (r *reporter) restore(c *control, text []byte) error {
	f, err := os.OpenFile(c.path("restore"), os.O_RDWR, 0)
	if err != nil {
		return c.missing(err)
	}
	defer f.Close() // the daemon has told all that there is to say
	if _, err := f.Write(text); err != nil {
		return err
	}
	refused := f.Sync() // says that this was all; why it fails is in the report
	lines := bufio.NewScanner(io.NewSectionReader(f, 0, 1<<62))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r.line(lines.Text())
		if err := r.stdout.Flush(); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return fmt.Errorf("the daemon went away before all was restored: %w", err)
	case !r.summary && r.failed == 0:
		return fmt.Errorf("the daemon does not say how it went: %w", refused)
	case !r.summary:
		return fmt.Errorf("mistakes, %d in all: nothing was changed", r.failed)
	case r.failed > 0:
		return fmt.Errorf("%d of the commands failed", r.failed)
	}
	return nil
}

// line shows a line of the report. A failure has the place in the file, or the
// command if no line of the file is to blame.
func (r *reporter) line(line string) {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "!":
		more := 1
		_, _ = fmt.Sscanf(rest, "and %d more", &more) // mistakes than the report has lines for
		r.failed += more
		if rest != "" && rest[0] <= '9' {
			rest = r.file + ":" + rest
		}
		_, _ = fmt.Fprintln(r.stdout, rest)
	case "=":
		r.summary = true
	}
	if r.verbose && kind != "!" {
		_, _ = fmt.Fprintln(r.stdout, line)
	}
}
