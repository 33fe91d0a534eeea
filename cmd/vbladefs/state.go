package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/state"
	"vbladefs/fusectl"
	"vbladefs/target"
)

// defaultState is where serve keeps what is exported.
const defaultState = "/var/lib/vbladefs"

// openState takes the folder of the state; no folder: nothing is kept, and
// there is no keeper. A state with mistakes is refused: to serve a part of it,
// and to replace it later by that part, would lose the rest.
func openState(dir string, log *logrus.Logger) (*state.Keeper, error) {
	if dir == "" {
		return nil, nil
	}
	k, err := state.Open(dir, log)
	if err != nil {
		return nil, err
	}
	return k, checkState(k)
}

// checkState closes k and refuses it if what it has loaded has mistakes. What a
// daemon saved has none: of 10,000 exports the check would be a quarter of the start.
func checkState(k *state.Keeper) error {
	if k.Sealed() {
		return nil
	}
	defer hurry()()
	mistakes := mistakesOf(k.Loaded())
	if len(mistakes) == 0 {
		return nil
	}
	_ = k.Close()
	const most = 5
	var b strings.Builder
	for _, m := range mistakes[:min(most, len(mistakes))] {
		fmt.Fprintf(&b, "\n  %s", placed(k.Path(), m))
	}
	return fmt.Errorf("the saved state has mistakes, %d in all, and is left as it is; "+
		"mend it (`vbladefs check %s` lists them all), or move it away to start with nothing:%s", len(mistakes), k.Path(), &b)
}

// mistakesOf finds what is wrong with a state; none: nil.
func mistakesOf(text []byte) []fusectl.Mistake {
	if text == nil {
		return nil
	}
	return fusectl.CheckWhole(text)
}

// placed shows a mistake as compilers do, for editors to find it.
func placed(file string, m fusectl.Mistake) string {
	return fmt.Sprintf("%s:%d:%d: %v", file, m.Line, max(m.Column, 1), m.Err)
}

// keeperOf is k as what it keeps knows it; k may be nil.
func keeperOf(k *state.Keeper) target.Keeper {
	if k == nil {
		return nil
	}
	return k
}

// restore carries out the state that was loaded. What fails is logged and counted,
// the rest is served.
func restore(d *daemon.Daemon, k *state.Keeper, log *logrus.Logger) (failed int) {
	defer hurry()()
	began := time.Now()
	if text := k.Loaded(); text != nil {
		wrong := func(m fusectl.Mistake) {
			failed++
			log.Errorf("not restored: %s (%s %q)", placed(k.Path(), m), m.File, m.Text)
		}
		d.Gather(func() { fusectl.Replay(text, d.Exports, true, wrong) })
	}
	now := d.Exports.State()
	if failed > 0 {
		k.Reject()
		log.Errorf("%d lines of %s could not be restored; the file is kept when a new state is saved", failed, k.Path())
	}
	if k.Loaded() != nil {
		log.Infof("restored from %s in %s: %d drives, %d addresses, %d ports", k.Path(),
			time.Since(began).Round(time.Millisecond), len(now.Drives), len(now.Blades), len(now.Ports))
	}
	logDown(now, log)
	return failed
}

// keep has k save what comes after what was restored.
func keep(d *daemon.Daemon, k *state.Keeper) {
	k.Start(func() []byte { return fusectl.Saved(d.StateToSave()) })
}

// logDown tells which ports are down after a start, and why. That a drive is
// down, the target has told.
func logDown(now target.State, log *logrus.Logger) {
	const most = 20
	down := 0
	for _, p := range now.Ports {
		if p.Down == "" {
			continue
		}
		if down++; down <= most {
			log.Warnf("port %s on %s is down: %s", p.Addr, p.Interface, p.Down)
		}
	}
	if down > most {
		log.Warnf("%d more ports are down; targets/ports lists them", down-most)
	}
}

// errNotKept is that of a daemon which was told to keep nothing.
var errNotKept = fmt.Errorf("nothing is kept: the daemon was started without a folder for its state (-state): %w", unix.EOPNOTSUPP)

// saveState makes the last state durable before the target closes, which may
// take its time.
func saveState(ctx context.Context, k *state.Keeper) error {
	if k == nil {
		return nil
	}
	return inTime(ctx, k, k.Save)
}

// closeState saves what initiators changed since then, and lets the folder go.
func closeState(ctx context.Context, k *state.Keeper) error {
	if k == nil {
		return nil
	}
	return inTime(ctx, k, k.Close)
}

// inTime calls f, but does not wait for ever on a disk that hangs.
func inTime(ctx context.Context, k *state.Keeper, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("save the state in %s: %w", k.Path(), err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the state was not saved in time: the disk of %s does not answer", k.Path())
	}
}
