package fusectl

import (
	"fmt"
	"strings"
	"sync"
	"syscall"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// A writer turns what is written through one open file into operations.
//
// A write is applied at once, line by line, though its last newline is missing:
// whoever writes must learn the outcome from write(2). Only what a buffer has
// cut is kept as tail for the next write, and applied at the latest when the
// file is closed: see cut.go. The first bad line ends the write: the bytes before it are counted,
// and its errno is returned when the rest is written again, as every program
// does that checks its writes.
type writer struct {
	tree *tree
	path string // for the log
	file *file
	subject

	mu sync.Mutex // held during the operations; guards what follows
	// tail is an unfinished line that earlier writes have counted already, or
	// the value so far; waiting says that this value is not applied yet.
	tail    string
	waiting bool
	// cut is how the tail was cut off, and process wrote it.
	cut     cutting
	process int
	// applied is set when the last line was applied without its newline; that
	// newline may still come.
	applied bool
	cwd     string
	// refused is the line that ended the last write, and errno its errno: they
	// wait for the rest to be written again.
	refused string
	errno   syscall.Errno
	logged  logged
}

// write applies data and returns how many bytes are done with.
func (w *writer) write(data string, by caller) (int, syscall.Errno) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cwd = by.folder()
	if w.file.value {
		return w.writeValue(data, by)
	}
	if most := w.file.maxWrite; most > 0 && len(data) > most {
		return 0, w.refuse(data, fmt.Errorf("%w: %d bytes at once: write at most %d", target.ErrTooLong, len(data), most))
	}
	if refused := w.refused; refused != "" {
		if w.refused = ""; strings.HasPrefix(data, refused) {
			return 0, w.errno
		}
	}
	skipped := 0
	if w.applied && strings.HasPrefix(data, "\n") {
		skipped, data = 1, data[1:]
	}
	if w.applied = false; data == "" {
		return skipped, 0
	}
	kept := len(w.tail)
	if w.cut = cutOf(data); w.cut == atWill && kept == 0 && w.oneCommand(data) {
		w.cut = whole
	}
	done, errno := w.commands(w.tail+data, w.cut != whole)
	if errno != 0 {
		return 0, errno
	}
	if w.tail != "" {
		w.process = by.process()
	}
	return skipped + done - kept, 0
}

// commands applies the lines of all, but keeps the last one if it is cut, and
// returns how many bytes are done with.
func (w *writer) commands(all string, cut bool) (int, syscall.Errno) {
	lines, rest := all, ""
	if cut {
		at := strings.LastIndexByte(all, '\n') + 1
		lines, rest = all[:at], all[at:]
	}
	kept := len(w.tail)
	w.tail = ""
	done := 0
	for _, line := range w.split(lines, cut) {
		errno := w.apply(line.Text)
		switch {
		case errno != 0 && done > kept:
			w.refused, w.errno = all[done:line.End], errno
			return done, 0
		case errno != 0:
			return 0, errno
		}
		done = line.End
	}
	if len(rest) > text.MaxLine {
		return 0, w.refuse(rest, tooLong(rest))
	}
	w.tail = rest
	w.applied = !cut && !strings.HasSuffix(all, "\n")
	return len(all), 0
}

// oneCommand tells whether the lines of data are one command, of a file where a
// newline is a blank: it lacks nothing.
func (w *writer) oneCommand(data string) bool {
	lines := w.split(data, true)
	return len(lines) == 1 && strings.Contains(lines[0].Text, "\n")
}

// split finds the commands in data; more tells that the write goes on after it,
// so that blank lines alone are no empty write.
func (w *writer) split(data string, more bool) []text.Line {
	switch {
	case more && strings.Trim(data, "\n") == "":
		return nil
	case w.file.split == nil:
		return text.Lines(data)
	default:
		return w.file.split(data)
	}
}

// flush applies an unfinished last line, when a descriptor is closed that leads
// here, unless more of it may come through another: see cutting.
func (w *writer) flush(by caller) syscall.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.unfinished() || w.cut != atWill || w.process == 0 || by.process() != w.process {
		return 0
	}
	return w.finish()
}

// release applies an unfinished last line: there will be no more.
func (w *writer) release() syscall.Errno {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.unfinished() {
		return 0
	}
	return w.finish()
}

// unfinished tells whether something was counted that is not applied.
func (w *writer) unfinished() bool { return w.tail != "" && (w.waiting || !w.file.value) }

func (w *writer) finish() syscall.Errno {
	all := w.tail
	w.tail = ""
	if w.file.value {
		w.waiting = false
		return w.apply(all)
	}
	_, errno := w.commands(all, false)
	w.applied = false
	return errno
}

// apply carries out one command.
func (w *writer) apply(line string) syscall.Errno {
	if len(line) > text.MaxLine {
		return w.refuse(line, tooLong(line))
	}
	op, err := w.parse(line)
	return w.do(line, op, err)
}

func (w *writer) parse(line string) (target.Operation, error) {
	return w.file.parse(w.tree, w.subject, line, w.cwd)
}

// do carries out what line was parsed to, and logs the outcome.
func (w *writer) do(line string, op target.Operation, err error) syscall.Errno {
	if err == nil && op != nil {
		err = w.tree.engine.Do(op)
	}
	if err != nil {
		return w.refuse(line, err)
	}
	w.logged = logged{}
	if op != nil {
		w.tree.log.Infof("%s: %s", w.path, shown(line))
	}
	return 0
}
