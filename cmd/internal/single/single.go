// Package single has the daemons of one export: vblade, vbladed and sqaoed.
//
//	command line ─compat/vblade, compat/sqaoed─▶ plan.Export ─▶ daemon.Daemon
//
// They end as their originals did when something is missing at the start; once
// they serve, they stay up whatever happens to the interface.
package single

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/engine"
	"vbladefs/compat/plan"
	"vbladefs/fusectl"
	"vbladefs/netio"
	"vbladefs/target"
)

// One export on one interface needs less than the daemon of a whole machine.
const (
	requests  = 256 // 4 MiB
	ringBytes = 2 << 20
)

// Exit codes of the originals.
const (
	exitOK      = 0
	exitFailure = 1
)

// run is one export from start to end.
type run struct {
	own    daemon.Own
	log    *logrus.Logger
	events *fusectl.Events
	stdout io.Writer
	ready  *daemon.Ready
	ends   daemon.Ends
}

// newRun has the log go to stderr and the file log, or to syslog as name if there
// is no stderr.
func newRun(name string, own daemon.Own, stdout, stderr io.Writer) *run {
	r := &run{own: own, events: fusectl.NewEvents(), stdout: stdout, log: logrus.New(),
		ends: daemon.NotifyEnds(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)}
	if stderr == nil {
		r.log = daemon.NewLogger(name, nil)
	} else {
		r.log.SetOutput(stderr)
		r.log.SetLevel(logrus.WarnLevel) // nothing is said while all is well
		r.log.SetFormatter(daemon.Plain(name + ": "))
	}
	r.log.AddHook(r.events)
	return r
}

// serve exports e until a signal ends it. line is what to say when it serves,
// made of the sectors that the drive has. It returns the signal, or why it could
// not serve.
func (r *run) serve(e plan.Export, line func(sectors uint64) string) (syscall.Signal, error) {
	signal.Ignore(syscall.SIGPIPE)
	daemon.Limit(r.log, r.own.Mount != "")
	d := daemon.Start(engine.Options{Log: r.log, Link: r.own.Link, IO: r.own.IO, Requests: requests, RingBytes: ringBytes,
		Spin: target.DefaultSpin})
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), daemon.Grace)
		defer cancel()
		if err := errors.Join(d.Unmount(), d.Close(ctx)); err != nil {
			r.log.Error(err)
		}
	}()
	started := make(chan error, 1)
	if s := r.ends.During(func() { started <- r.start(d, e) }); s != nil {
		return s.(syscall.Signal), nil
	}
	if err := <-started; err != nil {
		return 0, err
	}
	if err := d.MountOwn(r.own, r.log, r.events); err != nil {
		return 0, err
	}
	drive, _ := d.Exports.Drive(e.Drive)
	said := line(drive.Sectors)
	if _, err := io.WriteString(r.stdout, said); err != nil {
		r.log.Warnf("the start line could not be written: %v", err)
	}
	r.log.Info(strings.TrimSpace(said))
	if err := r.ready.Leave(); err != nil {
		return 0, err
	}
	r.ready.Serving()
	d.TellReady()
	defer d.TellStopping()
	return (<-r.ends).(syscall.Signal), nil
}

func (r *run) start(d *daemon.Daemon, e plan.Export) error {
	for _, op := range e.Operations() {
		err := d.Exports.Do(daemon.Forced(op, r.own.Force))
		if errors.Is(err, target.ErrAnswered) || errors.Is(err, target.ErrClaimed) {
			return fmt.Errorf("%w; here that is --force", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileSectors is the size of a file, a block device or an NBD export, in sectors.
func fileSectors(path string) (uint64, error) {
	if target.IsURI(path) {
		size, err := engine.RemoteSize(path)
		return uint64(size) / 512, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return 0, unix.EISDIR // what open(2) would say if it were to be written, as it mostly is
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, nil // a size that cannot be known is none
	}
	return uint64(size) / 512, nil
}

// interfaceThere reports whether there is an interface of that name.
func interfaceThere(name string) bool {
	_, err := netio.Lookup(name)
	return !errors.Is(err, netio.ErrNoInterface)
}
