package native

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// Header is the first line of a saved state; its last word is the version of the
// format. A state of version 1 had no end line, and is taken still.
const (
	Header      = headerStart + "2"
	oldHeader   = headerStart + "1"
	headerStart = "# vbladefs state "
	endStart    = "# end"
)

// EndLine is the last line of a saved state that has n commands, so that a copy
// that was cut off is told from a whole one. Whoever writes a state by hand may
// leave the number away.
func EndLine(n int) string { return fmt.Sprintf("%s %d", endStart, n) }

// IsEnd tells whether a line is an end line, and whether it has a number.
func IsEnd(line string) (n int, counted, ok bool) {
	rest, ok := strings.CutPrefix(line, endStart)
	rest = strings.TrimRight(rest, " \t\r")
	if !ok || rest == "" {
		return 0, false, ok
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, " "))
	return n, true, err == nil && n >= 0 && rest[0] == ' '
}

// IsOld tells whether a state is of version 1: whether it is whole, nobody can
// tell.
func IsOld(state []byte) bool { return bytes.HasPrefix(state, []byte(oldHeader+"\n")) }

// CheckVersion reads the first line of a saved state. A line that names another
// version than this one's is an error; a line that names none is somebody's own.
func CheckVersion(line string) error {
	version, ok := strings.CutPrefix(line, headerStart)
	switch {
	case !ok, line == Header, line == oldHeader:
		return nil
	case line == Header+"\r", line == oldHeader+"\r":
		return text.At{Column: len(line), Err: fmt.Errorf("%w: the lines end with carriage return and newline, as on Windows: want a newline only; `tr -d '\\r'` makes it so",
			target.ErrMalformed)}
	}
	return text.At{Column: len(headerStart) + 1, Err: fmt.Errorf("%w: a state of another version, %s: want %q",
		target.ErrMalformed, text.Quote(version), Header)}
}

// CheckForm tells whether state is a whole saved state, from its header to its
// end line, whatever the commands say. An error is of a line, from 1.
func CheckForm(state []byte) (line int, err error) {
	start, rest, complete := bytes.Cut(state, []byte("\n"))
	first := string(start)
	switch {
	case first == "" && !complete:
		return 1, errors.New("the file is empty: want a state")
	case complete && first == oldHeader:
		return checkOldEnd(state)
	case complete && first == Header:
		return checkEnd(rest)
	case CheckVersion(first) != nil:
		return 1, CheckVersion(first)
	}
	return 1, fmt.Errorf("no state: its first line is %s: want %q", text.Quote(first), Header)
}

// checkOldEnd looks at the end of a state that has no end line.
func checkOldEnd(state []byte) (line int, err error) {
	if lines := bytes.Count(state, []byte("\n")); state[len(state)-1] != '\n' {
		return lines + 1, errors.New("the state is cut off: its last line does not end; want a newline")
	}
	return 0, nil
}

// checkEnd looks at what follows the header for the end line.
func checkEnd(rest []byte) (line int, err error) {
	n, commands, ended := 1, 0, 0
	for full := range bytes.Lines(rest) {
		n++
		line := string(bytes.TrimSuffix(full, []byte("\n")))
		count, counted, end := IsEnd(line)
		switch command := strings.TrimLeft(line, " \t\r"); {
		case end && !counted && len(line) == len(full): // perhaps of a number, too
			return n, fmt.Errorf("the state is cut off within its end line: want %q", EndLine(commands))
		case end && counted && count != commands:
			return n, fmt.Errorf("the end line tells of %d commands, and there are %d: the state is not whole; if it is as you want it, write %q",
				count, commands, EndLine(commands))
		case end:
			ended = n
		case command == "" || command[0] == '#':
		case ended > 0:
			return n, fmt.Errorf("a command behind the end line, which is line %d: want that to be the last", ended)
		default:
			commands++
		}
	}
	if ended == 0 {
		return n, fmt.Errorf("the state is cut off: it has no end line; if nothing is missing, add %q", EndLine(commands))
	}
	return 0, nil
}
