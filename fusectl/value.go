package fusectl

import (
	"strings"
	"syscall"

	"vbladefs/compat/text"
)

// writeValue sets the value to what was written since the file was opened, or
// since the last newline, so that it does not matter in how many parts it comes.
// A part that is no value yet waits for the rest.
func (w *writer) writeValue(data string, by caller) (int, syscall.Errno) {
	if strings.HasSuffix(w.tail, "\n") {
		w.tail = ""
	}
	w.tail = text.Cut(w.tail+data, text.MaxLine)
	op, err := w.parse(w.tail)
	if w.cut = cutOfValue(data); w.cut != whole && err != nil {
		w.waiting, w.process = true, by.process()
		return len(data), 0
	}
	w.waiting = false
	if errno := w.do(w.tail, op, err); errno != 0 {
		w.tail = ""
		return 0, errno
	}
	return len(data), 0
}

// cutOfValue is cutOf for a value, which may have newlines inside: a mistake
// that its writer must learn of at once.
func cutOfValue(data string) cutting {
	switch cut := cutOf(data); {
	case cut == atWill && len(data) > 1:
		return whole
	default:
		return cut
	}
}
