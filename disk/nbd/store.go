package nbd

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

// Store is one export of a server. Its methods may be called from any goroutine, but Close only once no request is in
// flight on any queue and none follows.
type Store struct {
	sizeBytes atomic.Int64
	export    atomic.Pointer[export] // as of the last connection
	live      atomic.Pointer[[]*conn]
	waits     atomic.Int32 // length of waiting, to be seen without the lock
	turn      atomic.Uint32
	policy    atomic.Uint32
	barred    atomic.Bool // opened read-only
	closed    atomic.Bool

	uri      string
	addr     *Address
	tls      func() (*tls.Config, error)
	compound compound
	log      unflushed

	life   context.Context // of the keepers
	end    context.CancelFunc
	keeper sync.WaitGroup

	mu       sync.Mutex
	waiting  list   // what no connection has room for
	outage   outage // while nothing is live
	extra    int    // keepers besides the first
	claimFD  int    // -1: nobody has asked for it
	watching bool   // a sweep comes
	stale    bool   // the server that comes next is to be restored
	patience time.Duration

	remembrance time.Duration
}

// Options are the choices of Open, as those of a store of package disk.
type Options struct {
	Access disk.Access
	Policy disk.Policy
}

// Open connects to the export that uri names. Its errors say what to do and wrap an Errno: EINVAL (no such URI), ENOENT (no
// such export), EACCES (refused, or TLS wanted), EROFS, ENXIO (smaller than a sector), EPROTO (no NBD server that we can
// speak to), ETIMEDOUT, or what else the kernel said, such as ECONNREFUSED.
func Open(uri string, o Options) (*Store, error) {
	addr, err := ParseURI(uri)
	if err != nil {
		return nil, err
	}
	s := &Store{uri: uri, addr: addr, claimFD: -1, patience: Patience, remembrance: Remembrance}
	s.log.expired = s.expire
	s.tls = sync.OnceValues(addr.tlsConfig)
	if addr.tls {
		if _, err := s.tls(); err != nil {
			return nil, fmt.Errorf("open %s: %w", uri, err)
		}
	}
	s.live.Store(new([]*conn))
	s.barred.Store(o.Access == disk.ReadOnly)
	s.compound.store = s
	s.compound.more.L = &s.compound.mu
	s.life, s.end = context.WithCancel(context.Background())
	c, err := s.connect()
	if err == nil && o.Access == disk.ReadWrite && c.export.has(flagReadOnly) {
		c.drop()
		err = fmt.Errorf("%w: the server exports it read-only", unix.EROFS)
	}
	if err == nil {
		err = s.SetPolicy(o.Policy)
	}
	if err != nil {
		s.end()
		return nil, fmt.Errorf("open %s: %w", uri, err)
	}
	s.up(c, true)
	s.keeper.Go(func() { s.keep(c) })
	return s, nil
}

// SizeBytes returns the size, as of the last connection.
func (s *Store) SizeBytes() int64 { return s.sizeBytes.Load() }

// Refresh returns the same: a server tells its size when it is connected to, and not again.
func (s *Store) Refresh() (int64, error) { return s.SizeBytes(), nil }

// ReadOnly reports whether writes are refused (EROFS): the store was opened so, or the server says so now.
func (s *Store) ReadOnly() bool { return s.barred.Load() || s.export.Load().has(flagReadOnly) }

// SetWritable has a store that was opened read-only take writes. It fails with EROFS when the server does not.
func (s *Store) SetWritable() error {
	if s.export.Load().has(flagReadOnly) {
		return fmt.Errorf("open %s: %w: the server exports it read-only", s.uri, unix.EROFS)
	}
	s.barred.Store(false)
	return nil
}

// Key is the identity of what was opened, as Identify names it.
func (s *Store) Key() string { return s.addr.Key() }

// Device returns 0:0: it is none of this machine's.
func (s *Store) Device() (major, minor uint32) { return 0, 0 }

// Policy returns the policy in force.
func (s *Store) Policy() disk.Policy { return disk.Policy(s.policy.Load()) }

// SetPolicy changes the policy. Durable asks the server to have each write on its medium before it answers (FUA, or a flush
// after it); the others take the server's word that it has the write.
func (s *Store) SetPolicy(p disk.Policy) error {
	if p > disk.Durable {
		return fmt.Errorf("%s: cache %v: %w: use writeback, direct or durable", s.uri, p, unix.EINVAL)
	}
	s.policy.Store(uint32(p))
	return nil
}

// Flush makes every write that finished before it durable. It waits for the server, or Patience for one to come.
func (s *Store) Flush() error {
	if s.ReadOnly() || !s.export.Load().has(flagFlush) {
		return nil
	}
	if err := s.roundTrip(&call{op: disk.Flush}); err != nil {
		return fmt.Errorf("flush %s: %w: see the server's log", s.uri, err)
	}
	return nil
}

// Losses is how many times writes that had finished were lost, or may have been: with the server's cache, or as it could not
// flush. Whoever's flush succeeds asks whether there was one since its last, as a server, too, may tell it once.
func (s *Store) Losses() uint64 { return s.log.losses.Load() }

// Outage says why there is no server at the moment; empty if there is.
func (s *Store) Outage() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outage.reason
}

// Note returns what a user should know of how the store works; empty if nothing.
func (s *Store) Note() string {
	var notes []string
	if why := s.Outage(); why != "" {
		notes = append(notes, why)
	}
	if why := s.log.loss(); why != "" {
		notes = append(notes, why)
	}
	e := s.export.Load()
	if !e.has(flagFlush) && !s.ReadOnly() {
		notes = append(notes, "the server has no flush: what it has acknowledged is as safe as it makes it")
	}
	if e.minBlock > disk.SectorBytes {
		notes = append(notes, fmt.Sprintf("the server's blocks have %d bytes: a smaller write reads and writes a block", e.minBlock))
	}
	return strings.Join(notes, "; ")
}

// Claim is a descriptor that stands for the store where a claim is given to another process. A server makes no difference
// between us and that, so it claims nothing. It stays the store's; -1: there is none to be had.
func (s *Store) Claim() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claimFD < 0 {
		if fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC); err == nil {
			s.claimFD = fd
		}
	}
	return s.claimFD
}

// Close ends the connections. It does not flush. A second Close does nothing.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.end()
	for _, c := range *s.live.Load() {
		c.disconnect()
	}
	s.keeper.Wait()
	s.mu.Lock()
	left := s.waiting
	s.waiting = list{}
	s.waits.Store(0)
	if s.claimFD >= 0 {
		_ = unix.Close(s.claimFD)
		s.claimFD = -1
	}
	s.mu.Unlock()
	left.fail(disk.ErrClosed)
	s.compound.close()
	return nil
}

// submit takes calls over.
func (s *Store) submit(l *list) {
	if s.waits.Load() == 0 { // else they would overtake
		if c := s.pick(); c != nil {
			c.send(l)
		}
	}
	if l.length == 0 {
		return
	}
	s.mu.Lock()
	if s.outage.hopeless {
		s.mu.Unlock()
		l.fail(unix.EAGAIN)
		return
	}
	s.waiting.append(l)
	s.waits.Store(int32(s.waiting.length))
	s.mu.Unlock()
	s.dispatch()
}

// pick is the first connection with less than spread in flight, and if none has, the one whose turn it is; nil: there is
// none.
func (s *Store) pick() *conn {
	live := *s.live.Load()
	switch len(live) {
	case 0:
		return nil
	case 1:
		return live[0]
	}
	for _, c := range live {
		if c.inFlight() < spread {
			return c
		}
	}
	return live[int(s.turn.Add(1))%len(live)]
}

// dispatch gives what waits to the connections that have room.
func (s *Store) dispatch() {
	if s.log.wants.Load() {
		s.flushOwn()
	}
	if s.waits.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range *s.live.Load() {
		if s.waiting.length > 0 {
			c.send(&s.waiting)
		}
	}
	s.waits.Store(int32(s.waiting.length))
}

// roundTrip has one command carried out, and waits for it.
func (s *Store) roundTrip(k *call) error {
	k.done = make(chan struct{}, 1)
	k.born = clock()
	var l list
	l.push(k)
	s.submit(&l)
	<-k.done
	return k.err
}

// adopt takes over what a server says of the export.
func (s *Store) adopt(e export) {
	s.export.Store(&e)
	s.sizeBytes.Store(e.sizeBytes)
}

// outage is a time without a server.
type outage struct {
	reason   string
	since    time.Duration // by the clock
	hopeless bool          // for longer than patience
}
