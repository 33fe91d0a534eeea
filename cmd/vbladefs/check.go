package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"vbladefs/fusectl"
)

// check looks for mistakes in states without changing anything.
func check(args []string, stdout io.Writer) error {
	f := newFlags("check", stdout, "FILE...", `Looks for mistakes in saved states, and changes nothing; no daemon is needed.
- is standard input. Each mistake is shown as FILE:LINE:COLUMN: REASON.
`)
	if err := f.parse(args); err != nil {
		return err
	}
	if f.NArg() == 0 {
		return badUsage("no FILE: want the states to check, or - for standard input")
	}
	found, unread := 0, error(nil)
	for _, file := range f.Args() {
		text, err := readState(file)
		if err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		var unwritten error
		fusectl.CheckEach(text, func(m fusectl.Mistake) {
			if found++; unwritten == nil {
				_, unwritten = fmt.Fprintln(stdout, placed(file, m))
			}
		})
		if unwritten != nil {
			return unwritten
		}
	}
	switch found {
	case 0:
		return unread
	case 1:
		return errors.Join(unread, errors.New("1 mistake"))
	}
	return errors.Join(unread, fmt.Errorf("%d mistakes", found))
}

// maxState bounds what is read as a state: 65,536 drives with all their lists
// stay far below.
const maxState = 1 << 30

// readState reads a file, or standard input for "-". What is empty is no nil.
func readState(file string) ([]byte, error) { return readLimited(file, maxState) }

// flags is the command line of a sub-command.
type flags struct {
	*flag.FlagSet
	stdout      io.Writer
	args, about string
}

func newFlags(name string, stdout io.Writer, args, about string) *flags {
	f := &flags{flag.NewFlagSet("vbladefs "+name, flag.ContinueOnError), stdout, args, about}
	f.SetOutput(io.Discard) // errors are reported once, by report
	f.Usage = func() {}
	return f
}

// parse shows the help that is asked for, and reports a mistake as one.
func (f *flags) parse(args []string) error {
	err := f.FlagSet.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintf(f.stdout, "usage: %s\n\n%s\n", strings.TrimSpace(f.Name()+" "+f.args), f.about)
		f.SetOutput(f.stdout)
		f.PrintDefaults()
		return err
	}
	if err != nil {
		return badUsage("%v", err)
	}
	return nil
}
