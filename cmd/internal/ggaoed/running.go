package ggaoed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/engine"
	"vbladefs/compat/ggaoed"
	"vbladefs/fusectl"
	"vbladefs/netio"
	"vbladefs/target"
)

// running is a daemon from start to end. All but the control socket and the
// state directory is of one goroutine.
type running struct {
	flags  flags
	source source
	config ggaoed.Config
	used   ggaoed.Defaults // at the start
	log    *logrus.Logger
	events *fusectl.Events
	since  time.Time

	pid     *daemon.PIDFile
	state   *stateFolder
	daemon  *daemon.Daemon
	served  *daemon.Served
	control *control

	ends    daemon.Ends
	hups    chan os.Signal
	reloads chan struct{} // asked for through the control socket
	arrived chan struct{} // an interface came, or its name changed
	cancel  context.CancelFunc
}

// newRunning has the log go to stdout, or to syslog.
func newRunning(f flags, s source, stdout io.Writer) *running {
	r := &running{flags: f, source: s, events: fusectl.NewEvents(), since: time.Now(),
		hups: make(chan os.Signal, 1), reloads: make(chan struct{}, 1), arrived: make(chan struct{}, 1)}
	if f.debug {
		r.log = logrus.New()
		r.log.SetOutput(stdout)
		r.log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true})
	} else {
		r.log = daemon.NewLogger("ggaoed", nil)
	}
	r.log.AddHook(r.events)
	return r
}

// errEnded is the reason of a start that is none.
var errEnded = errors.New("a signal ended it before it served")

// start takes what only one daemon may have, and serves what c says.
func (r *running) start(c ggaoed.Config) error {
	r.config, r.used = c, c.Defaults
	r.ends = daemon.NotifyEnds(syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	signal.Notify(r.hups, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE)
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	pidFile := cmp.Or(c.Defaults.PIDFile, ggaoed.DefaultPIDFile)
	pid, stale, err := daemon.WritePIDFile(pidFile)
	if errors.Is(err, daemon.ErrRunning) {
		err = fmt.Errorf("%w: %w", alreadyRunning, err)
	}
	if err != nil {
		return err
	}
	if r.pid = pid; stale != "" {
		r.log.Warnf("Overriding stale lock file '%s'", pidFile)
	}
	if r.state, err = openState(c.Defaults.StateDirectory, r.log); err != nil {
		return errors.Join(err, r.pid.Remove())
	}
	daemon.Limit(r.log, r.flags.own.Mount != "")
	r.daemon = daemon.Start(engine.Options{Log: r.log, Link: r.flags.own.Link, IO: r.flags.own.IO, Spin: target.DefaultSpin,
		RingBytes: ringBytes(c.Defaults.RingKiB), Keeper: r.state})
	r.served = &daemon.Served{Daemon: r.daemon, Log: r.log, Force: r.flags.own.Force, Before: r.state.load}
	control, err := listen(cmp.Or(c.Defaults.ControlSocket, ggaoed.DefaultControlSocket), r)
	if err != nil {
		return errors.Join(err, r.release())
	}
	r.control = control
	r.state.begin(r.daemon.BladeToSave)
	if r.ends.During(func() { err = r.change(c) }) != nil {
		return errors.Join(errEnded, r.release())
	}
	if err != nil {
		return errors.Join(err, r.release())
	}
	if err := r.daemon.MountOwn(r.flags.own, r.log, r.events); err != nil {
		return errors.Join(err, r.release())
	}
	go r.control.serve()
	go r.watch(ctx)
	return nil
}

// ringBytes is the memory for received frames, which the original shares with
// those to be sent. The default of either is right for most.
func ringBytes(kib int) int {
	const originalDefault, least, most = 4096, 256, 1 << 20
	if kib <= originalDefault && kib >= least {
		return 0
	}
	return min(max(kib, least), most) << 10
}

// change serves what c says from now on.
func (r *running) change(c ggaoed.Config) error {
	names, err := interfaces()
	if err != nil {
		return err
	}
	r.config = c
	r.state.hold()
	r.served.Change(c.Plan(names))
	r.state.follow(r.served.Plan())
	r.control.follow(r.served.Plan())
	return nil
}

// run serves until a signal ends it.
func (r *running) run() {
	r.log.Info(r.serving())
	for {
		work := r.reload
		select {
		case <-r.ends:
			return
		case <-r.hups:
		case <-r.reloads:
		case <-r.arrived:
			work = r.extend
		}
		if r.ends.During(work) != nil {
			return
		}
	}
}

// serving counts devices, for the log.
func (r *running) serving() string {
	down, exports := 0, r.served.Plan().Exports
	for _, e := range exports {
		if drive, _ := r.daemon.Exports.Drive(e.Drive); drive.Down != "" {
			down++
		}
	}
	if down > 0 {
		return fmt.Sprintf("serving %d devices; %d more wait for their disks", len(exports)-down, down)
	}
	return fmt.Sprintf("serving %d devices", len(exports))
}

// extend has the mtu of [defaults] hold for an interface that has come.
func (r *running) extend() {
	if r.config.Defaults.MTU > 0 {
		if err := r.change(r.config); err != nil {
			r.log.Error(err)
		}
	}
}

// reload reads the file again; one with mistakes changes nothing. A control socket
// that was removed it makes again.
func (r *running) reload() {
	if err := r.control.bind(); err != nil {
		r.log.WithError(err).Error("the control socket is not where it was, and cannot be made again")
	}
	r.daemon.TellReloading()
	defer r.daemon.TellReady()
	c, warnings, err := r.source.load()
	for _, w := range warnings {
		r.log.Warn(w)
	}
	if err == nil {
		err = r.change(c)
	}
	if err != nil {
		r.log.Error(err)
		r.log.Error(notReloading)
		return
	}
	r.remarkPaths(c.Defaults)
	r.log.Infof("reloaded %s: %s", r.source.file, r.serving())
}

// remarkPaths says which paths of d are not those in use.
func (r *running) remarkPaths(d ggaoed.Defaults) {
	for _, c := range []struct{ key, used, wanted string }{
		{"pid-file", r.used.PIDFile, d.PIDFile},
		{"control-socket", r.used.ControlSocket, d.ControlSocket},
		{"state-directory", r.used.StateDirectory, d.StateDirectory},
	} {
		if c.used != c.wanted {
			r.log.Warnf("%s: %s is another than at the start: restart the daemon for that", r.source.file, c.key)
		}
	}
}

// watch tells run of interfaces that come.
func (r *running) watch(ctx context.Context) {
	known := map[string]bool{}
	for ctx.Err() == nil {
		_ = netio.Watch(ctx, func(i netio.Interface) {
			if !known[i.Name] {
				known[i.Name] = true
				notify(r.arrived)
			}
		}, func(name string, _ int) { delete(known, name) })
		select { // the engine has said why
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// notify fills a channel of one that need not be told twice.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// stop ends a daemon that start has started, and returns its exit code.
func (r *running) stop() int {
	if err := r.release(); err != nil {
		r.log.Error(err)
		return exitFailure
	}
	return exitOK
}

// release gives up what there is.
func (r *running) release() error {
	r.cancel()
	var err error
	if r.control != nil {
		err = r.control.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), daemon.Grace)
	defer cancel()
	err = errors.Join(err, r.daemon.Unmount())
	return errors.Join(err, r.daemon.Close(ctx), r.state.close(), r.pid.Remove())
}
