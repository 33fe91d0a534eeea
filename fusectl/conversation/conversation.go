// Package conversation runs text files of what is said to a control tree and
// what it answers, against a tree that another process has mounted. It is for
// tests; a bug report becomes such a file.
//
//	# a comment
//	> FILE TEXT        write TEXT and a newline to FILE, opened as by sh's >
//	>> FILE TEXT       the same, opened as by sh's >>
//	! ERRNO            how that write failed; nothing, if it did not
//	! ERRNO after N    N bytes were taken before
//	! ERRNO at open    or: at close
//	< FILE LINE        FILE reads as the LINEs of consecutive such lines
//	? DIR NAME...      what is in DIR, sorted
//
// A TEXT or LINE in double quotes is a Go string: a TEXT so given is written as
// it is, without a newline. "< FILE" alone is an empty file, "< FILE" followed
// by "! ERRNO" one that cannot be read.
package conversation

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Run holds the conversation in file with the tree mounted at mount. With
// update it writes the answers to the file instead of comparing them.
func Run(t *testing.T, mount, file string, update bool) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range parse(strings.TrimSuffix(string(data), "\n")) {
		got := s.lines
		if s.kind != "#" {
			if got, err = s.run(mount); err != nil {
				t.Fatalf("%s:%d: %v", file, s.at, err)
			}
		}
		if !update && !slices.Equal(got, s.lines) {
			t.Errorf("%s:%d:\n%s\nwant:\n%s", file, s.at, strings.Join(got, "\n"), strings.Join(s.lines, "\n"))
		}
		out = append(out, got...)
	}
	if update {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// step is something said, with the lines that say it and its answer.
type step struct {
	at         int // line number
	kind       string
	file, text string
	lines      []string
}

func parse(data string) []step {
	var steps []step
	for i, line := range strings.Split(data, "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		name, text, _ := strings.Cut(rest, " ")
		last := len(steps) - 1
		switch kind {
		case ">", ">>", "?":
		case "!":
			steps[last].lines = append(steps[last].lines, line)
			continue
		case "<":
			if last >= 0 && steps[last].kind == "<" && steps[last].file == name {
				steps[last].lines = append(steps[last].lines, line)
				continue
			}
		default:
			kind = "#"
		}
		steps = append(steps, step{at: i + 1, kind: kind, file: name, text: text, lines: []string{line}})
	}
	return steps
}

// run does the step and returns the lines that say what happened. Its error
// means that the step is not written as it should be.
func (s step) run(mount string) ([]string, error) {
	path := filepath.Join(mount, s.file)
	switch s.kind {
	case ">", ">>":
		text := s.text + "\n"
		if strings.HasPrefix(s.text, `"`) {
			var err error
			if text, err = strconv.Unquote(s.text); err != nil {
				return nil, fmt.Errorf("%s: %w", s.text, err)
			}
		}
		flags := os.O_WRONLY | os.O_TRUNC
		if s.kind == ">>" {
			flags = os.O_WRONLY | os.O_APPEND
		}
		return append(s.lines[:1:1], write(path, flags, text)...), nil
	case "<":
		return s.read(path), nil
	default:
		return []string{strings.Join(append([]string{"?", s.file}, list(path)...), " ")}, nil
	}
}

// write writes text as a careful program does: with one call, and the rest
// again after a short count.
func write(path string, flags int, text string) []string {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return []string{"! " + name(err) + " at open"}
	}
	done := 0
	for done < len(text) || done == 0 {
		n, err := unix.Write(fd, []byte(text[done:]))
		if err != nil {
			unix.Close(fd)
			if done > 0 {
				return []string{fmt.Sprintf("! %s after %d", name(err), done)}
			}
			return []string{"! " + name(err)}
		}
		if n == 0 {
			unix.Close(fd)
			return []string{fmt.Sprintf("! nothing taken after %d", done)}
		}
		done += n
	}
	if err := unix.Close(fd); err != nil {
		return []string{"! " + name(err) + " at close"}
	}
	return nil
}

func (s step) read(path string) []string {
	head := "< " + s.file
	f, err := os.Open(path)
	if err != nil {
		return []string{head, "! " + name(err) + " at open"}
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return []string{head, "! " + name(err)}
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		lines = append(lines, head+" "+quoted(line))
	}
	if lines == nil {
		lines = []string{head}
	}
	return lines
}

// quoted shows a line as it is if its end can be seen and no byte is hidden.
func quoted(line string) string {
	text, whole := strings.CutSuffix(line, "\n")
	plain := strings.Trim(strconv.Quote(text), `"`) == text
	if !whole || !plain || text == "" || strings.TrimSpace(text) != text {
		return strconv.Quote(line)
	}
	return text
}

func list(path string) []string {
	entries, err := os.ReadDir(path)
	if err != nil {
		return []string{"!", name(err)}
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// name is the symbol of the errno in err.
func name(err error) string {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	return unix.ErrnoName(errno)
}
