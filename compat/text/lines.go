package text

import "strings"

// Line is one command of a write.
type Line struct {
	Text string // without its newline
	End  int    // how many bytes of the write are done after it
}

// Lines splits a write into its lines, blank ones included. A missing last
// newline makes no difference.
func Lines(data string) []Line {
	var lines []Line
	for at := 0; at < len(data); {
		end, next := len(data), len(data)
		if i := strings.IndexByte(data[at:], '\n'); i >= 0 {
			end, next = at+i, at+i+1
		}
		lines = append(lines, Line{Text: data[at:end], End: next})
		at = next
	}
	return lines
}

// Commands splits a write like Lines but leaves out blank lines, unless there
// is nothing else: for grammars in which writing nothing is a mistake.
func Commands(data string) []Line {
	var commands []Line
	for _, l := range Lines(data) {
		if strings.Trim(l.Text, " \t\v\f\r") != "" {
			commands = append(commands, l)
		}
	}
	if len(commands) == 0 {
		return Whole(data)
	}
	commands[len(commands)-1].End = len(data)
	return commands
}

// Whole takes a write for one command, whatever newlines are in it.
func Whole(data string) []Line { return []Line{{Text: data, End: len(data)}} }
