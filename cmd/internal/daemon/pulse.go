package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/notify"
	"vbladefs/target"
)

// statusEvery is how often the service manager learns what is served, if it has
// not asked for more.
const statusEvery = 10 * time.Second

// pulse tells the service manager until ctx ends that this daemon makes progress,
// and what it serves. It is not a bare clock: what hangs lets it miss a beat, and
// the manager start another daemon in place of this one.
func (d *Daemon) pulse(ctx context.Context) {
	if !notify.Asked() {
		return
	}
	watchdog, every := notify.WatchdogInterval(), statusEvery
	if watchdog > 0 {
		every = min(watchdog/3, statusEvery)
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(every):
			}
			d.beat(ctx, every)
		}
	}()
}

// beat asks all that has to make progress, each after the other.
func (d *Daemon) beat(ctx context.Context, every time.Duration) {
	what := "a worker does not come to the end of its turn"
	late := time.AfterFunc(every, func() { d.log.Errorf("no progress for %v: %s", every, what) })
	d.target.Alive()
	if late.Stop() {
		what = "the control tree does not answer"
		late.Reset(every)
	}
	if tree := d.tree.Load(); tree != nil {
		tree.Answers()
	}
	late.Stop()
	if ctx.Err() == nil { // else what is told is that it ends
		_ = notify.Tell(notify.Alive, d.Status())
	}
}

// Status is what is served, for the service manager.
func (d *Daemon) Status() string {
	now := d.Exports.State()
	return notify.Status("%s", served(now))
}

func served(now target.State) string {
	down, interfaces := 0, map[string]bool{}
	for _, p := range now.Ports {
		interfaces[p.Interface] = true
		if p.Down != "" {
			down++
		}
	}
	text := fmt.Sprintf("%d exports, %d ports on %d interfaces", len(now.Blades), len(now.Ports), len(interfaces))
	if down > 0 {
		text += fmt.Sprintf(", %d of them down", down)
	}
	return text
}

// TellReady says that the daemon serves.
func (d *Daemon) TellReady() { tell(d.log, notify.Ready, d.Status()) }

// TellReloading says that the configuration is read again; TellReady says that it has been.
func (d *Daemon) TellReloading() { tell(d.log, notify.Reloading()) }

// TellStopping says that the daemon ends what it serves.
func (d *Daemon) TellStopping() {
	tell(d.log, notify.Stopping, notify.Status("finishing what initiators have asked for"))
}

func tell(log *logrus.Logger, what ...string) {
	if err := notify.Tell(what...); err != nil {
		log.WithError(err).Warn("the service manager cannot be told")
	}
}
