package qaoed

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/compat/qaoed"
)

// Bounds of what clients can take up. The original served one at a time, for as
// long as that liked.
const (
	maxClients  = 32               // when there are more, the one that was quiet for longest has to go
	idleTime    = 5 * time.Minute  // without a request
	requestTime = 10 * time.Second // for the rest of a request, and to take the reply
	leaveTime   = time.Second      // to take the last reply, when the API is closed
	restTime    = time.Second      // after a failure to accept
)

// api answers clients on a socket.
type api struct {
	path     string
	file     os.FileInfo // of the socket
	listener *net.UnixListener
	actions  qaoed.Actions
	log      *logrus.Logger
	clients  sync.WaitGroup
	request  time.Duration // requestTime, but in tests

	mu     sync.Mutex
	closed bool
	order  []*client // the one that was quiet for longest first
}

// client is a connection.
type client struct {
	net.Conn
	busy bool // its request is being answered; guarded by api.mu
}

// listen answers clients on a new socket at path.
func listen(path string, actions qaoed.Actions, log *logrus.Logger) (*api, error) {
	l, err := daemon.ListenStream(path)
	if err != nil {
		return nil, fmt.Errorf("apisocket: %w", err)
	}
	file, err := os.Lstat(path)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &api{path: path, file: file, listener: l, actions: actions, log: log, request: requestTime}, nil
}

// reachable reports whether the socket is still where it was made.
func (a *api) reachable() bool {
	there, err := os.Lstat(a.path)
	return err == nil && os.SameFile(there, a.file)
}

// serve takes clients until close.
func (a *api) serve() {
	for {
		conn, err := a.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			a.log.Warnf("API: accepting a client: %v", err)
			time.Sleep(restTime)
			continue
		}
		c := &client{Conn: conn}
		if !a.admit(c) {
			_ = conn.Close()
			return
		}
		go func() {
			defer a.leave(c)
			if err := a.attend(c); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				a.log.Infof("API: a client was sent away: %v", err)
			}
		}()
	}
}

// admit makes room for c; false: the API is closed.
func (a *api) admit(c *client) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	if len(a.order) >= maxClients {
		a.evict()
	}
	a.order = append(a.order, c)
	a.clients.Add(1)
	return true
}

// evict sends one away, rather one that waits than one that is waited for; mu is
// held.
func (a *api) evict() {
	gone := max(0, slices.IndexFunc(a.order, func(c *client) bool { return !c.busy }))
	_ = a.order[gone].Close()
	a.order = slices.Delete(a.order, gone, gone+1)
}

func (a *api) leave(c *client) {
	_ = c.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(c)
	a.clients.Done()
}

// forget takes c out of the order; mu is held. false: it has been evicted.
func (a *api) forget(c *client) bool {
	i := slices.Index(a.order, c)
	if i >= 0 {
		a.order = slices.Delete(a.order, i, i+1)
	}
	return i >= 0
}

// mark notes whether c is answered now; one that asks is the last to go. It tells
// whether there is to be another step.
func (a *api) mark(c *client, busy bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.busy = busy; busy && a.forget(c) {
		a.order = append(a.order, c)
	}
	return !a.closed
}

// attend answers the requests of one client, one after the other.
func (a *api) attend(c *client) error {
	for {
		h, argument, err := readRequest(c)
		if err != nil {
			return err
		}
		if !a.mark(c, true) {
			return net.ErrClosed
		}
		reply, why := qaoed.Answer(h, argument, a.actions)
		if why != nil {
			a.log.Warn(why)
		}
		err = errors.Join(c.SetWriteDeadline(time.Now().Add(a.request)), write(c, reply))
		if goOn := a.mark(c, false); err != nil || !goOn {
			return cmp.Or(err, net.ErrClosed)
		}
	}
}

func write(w io.Writer, b []byte) error {
	_, err := w.Write(b)
	return err
}

// readRequest waits for a request. Once it has begun it has to be there soon.
func readRequest(c net.Conn) (qaoed.Header, []byte, error) {
	var head [qaoed.HeaderSize]byte
	if err := c.SetReadDeadline(time.Now().Add(idleTime)); err != nil {
		return qaoed.Header{}, nil, err
	}
	if _, err := io.ReadFull(c, head[:1]); err != nil {
		return qaoed.Header{}, nil, err
	}
	if err := c.SetReadDeadline(time.Now().Add(requestTime)); err != nil {
		return qaoed.Header{}, nil, err
	}
	if _, err := io.ReadFull(c, head[1:]); err != nil {
		return qaoed.Header{}, nil, err
	}
	h := qaoed.DecodeHeader(head[:])
	if h.Length > qaoed.MaxArgument {
		return h, nil, fmt.Errorf("a request with %d bytes: want at most %d", h.Length, qaoed.MaxArgument)
	}
	argument := make([]byte, h.Length)
	_, err := io.ReadFull(c, argument)
	return h, argument, err
}

// close sends all clients away, those that wait for a reply as soon as they have
// it, and removes the socket.
func (a *api) close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	a.closed = true
	for _, c := range a.order {
		if !c.busy {
			_ = c.Close()
		}
	}
	a.mu.Unlock()
	var err error
	if a.reachable() {
		err = daemon.RemoveSocket(a.path)
	}
	err = errors.Join(err, a.listener.Close())
	deaf := time.AfterFunc(leaveTime, a.cut)
	defer deaf.Stop()
	a.clients.Wait()
	return err
}

// cut takes the connections of all that are left.
func (a *api) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.order {
		_ = c.Close()
	}
}
