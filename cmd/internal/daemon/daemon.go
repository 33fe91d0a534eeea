// Package daemon is what every daemon of this program shares: the engine with
// its control tree, the log, the way into the background, the pid file and
// sockets that nobody else can get between.
//
//	command line, files ─▶ personality ─operations─▶ Daemon ─▶ engine, tree
//
// What a personality asks for, and when, is its own business.
package daemon

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/claims"
	"vbladefs/cmd/internal/engine"
	"vbladefs/cmd/internal/turns"
	"vbladefs/fusectl"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Grace is how long a stopping daemon waits for requests that a drive has not
// finished.
const Grace = 10 * time.Second

// minProcessors is how many threads may run Go code at once, however few
// processors there are.
const minProcessors = 4

// Daemon is a running engine. Its methods may be called concurrently.
type Daemon struct {
	Exports fusectl.Engine

	target *target.Target
	claims *claims.Claims
	log    *logrus.Logger
	tree   atomic.Pointer[fusectl.Server]
	unfollow,
	stopped context.CancelFunc
}

// Start starts an engine without exports that knows the interfaces of this network
// namespace and follows them, and takes part in the claims of the daemons there.
// Mount, Unmount and Close come later.
func Start(o engine.Options) *Daemon { return StartWith(claims.Open(o.Log), o) }

// StartWith is Start with claims that are there already. They are the Daemon's.
func StartWith(c *claims.Claims, o engine.Options) *Daemon {
	o.Claims = c
	raiseFileLimit()
	if err := turns.Shorten(); err != nil { // a sandbox may refuse it
		o.Log.WithError(err).Info("the control tree waits its turn behind the data, on a busy machine for some milliseconds")
	}
	// A worker keeps its processor while it is busy. With no more than one the
	// runtime would let the goroutines behind it wait for milliseconds; with more
	// it leaves their turns to the kernel.
	runtime.GOMAXPROCS(max(minProcessors, runtime.GOMAXPROCS(0)) + max(o.Workers, 1) - 1)
	ctx, cancel := context.WithCancel(context.Background())
	t := engine.New(o)
	engine.Meet(t, o.Log)
	go engine.Follow(ctx, t, o.Log)
	d := &Daemon{Exports: newThrifty(t), target: t, claims: c, log: o.Log, unfollow: cancel, stopped: func() {}}
	d.pulse(ctx)
	return d
}

// StateToSave is what a Keeper of the exports makes durable.
func (d *Daemon) StateToSave() target.State { return d.target.StateToSave() }

// BladeToSave is the same, of one address.
func (d *Daemon) BladeToSave(addr aoe.Addr) (target.BladeInfo, bool) {
	return d.target.BladeToSave(addr)
}

// Gather has ports that f restores come up together, see target.Target.Gather.
func (d *Daemon) Gather(f func()) { d.target.Gather(f) }

// Mount mounts the control tree on dir. Exports outlive it: when somebody
// unmounts it, they are served on.
func (d *Daemon) Mount(dir string, o fusectl.Options) error {
	tree, err := fusectl.Mount(dir, d.Exports, o)
	if err != nil {
		return err
	}
	d.watch(dir, tree)
	return nil
}

// watch goes on with a tree that is mounted on dir.
func (d *Daemon) watch(dir string, tree *fusectl.Server) {
	d.log.Infof("control tree on %s; `cat %s/README` says how to use it", dir, dir)
	ctx, cancel := context.WithCancel(context.Background())
	d.tree.Store(tree)
	d.stopped = cancel
	go func() {
		if tree.Wait(); ctx.Err() == nil {
			d.log.Error("somebody unmounted the control tree; exports are served on, restart to control them again")
		}
	}()
}

// Placed goes on with a tree of these exports that has taken the place of another
// daemon's.
func (d *Daemon) Placed(dir string, tree *fusectl.Server) { d.watch(dir, tree) }

// Hold has everything but requests wait, for another process to take over.
func (d *Daemon) Hold(ctx context.Context) (*target.Handover, error) { return d.target.Hold(ctx) }

// ShareClaims is what claims.Join needs in a process that takes over.
func (d *Daemon) ShareClaims() (id uint32, fd int) { return d.claims.Share() }

// GoOn serves what another process has served until now: with its links, and with
// the stores of these keys durable at each write, as it had them.
func (d *Daemon) GoOn(writeThrough []string) {
	d.target.SetWriteThrough(writeThrough)
	d.target.LinkAnew()
	d.claims.Own()
}

// Settle ends what GoOn left for later, as nobody waits for it: links that are not
// those of the other process, where others are wanted.
func (d *Daemon) Settle() { d.target.ReplaceStandIns() }

// Unmount takes the control tree away, if there is one.
func (d *Daemon) Unmount() error {
	tree := d.tree.Load()
	if tree == nil {
		return nil
	}
	d.stopped()
	return tree.Unmount()
}

// lingers is how long who was in the tree can go on in it: on a busy machine one who
// looks a file up may wait that long for a processor before he opens it.
const lingers = 3 * time.Second

// Leave takes the control tree away that another daemon's has replaced. Who is in a
// call gets its answer, if that does not take long.
func (d *Daemon) Leave() error {
	tree := d.tree.Load()
	if tree == nil {
		return nil
	}
	err := d.Unmount()
	tree.Linger(lingers)
	return err
}

// Close finishes what has arrived, answers it, and releases everything. It waits
// no longer than ctx.
func (d *Daemon) Close(ctx context.Context) error {
	d.unfollow()
	if err := d.target.Close(ctx); err != nil {
		return err // what is in flight yet, the end of the process ends, and the claims
	}
	return d.claims.Close()
}

// aside calls f on another thread than the main one, which the kernel would have
// to wake for every store that another goroutine opened, and waits for its end.
func aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
