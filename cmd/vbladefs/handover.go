package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vbladefs/cmd/internal/engine"
	"vbladefs/cmd/internal/takeover"
	"vbladefs/fusectl"
	"vbladefs/target"
)

// source is this daemon as one that takes over asks it; one goroutine does.
type source struct {
	server  *server
	dir     string // of the tree, without links
	held    *target.Handover
	offered []byte // the state
}

// A drive that is busy at one moment is not at another. Requests of other drives
// wait during each try.
const (
	restTries    = 8
	betweenTries = 100 * time.Millisecond
)

// Offer has everything stay as it is but for requests, and for what initiators
// change.
func (s *source) Offer(ctx context.Context, hello takeover.Hello) (takeover.Offer, []int, error) {
	d, kept := s.server.daemon, s.server.kept
	if hello.Directory != s.dir {
		return takeover.Offer{}, nil, fmt.Errorf("its control tree is on %s, and not on %s", s.dir, hello.Directory)
	}
	var err error
	if s.held, err = d.Hold(ctx); err != nil {
		return takeover.Offer{}, nil, err
	}
	if err := kept.Save(); err != nil {
		return takeover.Offer{}, nil, fmt.Errorf("its state cannot be saved: %w", err)
	}
	now := d.Exports.State()
	s.offered = fusectl.Saved(now)
	o := takeover.Offer{Version: version, State: s.offered, Down: downs(now)}
	for _, drive := range now.Drives {
		if drive.Paused {
			o.Paused = append(o.Paused, drive.Name)
		}
	}
	fds := []int{int(kept.Lock().Fd())}
	for key, store := range s.held.Stores() {
		o.Stores, fds = append(o.Stores, key), append(fds, engine.Claim(store))
	}
	id, fd := d.ShareClaims()
	if o.Addresses = id; id != 0 {
		fds = append(fds, fd)
	}
	return o, fds, nil
}

// Carry has links that can be handed over be there.
func (s *source) Carry() {
	if err := s.held.Carry(engine.Shareable); err != nil {
		s.server.log.WithError(err).Warn("no link that can be handed over takes the place of one that cannot")
	}
}

// Rest answers what was taken, and says where the other daemon is to go on.
func (s *source) Rest(ctx context.Context) (takeover.Handover, []int, error) {
	d, h := s.server.daemon, takeover.Handover{}
	s.server.kept.Hurry(true)
	err := s.held.Rest(ctx)
	for try := 1; try < restTries && errors.Is(err, target.ErrNotDrained); try++ {
		time.Sleep(betweenTries) // requests are served
		err = s.held.Rest(ctx)
	}
	if err != nil {
		return h, nil, err
	}
	now := fusectl.Saved(d.Exports.State())
	changed := !bytes.Equal(now, s.offered)
	if changed || s.server.kept.Unsaved() { // or this daemon would try again after the other one has saved
		if err := s.server.kept.Save(); err != nil {
			return h, nil, fmt.Errorf("its state cannot be saved: %w", err)
		}
	}
	if changed {
		h.State = now
	}
	h.WriteThrough = s.held.WriteThrough()
	var fds []int
	for netif, links := range s.held.Links() {
		shared, own, err := engine.Share(links)
		if err != nil {
			s.server.log.WithError(err).Warnf("interface %s: frames that come at this moment are lost, and initiators repeat them", netif)
			continue
		}
		for _, one := range shared {
			h.Links = append(h.Links, takeover.Link{Interface: netif, Shared: one})
		}
		fds = append(fds, own...)
	}
	return h, fds, nil
}

// Resume goes on as before Offer.
func (s *source) Resume(afresh bool) {
	if s.held == nil {
		return
	}
	s.held.GoOn(afresh)
	s.server.kept.Hurry(false)
	s.held.Release()
	s.held = nil
	go s.server.daemon.Settle()
}

// End refuses commands that wait: they were given to this daemon.
func (s *source) End() { s.held.End() }

// downs lists what cannot be served at a moment.
func downs(now target.State) (list []string) {
	for _, d := range now.Drives {
		if d.Down != "" {
			list = append(list, "drive "+d.Name)
		}
	}
	for _, p := range now.Ports {
		if p.Down != "" {
			list = append(list, fmt.Sprintf("port %s on %s", p.Addr, p.Interface))
		}
	}
	slices.Sort(list)
	return list
}
