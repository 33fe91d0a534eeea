package daemon

import (
	"fmt"
	"os"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// inJournal tells whether what is written to w ends up in systemd's journal, which
// has what is told to syslog as well: see $JOURNAL_STREAM in systemd.exec(5).
func inJournal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	var stat unix.Stat_t
	if unix.Fstat(int(f.Fd()), &stat) != nil {
		return false
	}
	return os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// journalFormat is a message behind its priority, as sd-daemon(3) has it; the
// journal knows when it was.
type journalFormat struct{}

// Format makes the line.
func (journalFormat) Format(e *logrus.Entry) ([]byte, error) {
	priority := 6 // info
	switch {
	case e.Level <= logrus.ErrorLevel:
		priority = 3
	case e.Level == logrus.WarnLevel:
		priority = 4
	case e.Level >= logrus.DebugLevel:
		priority = 7
	}
	return Plain(fmt.Sprintf("<%d>", priority)).Format(e)
}
