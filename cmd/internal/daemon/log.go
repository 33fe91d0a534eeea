package daemon

import (
	"fmt"
	"io"
	"log/syslog"
	"strings"

	"github.com/sirupsen/logrus"
	logrussyslog "github.com/sirupsen/logrus/hooks/syslog"
)

// NewLogger logs to w and, where there is one, to syslog as name, unless w is
// the journal, which has both. No w: to syslog alone, and there as the originals did, a message as it is.
func NewLogger(name string, w io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.SetFormatter(Plain(""))
	if w != nil {
		log.SetOutput(w)
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true})
	}
	if inJournal(w) {
		log.SetFormatter(journalFormat{})
		return log
	}
	hook, err := logrussyslog.NewSyslogHook("", "", syslog.LOG_INFO|syslog.LOG_DAEMON, name)
	if err != nil {
		log.Infof("not logging to syslog: %v", err)
		return log
	}
	log.AddHook(hook)
	return log
}

// Plain formats a message as programs of one line a message do. It is what such
// a line begins with.
type Plain string

// Format makes the line: the message, and behind it the error that it is about.
func (p Plain) Format(e *logrus.Entry) ([]byte, error) {
	line := e.Message
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		line += fmt.Sprintf(": %v", err)
	}
	return []byte(string(p) + strings.ReplaceAll(line, "\n", "; ") + "\n"), nil
}
