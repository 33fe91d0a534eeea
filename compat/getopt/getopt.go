// Package getopt reads command lines as getopt(3) and getopt_long(3) of the GNU C
// library do, which package flag does not: options of one letter may be joined,
// and may stand behind other words.
//
//	arguments ─Parse─▶ set, for each option; the other words
package getopt

import (
	"fmt"
	"slices"
	"strings"
)

// Option is one that a program takes.
type Option struct {
	Letter byte
	Name   string // as --Name, or what begins no other; empty: it has none
	Value  bool   // it has one
}

// Error is a mistake in a command line, in the words of the C library.
type Error struct {
	Text    string
	Unknown bool // it is about an option that there is not
}

func (e *Error) Error() string { return e.Text }

func unknown(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...), true} }
func misused(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...), false} }

// Parse hands options to set, by their letters and in order, until one is wrong,
// and returns the other words. posix ends the options at the first of those, as if
// POSIXLY_CORRECT were set. The error is an *Error, or set's.
func Parse(args []string, options []Option, posix bool, set func(letter byte, value string) error) (rest []string, err error) {
	p := parser{options: options, set: set}
	long := slices.ContainsFunc(options, func(o Option) bool { return o.Name != "" })
	for len(args) > 0 {
		arg := args[0]
		p.next = args[1:]
		switch {
		case arg == "--":
			return append(rest, p.next...), nil
		case long && strings.HasPrefix(arg, "--"):
			err = p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			err = p.letters(arg[1:])
		case posix:
			return append(rest, args...), nil
		default:
			rest = append(rest, arg)
		}
		if err != nil {
			return nil, err
		}
		args = p.next
	}
	return rest, nil
}

type parser struct {
	options []Option
	set     func(byte, string) error
	next    []string // the words behind this one
}

// word takes the next word as a value.
func (p *parser) word() (value string, ok bool) {
	if len(p.next) == 0 {
		return "", false
	}
	value, p.next = p.next[0], p.next[1:]
	return value, true
}

// letters takes options of one letter, of which the last may have a value.
func (p *parser) letters(cluster string) error {
	for cluster != "" {
		letter, value := cluster[0], ""
		cluster = cluster[1:]
		i := slices.IndexFunc(p.options, func(o Option) bool { return o.Letter == letter })
		if i < 0 {
			return unknown("invalid option -- '%c'", letter)
		}
		if p.options[i].Value {
			ok := cluster != ""
			if value, cluster = cluster, ""; !ok {
				value, ok = p.word()
			}
			if !ok {
				return misused("option requires an argument -- '%c'", letter)
			}
		}
		if err := p.set(letter, value); err != nil {
			return err
		}
	}
	return nil
}

// long takes NAME or NAME=VALUE.
func (p *parser) long(arg string) error {
	name, value, given := strings.Cut(arg, "=")
	o, err := p.named(name)
	switch {
	case err != nil:
		return err
	case !o.Value && given:
		return misused("option '--%s' doesn't allow an argument", o.Name)
	case o.Value && !given:
		if value, given = p.word(); !given {
			return misused("option '--%s' requires an argument", o.Name)
		}
	}
	return p.set(o.Letter, value)
}

// named is the option of that name, or whose name alone begins with it.
func (p *parser) named(name string) (found Option, err error) {
	n := 0
	for _, o := range p.options {
		if o.Name == name && name != "" {
			return o, nil
		}
		if o.Name != "" && strings.HasPrefix(o.Name, name) {
			found = o
			n++
		}
	}
	switch n {
	case 0:
		return Option{}, unknown("unrecognized option '--%s'", name)
	case 1:
		return found, nil
	}
	return Option{}, unknown("option '--%s' is ambiguous", name)
}
