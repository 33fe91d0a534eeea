package nbd

import (
	"fmt"
	"time"

	"vbladefs/disk"
)

// This file has changes that one server has acknowledged done again by the next, before it gets anything else.

const (
	// Remembrance is for how long a server may be gone for that to be done. Linux gives a target up after 180 s; what is older may
	// have been written anew through another host.
	Remembrance = 3 * time.Minute
	replayDepth = 64
)

// flushOwn begins a flush, if one is wanted.
func (s *Store) flushOwn() {
	if !s.log.begin() {
		return
	}
	var l list
	l.push(&call{op: disk.Flush, own: true})
	for _, c := range *s.live.Load() {
		if l.length > 0 {
			c.send(&l)
		}
	}
	if l.length > 0 {
		s.log.abandon()
	}
}

// expire has a flush begun of what has been kept for long.
func (s *Store) expire() {
	if s.life.Err() == nil {
		s.log.wants.Store(s.log.any())
		s.dispatch()
	}
}

// withoutOwn takes flushes of ours out of what a connection left; the next ones are begun anew.
func (s *Store) withoutOwn(left *list) {
	var rest list
	for left.length > 0 {
		if k := left.pop(); k.own {
			s.log.abandon()
		} else {
			rest.push(k)
		}
	}
	*left = rest
}

// toRestore reports whether the server that comes next has to do something again. If so, no connection is put into use before.
func (s *Store) toRestore() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale
}

// alone waits until no connection is left that may be to the server that was there: they end.
func (s *Store) alone() bool {
	for len(*s.live.Load()) > 0 {
		if !s.rest(time.Millisecond) {
			return false
		}
	}
	return true
}

// restore has the server of c, which nobody else uses yet, do what the one before may have lost. It reports whether c is
// there still.
func (s *Store) restore(c *conn) bool {
	s.mu.Lock()
	since := s.outage.since
	s.mu.Unlock()
	if away := clock() - since; away > s.remembrance {
		s.log.lose(fmt.Sprintf("its server was away for %v with changes that were not flushed, and may be lost", away.Round(time.Second)))
		c.restored = true
		return true
	}
	c.start()
	rest := s.log.all()
	for len(rest) > 0 {
		n := independent(rest)
		ok, err := c.redo(rest[:n])
		if err != nil {
			s.log.lose(fmt.Sprintf("its server came back and did not take changes that were not flushed: %v; they may be lost", err))
			break
		}
		if !ok {
			return false
		}
		rest = rest[n:]
	}
	c.restored = true
	return true
}

// independent is how many of the first changes do not overlap: a server may do them in any order.
func independent(changes []change) int {
	for i := range changes {
		a := &changes[i]
		for j := range i {
			if b := &changes[j]; a.offset < b.offset+b.length && b.offset < a.offset+a.length {
				return i
			}
		}
		if i == replayDepth {
			return i
		}
	}
	return len(changes)
}

// redo does changes, and reports whether the connection was there until their end.
func (c *conn) redo(changes []change) (ok bool, err error) {
	var l list
	calls := make([]call, len(changes))
	done := make(chan struct{}, len(changes))
	for i := range changes {
		e := &changes[i]
		if !c.export.takes(e.op, e.offset, e.length, false) {
			return true, fmt.Errorf("the export is another one now")
		}
		calls[i] = call{op: e.op, data: e.data, offset: e.offset, length: e.length, done: done, replayed: true}
		l.push(&calls[i])
	}
	c.send(&l)
	if l.length > 0 {
		return false, nil // it is broken: there is room for more than that
	}
	for range changes {
		select {
		case <-done:
		case <-c.over:
			return false, nil
		case <-c.store.life.Done():
			return false, nil
		}
	}
	for i := range calls {
		if calls[i].err != nil {
			return true, calls[i].err
		}
	}
	return true, nil
}
