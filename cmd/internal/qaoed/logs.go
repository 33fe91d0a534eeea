package qaoed

import (
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/compat/qaoed"
)

// syslogTag is what the original calls itself.
const syslogTag = "qaoed"

// logs brings what the daemon logs to the log targets of its configuration: what
// concerns a device, an interface or an access list to theirs, all else to the
// default one. It is a logrus hook.
type logs struct {
	mu  sync.Mutex
	set *logSet // nil: nowhere yet
}

// logSet is the log targets of a configuration, open.
type logSet struct {
	config  qaoed.Config
	targets map[string]logTarget
}

// logTarget is where lines go.
type logTarget interface {
	line(at time.Time, text string)
	io.Closer
}

// openLogs opens the log targets of c. A file that cannot be opened is an error.
func openLogs(c qaoed.Config) (*logSet, error) {
	s := &logSet{config: c, targets: map[string]logTarget{}}
	for _, l := range c.Logs {
		if l.File == "" {
			s.targets[l.Name] = &syslogTarget{priority: l.Facility | l.Level}
			continue
		}
		f, err := os.OpenFile(l.File, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o640)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("log %q: %w", l.Name, err), s.close())
		}
		t := fileTarget{f}
		s.targets[l.Name] = t
		if _, err := fmt.Fprintf(f, "Log starting for target %s\n", l.Name); err != nil {
			return nil, errors.Join(fmt.Errorf("log %q: %w", l.Name, err), s.close())
		}
	}
	return s, nil
}

func (s *logSet) close() error {
	var all error
	if s != nil {
		for _, t := range s.targets {
			all = errors.Join(all, t.Close())
		}
	}
	return all
}

// use has lines go to s from now on, and closes what was used before.
func (l *logs) use(s *logSet) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.set
	if l.set = s; old == s {
		return nil
	}
	return old.close()
}

// follow routes lines by c, a configuration with the same log targets.
func (l *logs) follow(c qaoed.Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set.config = c
}

// Levels has every level that a logger may let through, as logrus.Hook wants it.
func (l *logs) Levels() []logrus.Level { return logrus.AllLevels }

// Fire writes a line.
func (l *logs) Fire(e *logrus.Entry) error {
	line := e.Message
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		line += fmt.Sprintf(": %v", err)
	}
	line = strings.ReplaceAll(line, "\n", "; ")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.set == nil {
		return nil
	}
	t := l.set.targets[l.set.route(line)]
	if t == nil {
		t = l.set.targets[qaoed.DefaultLog]
	}
	t.line(e.Time, line)
	return nil
}

// route is the name of the log that a line belongs to, by what the engine begins
// its lines with.
func (s *logSet) route(line string) string {
	first, rest, _ := strings.Cut(line, " ")
	second, _, _ := strings.Cut(rest, " ")
	switch name := strings.TrimRight(first, ":"); name {
	case "ACL":
		list := line[strings.LastIndex(line, " ")+1:]
		if _, after, ok := strings.Cut(line, " by "); ok {
			list = after
		}
		for _, l := range s.config.Lists {
			if l.Name == list && l.Log != "" {
				return l.Log
			}
		}
	case "interface":
		for _, i := range s.config.Interfaces {
			if i.Name == strings.TrimRight(second, ":,") {
				return i.Log
			}
		}
	default:
		for _, d := range s.config.Devices {
			if d.Addr.String() == name {
				return d.Log
			}
		}
	}
	return qaoed.DefaultLog
}

// fileTarget is a file that is appended to.
type fileTarget struct{ *os.File }

func (t fileTarget) line(at time.Time, text string) {
	_, _ = fmt.Fprintf(t, "%s %s\n", at.Format("2006-01-02 15:04:05"), text) // a full disk is no reason to stop
}

// syslogTarget is syslog, which may begin to listen later.
type syslogTarget struct {
	priority syslog.Priority
	w        *syslog.Writer
}

func (t *syslogTarget) line(_ time.Time, text string) {
	if t.w == nil {
		t.w, _ = syslog.New(t.priority, syslogTag)
	}
	if t.w != nil {
		_, _ = io.WriteString(t.w, text)
	}
}

func (t *syslogTarget) Close() error {
	if t.w == nil {
		return nil
	}
	return t.w.Close()
}
