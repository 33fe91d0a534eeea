package nbd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// This file keeps a store connected: one goroutine for the first connection, and one for each further one as long as the
// first is there.

const (
	// Connections is how many a store has to a server that says that they see one cache.
	Connections = 4
	// spread is how much one gets before another gets something, too: what shares a connection shares system calls and wake-ups, at
	// both ends. nbdkit works at so much of one connection at a time (its --threads).
	spread = 16
	// connectTime is what a server may take to be connected to.
	connectTime = 5 * time.Second
	// Between two attempts to connect.
	shortestPause, longestPause = 20 * time.Millisecond, time.Second
	// steady is how long a connection lives that is worth another attempt at once.
	steady = time.Second
	// sweepEvery is how often what waits for a server is looked through.
	sweepEvery = time.Second
)

// A peer that is gone without a word is missed after about this time, which is below Patience so that what it had can be
// sent to the next.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 4}

const userTimeout = 7 * time.Second

// keep has the first connection, c to begin with, made again whenever it is lost, until the store is closed.
func (s *Store) keep(c *conn) {
	pause := shortestPause
	for {
		born := time.Now()
		left, err := c.wait()
		s.lost(c, &left, err)
		if time.Since(born) > steady {
			pause = shortestPause
		}
		for c = nil; c == nil; {
			if !s.rest(pause) {
				return
			}
			pause = min(2*pause, longestPause)
			c, err = s.connectAgain()
			if err != nil {
				s.stillOut(err)
			}
		}
	}
}

// connectAgain makes the first connection again, and puts it into use.
func (s *Store) connectAgain() (*conn, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	for s.life.Err() == nil {
		if s.toRestore() && (!s.alone() || !s.restore(c)) {
			break
		}
		if s.up(c, true) {
			return c, nil
		}
	}
	c.drop()
	return nil, io.EOF
}

// keepExtra has a further connection, as long as the server is there and allows it.
func (s *Store) keepExtra() {
	defer s.extraGone()
	for pause := shortestPause; s.wantsExtra(); pause = min(2*pause, longestPause) {
		c, err := s.connect()
		if err == nil {
			if !c.export.has(flagMultiConn) {
				c.drop()
				return
			}
			if !s.up(c, false) {
				c.drop()
				return
			}
			born := time.Now()
			left, err := c.wait()
			s.lost(c, &left, err)
			if time.Since(born) > steady {
				pause = shortestPause
			}
		}
		if !s.rest(pause) {
			return
		}
	}
}

func (s *Store) wantsExtra() bool {
	return len(*s.live.Load()) > 0 && s.export.Load().has(flagMultiConn)
}

func (s *Store) extraGone() {
	s.mu.Lock()
	s.extra--
	s.mu.Unlock()
}

// rest waits, and reports whether the store is still open.
func (s *Store) rest(pause time.Duration) bool {
	select {
	case <-s.life.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// connect makes a connection, through its negotiation.
func (s *Store) connect() (*conn, error) {
	ctx, cancel := context.WithTimeout(s.life, connectTime)
	defer cancel()
	d := net.Dialer{KeepAliveConfig: keepAlive}
	socket, err := d.DialContext(ctx, s.addr.network, s.addr.server)
	if err != nil {
		return nil, connectError(err)
	}
	if tcp, ok := socket.(*net.TCPConn); ok {
		limitSilence(tcp)
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	h := &handshake{net: socket, addr: s.addr, tls: s.tls}
	err = h.run()
	if !stop() && err == nil {
		err = os.ErrDeadlineExceeded
	}
	var c *conn
	if err == nil {
		c, err = newConn(s, socket, h)
	}
	if err != nil {
		_ = socket.Close()
		return nil, connectError(err)
	}
	return c, nil
}

// limitSilence ends a connection whose other end does not acknowledge what was sent (tcp(7)).
func limitSilence(c *net.TCPConn) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		})
	}
}

// connectError has every error wrap an Errno, and say what to do.
func connectError(err error) error {
	var errno unix.Errno
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %w: check the name of the host", err, unix.EHOSTUNREACH)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the server does not answer: %w: it may have all the connections that it allows", unix.ETIMEDOUT)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w: the server has ended the conversation", err, unix.ECONNRESET)
	case !errors.As(err, &errno):
		return fmt.Errorf("%w: %w", err, unix.EPROTO)
	case errno == unix.ECONNREFUSED, errno == unix.ENOENT && isDial(err):
		return fmt.Errorf("%w: start its server, or check where that is", err)
	}
	return err
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// up puts a connection into use, the first one or another. It refuses while the server is to be restored, which is to the keeper
// of the first.
func (s *Store) up(c *conn, first bool) bool {
	s.mu.Lock()
	if s.stale && !(first && c.restored) {
		s.mu.Unlock()
		return false
	}
	s.stale = false
	s.adopt(c.export)
	live := append(slices.Clone(*s.live.Load()), c)
	s.live.Store(&live)
	s.outage = outage{}
	if c.export.has(flagMultiConn) && s.life.Err() == nil {
		for ; s.extra < Connections-1; s.extra++ {
			s.keeper.Go(s.keepExtra)
		}
	}
	s.mu.Unlock()
	s.dispatch()
	if s.life.Err() != nil {
		c.breakUp() // Close may not have seen it
	}
	return true
}

// lost takes a connection that has ended out of use, and has what it left done by another. It may have ended with its server: if
// that can have taken something with it, all others end, so that it is done again before anything else.
func (s *Store) lost(c *conn, left *list, err error) {
	s.withoutOwn(left)
	s.mu.Lock()
	live := slices.DeleteFunc(slices.Clone(*s.live.Load()), func(o *conn) bool { return o == c })
	s.live.Store(&live)
	left.append(&s.waiting)
	s.waiting = *left
	s.waits.Store(int32(s.waiting.length))
	if s.log.any() {
		s.stale = true
		for _, o := range live {
			o.retire()
		}
	}
	if len(live) == 0 {
		s.outage = outage{reason: outageReason(err), since: clock()}
		s.watch()
	}
	s.mu.Unlock()
	s.dispatch()
}

// stillOut notes why there is no server yet.
func (s *Store) stillOut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage.reason != "" {
		s.outage.reason = outageReason(err)
	}
}

func outageReason(err error) string {
	if errors.Is(err, io.EOF) {
		return "its server has gone; trying again"
	}
	return fmt.Sprintf("its server cannot be had: %v; trying again", err)
}

// watch has what waits looked through; mu is held.
func (s *Store) watch() {
	if !s.watching && s.life.Err() == nil {
		s.watching = true
		time.AfterFunc(sweepEvery, s.sweep)
	}
}

// sweep gives up what has waited for longer than Patience.
func (s *Store) sweep() {
	s.mu.Lock()
	s.watching = false
	if s.outage.reason == "" {
		s.mu.Unlock()
		return
	}
	now := clock()
	s.outage.hopeless = now-s.outage.since > s.patience
	var old, rest list
	for s.waiting.length > 0 {
		if k := s.waiting.pop(); now-k.born > s.patience || s.outage.hopeless {
			old.push(k)
		} else {
			rest.push(k)
		}
	}
	s.waiting = rest
	s.waits.Store(int32(rest.length))
	s.watch()
	s.mu.Unlock()
	old.fail(unix.EAGAIN)
}
