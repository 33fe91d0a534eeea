package daemon

import (
	"io"
	"log/syslog"

	"github.com/sirupsen/logrus"
	logrussyslog "github.com/sirupsen/logrus/hooks/syslog"
)

// NewLogger logs to w and, where there is one, to syslog as name. No w: to
// syslog alone.
func NewLogger(name string, w io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	if w != nil {
		log.SetOutput(w)
	}
	log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true})
	hook, err := logrussyslog.NewSyslogHook("", "", syslog.LOG_INFO|syslog.LOG_DAEMON, name)
	if err != nil {
		log.Infof("not logging to syslog: %v", err)
		return log
	}
	log.AddHook(hook)
	return log
}
