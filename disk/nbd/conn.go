package nbd

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"vbladefs/disk"
)

const (
	// depth is how many calls one connection has in flight. Servers work on a few dozen at a time.
	depth = 256
	// batch is how many calls go out with one system call.
	batch = 64
	// readBytes is read at once: some batches of replies.
	readBytes = 256 << 10
)

// conn is one negotiated connection. Calls enter it with send, and leave it answered, or, when run returns, as they came.
type conn struct {
	store  *Store
	net    net.Conn
	raw    syscall.RawConn
	fd     int  // of the socket; -1: there is none, in some tests
	plain  bool // what is sent goes to fd as it is: no TLS
	export export
	r      *bufio.Reader

	// Of the reading goroutine.
	ended  []*call // answered, not handed back yet
	undone []*call // answered with NBD_ESHUTDOWN

	leaving atomic.Bool   // it ends when all is answered up to last; see farewell.go
	last    atomic.Uint64 // serial of the last call that the server gets

	// Of those that are sent, as many as this has a serial of. A reply to a later one comes too early.
	sent atomic.Uint64
	// slots have what is in flight, by the last bits of the cookie. The reading goroutine empties them.
	slots [depth]atomic.Pointer[call]

	mu      sync.Mutex
	still   sync.Cond // sending has ended, sent has grown, or broken
	free    []uint16  // slots
	out     list      // in a slot, to be sent
	serial  uint64    // of the last call
	sending bool      // somebody takes calls from out and sends them: nobody else may
	hushed  bool      // nothing is taken any more
	broken  bool      // nor sent

	outgoing outgoing // of whoever set sending
	stalled  chan struct{}

	restored bool // see Store.restore; its keeper's

	over    chan struct{} // closed when run has returned, with these; nil until start
	rest    list
	because error
}

// newConn makes a conn of a connection whose negotiation is over.
func newConn(s *Store, socket net.Conn, h *handshake) (*conn, error) {
	c := &conn{store: s, net: h.net, export: h.e, fd: -1, r: bufio.NewReaderSize(h.net, readBytes),
		ended: make([]*call, 0, depth), free: make([]uint16, depth), stalled: make(chan struct{}, 1)}
	c.still.L = &c.mu
	for i := range c.free {
		c.free[i] = uint16(depth - 1 - i)
	}
	c.plain = socket == h.net
	sys, ok := socket.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T is no socket", socket)
	}
	var err error
	if c.raw, err = sys.SyscallConn(); err != nil {
		return nil, err
	}
	return c, c.raw.Control(func(fd uintptr) { c.fd = int(fd) })
}

// start has run begin, if it has not.
func (c *conn) start() {
	if c.over != nil {
		return
	}
	c.over = make(chan struct{})
	c.store.keeper.Go(func() {
		defer close(c.over)
		c.rest, c.because = c.run()
	})
}

// wait returns what run does.
func (c *conn) wait() (left list, err error) {
	c.start()
	<-c.over
	return c.rest, c.because
}

// send takes calls from l, as many as there is room for, and sends them, or has whoever is sending do so. It never blocks.
func (c *conn) send(l *list) {
	var unfit list
	c.mu.Lock()
	for !c.broken && !c.hushed && l.length > 0 && len(c.free) > 0 {
		if l.first.kept() && c.store.log.full() {
			break
		}
		k := l.pop()
		if !c.export.takes(k.op, k.offset, k.length, k.durable) {
			unfit.push(k) // the export is another than when it was submitted
			continue
		}
		c.enlist(k)
	}
	mine := !c.sending && !c.broken && c.out.length > 0
	c.sending = c.sending || mine
	c.mu.Unlock()
	if mine {
		c.push()
	}
	unfit.fail(unix.EAGAIN)
}

// inFlight is how many calls have a slot.
func (c *conn) inFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return depth - len(c.free)
}

// enlist gives a call a slot and a cookie, and puts it into out; mu is held.
func (c *conn) enlist(k *call) {
	slot := c.free[len(c.free)-1]
	c.free = c.free[:len(c.free)-1]
	c.serial++
	if k.op == disk.Flush {
		k.mark = c.store.log.newest()
	}
	k.serial, k.cookie, k.got, k.failed = c.serial, c.serial*depth+uint64(slot), 0, nil
	c.slots[slot].Store(k)
	c.out.push(k)
}

// run reads replies until the connection is broken, and returns why, and the calls that were not answered, in the order
// of their sending.
func (c *conn) run() (left list, err error) {
	var writer sync.WaitGroup
	writer.Go(c.sendStalled)
	err = c.receive()
	c.deliver()
	c.breakUp()
	c.mu.Lock()
	for c.sending {
		c.still.Wait()
	}
	c.out = list{}
	c.mu.Unlock()
	close(c.stalled)
	writer.Wait()
	_ = c.net.Close()
	calls := c.undone
	for i := range c.slots {
		if k := c.slots[i].Swap(nil); k != nil {
			calls = append(calls, k)
		}
	}
	slices.SortFunc(calls, func(a, b *call) int { return int(int64(a.serial - b.serial)) })
	for _, k := range calls {
		left.push(k)
	}
	return left, err
}
