package qaoed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/engine"
	"vbladefs/compat/qaoed"
	"vbladefs/fusectl"
	"vbladefs/target"
)

// server is a running qaoed.
type server struct {
	options
	log     *logrus.Logger
	logs    *logs
	events  *fusectl.Events
	daemon  *daemon.Daemon
	exports *exports
	api     *api // nil: the configuration has no API socket
}

// run is the daemon from start to end; ready is where to tell that it serves, if
// somebody waits in the foreground for one in the background.
func run(o options, ready *daemon.Ready, stdout, stderr io.Writer) int {
	// Two channels, so that no end is lost among requests to reload.
	again, end := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGPIPE)
	s := newServer(o, ready != nil, stderr)
	if err := s.start(); err != nil {
		s.stop()
		ready.Failed(exitFailure, err.Error()+"\n")
		return complain(stdout, stderr, err)
	}
	ready.Serving()
	s.daemon.TellReady()
	for {
		select {
		case received := <-end:
			s.daemon.TellStopping()
			s.stop()
			return daemon.EndBy(received.(syscall.Signal))
		case <-again:
			s.daemon.TellReloading()
			err := s.reload()
			s.daemon.TellReady()
			if err != nil {
				s.log.Errorf("%s is not taken, and all stays as it is: %v", o.config, err)
			}
		}
	}
}

// newServer logs to its configuration's log targets; in the foreground what is
// wrong is on stderr as well.
func newServer(o options, background bool, stderr io.Writer) *server {
	s := &server{options: o, log: logrus.New(), logs: &logs{}, events: fusectl.NewEvents()}
	s.log.SetOutput(io.Discard)
	s.log.AddHook(s.events)
	s.log.AddHook(s.logs)
	if !background {
		s.log.AddHook(&troubles{w: stderr})
	}
	return s
}

// start serves what the file says. What it leaves behind when it fails, stop
// takes away.
func (s *server) start() error {
	c, warnings, err := load(s.config)
	if err != nil {
		return err
	}
	logs, err := openLogs(c)
	if err != nil {
		return err
	}
	if err := s.logs.use(logs); err != nil {
		return err
	}
	daemon.Limit(s.log, s.Mount != "")
	s.daemon = daemon.Start(engine.Options{Log: s.log, Link: s.Link, IO: s.IO, Spin: target.DefaultSpin})
	s.exports = newExports(s.daemon, s.log, s.logs, s.Force)
	// The socket comes first: who finds another qaoed there exports nothing.
	if c.APISocket != "" {
		if s.api, err = listen(c.APISocket, s.exports, s.log); err != nil {
			return err
		}
	}
	if err := s.daemon.MountOwn(s.Own, s.log, s.events); err != nil {
		return err
	}
	s.warn(warnings)
	n := s.exports.load(c, logs)
	if s.api != nil {
		go s.api.serve()
	}
	s.log.Infof("serving %d targets of %s", n, s.config)
	return nil
}

// reload serves what the file says now. A file that is wrong in any way changes
// nothing.
func (s *server) reload() error {
	c, warnings, err := load(s.config)
	if err != nil {
		return err
	}
	logs, err := openLogs(c)
	if err != nil {
		return err
	}
	next, err := s.nextAPI(c)
	if err != nil {
		return errors.Join(err, logs.close())
	}
	s.warn(warnings)
	n := s.exports.load(c, logs)
	if next != s.api {
		if err := s.api.close(); err != nil {
			s.log.Warnf("closing the API socket of before: %v", err)
		}
		if s.api = next; next != nil {
			go next.serve()
		}
	}
	s.log.Infof("%s was read again: serving %d targets", s.config, n)
	return nil
}

// nextAPI is the API that c wants: that of before, another, or none.
func (s *server) nextAPI(c qaoed.Config) (*api, error) {
	switch {
	case c.APISocket == "":
		return nil, nil
	case s.api != nil && s.api.path == c.APISocket && s.api.reachable():
		return s.api, nil
	}
	return listen(c.APISocket, s.exports, s.log)
}

func (s *server) warn(warnings []qaoed.Warning) {
	for _, w := range warnings {
		s.log.Warn(w)
	}
}

// stop ends all that start has begun.
func (s *server) stop() {
	errs := []error{s.api.close()}
	if s.daemon != nil {
		ctx, cancel := context.WithTimeout(context.Background(), daemon.Grace)
		defer cancel()
		errs = append(errs, s.daemon.Unmount(), s.daemon.Close(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		s.log.Error(err)
	}
	_ = s.logs.use(nil)
}

// troubles shows what is wrong to who started the daemon in the foreground.
type troubles struct{ w io.Writer }

// Levels are those that tell of something wrong, as logrus.Hook wants them.
func (t *troubles) Levels() []logrus.Level {
	return []logrus.Level{logrus.ErrorLevel, logrus.WarnLevel}
}

// Fire shows a line.
func (t *troubles) Fire(e *logrus.Entry) error {
	line := "qaoed: " + e.Message
	if err, ok := e.Data[logrus.ErrorKey]; ok {
		line += fmt.Sprintf(": %v", err)
	}
	_, err := io.WriteString(t.w, line+"\n")
	return err
}
