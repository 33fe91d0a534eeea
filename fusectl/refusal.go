package fusectl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// This file makes the line that a refused write leaves in log and syslog. Scripts
// may read it (vbladefs-ctl(5), "The log"), so its parts are always there, in
// this order, and bounded, so that none is lost where an event is cut:
//
//	TIME warning FILE: refused "LINE" at column N: ERRNO: REASON: want EXPECTED
//
// "at column N" is there if one word is to blame; an opening for writing has an
// empty LINE. If REASON does not say itself what is wanted, "; takes EXPECTED"
// says what the file takes.

// How much is shown of a line and of a reason; both are cut with an ellipsis.
const (
	maxShown  = 300
	maxReason = 400
)

// logged is the last refusal of an open file.
type logged struct {
	line, reason string
	at           time.Time
}

// retryTime is how long the same refusal through the same open file is taken for
// the same write: libraries such as Python's keep what failed in their buffer
// and write it again when the file is closed.
const retryTime = 5 * time.Second

// refuse logs why a line was refused and returns its errno.
func (w *writer) refuse(line string, err error) syscall.Errno {
	errno := w.file.dialect.errno(err)
	last := w.logged
	w.logged = logged{line: line, reason: err.Error(), at: time.Now()}
	if last.line != line || last.reason != w.logged.reason || w.logged.at.Sub(last.at) > retryTime {
		logRefusal(w.tree, w.path, w.file, line, errno, err)
	}
	return errno
}

// unwritable logs and returns the errno of opening a file that takes nothing.
func unwritable(t *tree, path string, f *file) syscall.Errno {
	logRefusal(t, path, f, "", unix.EACCES, errUnwritable)
	return unix.EACCES
}

var errUnwritable = errors.New("nothing may be written here")

func logRefusal(t *tree, path string, f *file, line string, errno syscall.Errno, err error) {
	place := ""
	var at text.At
	if errors.As(err, &at) {
		place = fmt.Sprintf(" at column %d", at.Column)
	}
	t.log.Warnf("%s: refused %s%s: %s: %s", path, shown(line), place, errnoName(errno), reason(f, err))
}

// reason is what was wrong, and what would be right.
func reason(f *file, err error) string {
	why := shortened(err.Error()+wayOut(err), maxReason)
	switch {
	case strings.Contains(why, " want "):
		return why
	case len(f.takes) == 0:
		return why + "; takes nothing"
	}
	return why + "; takes " + text.Either(f.takes)
}

// wayOut is what could be written instead, if this tree has a command for it.
func wayOut(err error) string {
	switch {
	case !errors.Is(err, target.ErrStore):
		return ""
	case errors.Is(err, unix.EBUSY):
		return "; to take it all the same, write `add NAME PATH force` to vblade/drives"
	case errors.Is(err, unix.EROFS):
		return "; to export it read-only, write `add NAME PATH ro` to vblade/drives"
	}
	return ""
}

func tooLong(line string) error {
	return fmt.Errorf("%w: a line of %d bytes: want at most %d", target.ErrTooLong, len(line), text.MaxLine)
}

// shown quotes a line for the log as strconv.Quote does, and so that no byte of
// it can be taken for something else.
func shown(line string) string {
	line = strings.TrimSuffix(line, "\n")
	cut := text.Cut(line, maxShown)
	quoted := strconv.Quote(cut)
	for len(quoted) > maxShown {
		cut = cut[:len(cut)-(len(quoted)-maxShown+3)/4] // a byte takes at most four
		quoted = strconv.Quote(cut)
	}
	if len(cut) < len(line) {
		quoted += "…"
	}
	return quoted
}

// shortened leaves the middle out of what is longer than most bytes: the
// beginning names the object, the end says what to do.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most/2], "") + "…" + strings.ToValidUTF8(s[len(s)-most/2:], "")
}
