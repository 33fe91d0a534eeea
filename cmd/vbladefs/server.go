package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/claims"
	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/engine"
	"vbladefs/cmd/internal/state"
	"vbladefs/cmd/internal/takeover"
	"vbladefs/fusectl"
	"vbladefs/target"
)

// server is the daemon while it runs.
type server struct {
	o      serveOptions
	args   []string // those o was made of
	log    *logrus.Logger
	tree   fusectl.Options
	claims *claims.Claims
	kept   *state.Keeper // nil: nothing is kept
	daemon *daemon.Daemon
	giver  *takeover.Giver // of what another daemon may take over
	scrape scraping
}

// start serves what the state has, and mounts the tree.
func (s *server) start() error {
	if err := fusectl.CheckMountPoint(s.o.dir, s.o.nonEmpty); err != nil { // before a state is made, or served
		return err
	}
	var err error
	if s.kept, err = openState(s.o.state, s.log); err != nil {
		return err
	}
	s.open(nil)
	if s.kept != nil {
		s.restore() // before anybody can write to the tree
		keep(s.daemon, s.kept)
	}
	return s.daemon.Mount(s.o.dir, s.tree)
}

// open starts an engine without exports, whose stores and links may be inherited.
func (s *server) open(from *engine.Inheritance) {
	o := s.o
	s.daemon = daemon.StartWith(s.claims, engine.Options{Link: o.link, IO: o.io, Cache: target.Cache(o.cache), Spin: o.busyPoll,
		RingBytes: int(o.ring), Requests: o.requests, Workers: o.workers, CPUs: o.cpus, Keeper: keeperOf(s.kept),
		Inherit: from, Log: s.log})
	if s.kept != nil {
		s.tree.Save, s.tree.Settle = s.kept.Save, s.kept.Settle
	}
}

// restore carries out the state, and returns how much of it failed. It is not on
// the main thread, which the kernel would have to wake for every drive that another
// goroutine opened.
func (s *server) restore() (failed int) {
	done := make(chan int)
	go func() { done <- restore(s.daemon, s.kept, s.log) }()
	return <-done
}

// run serves until ctx ends, or until another daemon has taken over.
func (s *server) run(ctx context.Context) error {
	s.offer()
	s.scrape.begin(s)
	s.daemon.TellReady()
	select {
	case <-s.giver.Given():
	case <-ctx.Done():
	}
	s.scrape.end()
	if s.giver.Close() {
		s.bequeath()
		return s.daemon.Leave() // the rest belongs to the other daemon now
	}
	s.daemon.TellStopping()
	go s.log.Info("stopping") // nobody may be left to read it
	closing, cancel := context.WithTimeout(context.Background(), daemon.Grace)
	defer cancel()
	return errors.Join(s.daemon.Unmount(), saveState(closing, s.kept), s.daemon.Close(closing), closeState(closing, s.kept))
}

// offer lets another daemon take over, if there is a folder of the state.
func (s *server) offer() {
	s.giver = &takeover.Giver{Source: &source{server: s, dir: realPath(s.o.dir)}, Log: s.log, Start: s.startHeir}
	if s.kept == nil {
		return
	}
	if err := s.giver.Listen(takeover.SocketPath(filepath.Dir(s.kept.Path()))); err != nil {
		s.log.WithError(err).Warn("no other daemon can take over (-takeover)")
	}
}

// realPath is a folder without symbolic links on the way to it; it itself may be a
// mount that does not answer.
func realPath(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	if to, err := os.Readlink(dir); err == nil {
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(dir), to)
		}
		dir = to
	}
	if parent, err := filepath.EvalSymlinks(filepath.Dir(dir)); err == nil {
		dir = filepath.Join(parent, filepath.Base(dir))
	}
	return dir
}
