package vm

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The guest's end of this conversation is the loop at the end of init.sh:
//
//	guest  "ready\n"
//	host   "run MARK BYTES\n", BYTES bytes of script
//	guest  "MARK\n", the output, "\nMARK STATUS\n"
//
// MARK is random for every script, so output cannot be taken for it, and what a script of before left running in the
// background still prints is dropped unless it comes while a later script runs.

var errGuestGone = errors.New("the guest is gone")

// readReady waits for the guest's greeting.
func readReady(r io.Reader) error {
	const greeting = "ready\n"
	got := make([]byte, len(greeting))
	if _, err := io.ReadFull(r, got); err != nil {
		return fmt.Errorf("%w before it was ready: %w", errGuestGone, err)
	}
	if string(got) != greeting {
		return fmt.Errorf("the guest greets with %q, not %q", got, greeting)
	}
	return nil
}

// converse sends one script and copies its output to out as it comes. A failing out does not disturb the conversation.
func converse(channel io.ReadWriter, script string, out io.Writer) (status int, err error) {
	mark := rand.Text()
	script += "\n" // the guest's dd cannot read 0 bytes
	if _, err := fmt.Fprintf(channel, "run %s %d\n%s", mark, len(script), script); err != nil {
		return 0, fmt.Errorf("%w: %w", errGuestGone, err)
	}
	parser := answer{begin: []byte(mark + "\n"), end: []byte("\n" + mark + " "), out: out}
	chunk := make([]byte, 32<<10)
	for {
		n, err := channel.Read(chunk)
		if parser.feed(chunk[:n]) {
			return parser.status()
		}
		if err != nil {
			parser.giveUp()
			return 0, fmt.Errorf("%w in the middle of a script: %w", errGuestGone, err)
		}
	}
}

// answer picks the output out of the guest's answer, in whatever pieces it arrives.
type answer struct {
	begin, end []byte
	out        io.Writer
	begun      bool
	buffered   []byte // arrived, not yet known to be output or mark
	tail       []byte // what follows the end mark, newline included
	ended      bool
}

// feed takes the next piece and says whether the answer is complete.
func (a *answer) feed(piece []byte) bool {
	a.buffered = append(a.buffered, piece...)
	if !a.begun {
		at := bytes.Index(a.buffered, a.begin)
		if at < 0 {
			a.buffered = keepTail(a.buffered, len(a.begin)-1)
			return false
		}
		a.begun = true
		a.buffered = a.buffered[at+len(a.begin):]
	}
	if !a.ended {
		if at := bytes.Index(a.buffered, a.end); at >= 0 {
			a.ended = true
			a.emit(at)
			a.buffered = a.buffered[len(a.end):]
		} else {
			a.emit(len(a.buffered) - possiblePrefix(a.buffered, a.end))
			return false
		}
	}
	at := bytes.IndexByte(a.buffered, '\n')
	if at < 0 {
		return false
	}
	a.tail = a.buffered[:at]
	return true
}

func (a *answer) emit(n int) {
	if n > 0 {
		a.out.Write(a.buffered[:n])
	}
	a.buffered = a.buffered[n:]
}

// giveUp lets out what was held back because it could have been the beginning of the end mark.
func (a *answer) giveUp() {
	if a.begun && !a.ended {
		a.emit(len(a.buffered))
	}
}

// status is the script's exit code, after feed returned true.
func (a *answer) status() (int, error) {
	code, err := strconv.ParseUint(string(a.tail), 10, 8)
	if err != nil {
		return 0, fmt.Errorf("the guest's exit status is no number: %w", err)
	}
	return int(code), nil
}

func keepTail(data []byte, n int) []byte {
	if len(data) > n {
		data = data[len(data)-n:]
	}
	return data
}

// possiblePrefix is the length of the longest end of data that mark may begin with.
func possiblePrefix(data, mark []byte) int {
	for n := min(len(data), len(mark)-1); n > 0; n-- {
		if bytes.HasSuffix(data, mark[:n]) {
			return n
		}
	}
	return 0
}
