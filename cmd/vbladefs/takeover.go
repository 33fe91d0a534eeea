package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vbladefs/cmd/internal/claims"
	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/engine"
	"vbladefs/cmd/internal/state"
	"vbladefs/cmd/internal/takeover"
	"vbladefs/fusectl"
	"vbladefs/netio"
	"vbladefs/target"
)

// lateTime is after what time without an answer there is a word of it.
const lateTime = 5 * time.Second

// takeOver opens everything beside the daemon that runs, and goes on where that
// stops. If it fails before that, the other one has not noticed.
func (s *server) takeOver(ctx context.Context) error {
	daemon.RaiseFileLimit() // for the claims
	late := time.AfterFunc(lateTime, func() {
		s.log.Warnf("the running daemon has not answered for %v; still waiting", lateTime)
	})
	from, err := takeover.Ask(ctx, s.o.state, takeover.Hello{Version: version, Directory: realPath(s.o.dir)})
	late.Stop()
	if err != nil {
		return err
	}
	defer from.Close()
	inherited := engine.NewInheritance(from.Claims)
	defer inherited.End()
	if s.kept, err = state.Join(s.o.state, from.Lock, from.Offer.State, s.log); err != nil {
		return err
	}
	if err := checkState(s.kept); err != nil {
		return err
	}
	if from.Addresses != nil {
		s.claims = claims.Join(s.log, from.Offer.Addresses, from.Addresses)
	} else {
		s.claims = claims.Open(s.log) // the other one knew nothing of claims
	}
	s.open(inherited)
	if err := s.sameAs(from.Offer, inherited); err != nil {
		return fmt.Errorf("not taken over, the running daemon goes on: %w", err)
	}
	hidden, err := fusectl.Hide(s.o.dir, s.daemon.Exports, s.tree)
	if err != nil {
		return err
	}
	rest, links, err := from.Ready()
	if err != nil {
		return errors.Join(err, hidden.Close())
	}
	s.goOn(from.Offer, rest, links, inherited)
	if err := s.replace(from, hidden); err != nil {
		return err
	}
	go s.daemon.Settle()
	return nil
}

// sameAs restores the state and makes sure that everything can be served as it is.
func (s *server) sameAs(offer takeover.Offer, inherited *engine.Inheritance) error {
	if failed := s.restore(); failed > 0 {
		return fmt.Errorf("%d lines of its state cannot be carried out here: see the log", failed)
	}
	if left := inherited.Unjoined(); len(left) > 0 {
		return fmt.Errorf("the paths of %d stores lead elsewhere by now (%s, …): restart instead", len(left), left[0])
	}
	now := downs(s.daemon.Exports.State())
	if !slices.Equal(now, offer.Down) {
		return fmt.Errorf("what cannot be served here (%s) is not what it cannot serve (%s): see the log",
			strings.Join(now, ", "), strings.Join(offer.Down, ", "))
	}
	for _, drive := range offer.Paused {
		if err := s.daemon.Exports.Do(target.SetPaused{Drive: drive, Paused: true}); err != nil {
			return err
		}
	}
	return nil
}

// goOn serves from where the other daemon has stopped. It saves nothing yet: that goes
// on if this one ends before replace, without what initiators changed here, and would
// undo it later. So those have no answer until then.
func (s *server) goOn(offer takeover.Offer, rest takeover.Handover, links map[string][]netio.Inherited, inherited *engine.Inheritance) {
	began, text := time.Now(), offer.State
	if rest.State != nil {
		text = rest.State
		fusectl.Become(text, s.daemon.Exports, func(m fusectl.Mistake) {
			s.log.Errorf("a change of the last moment was not taken over: %v (%s %q)", m, m.File, m.Text)
		})
	}
	inherited.SetLinks(links)
	s.daemon.GoOn(rest.WriteThrough)
	s.kept.Joined(text)
	s.log.Infof("took over from process %d, version %s, in %v", offer.Process, offer.Version, time.Since(began).Round(10*time.Microsecond))
}

// replace has the tree take the place of the other daemon's, which ends.
func (s *server) replace(from *takeover.Taker, hidden *fusectl.Hidden) error {
	beneath := hidden.PlaceBeneath()
	if beneath != nil {
		s.log.WithError(beneath).Info("the control tree is away for a moment")
	}
	if err := from.Served(func() { keep(s.daemon, s.kept) }); err != nil {
		s.log.WithError(err).Error("the daemon that was taken over from")
	}
	if err := hidden.Uncover(beneath == nil); err != nil {
		s.log.WithError(err).Error("there is no control tree; exports are served, restart to control them")
		return nil
	}
	s.daemon.Placed(s.o.dir, hidden.Server())
	return nil
}
