package takeover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/daemon"
)

// How long the running daemon waits: for operations under way, for the new daemon
// to open everything, during which operations wait, and for requests in flight,
// during which, now and then, requests wait.
const (
	holdTime  = 5 * time.Second
	openTime  = time.Minute
	restTime  = 4 * time.Second // in several tries
	sendTime  = 5 * time.Second
	closeTime = 10 * time.Second
	dyingTime = 2 * time.Second // of which a process that can end needs little
)

// A Source is a running daemon, as far as this package asks it. Each is called
// after the one before it has succeeded; Resume after any.
type Source interface {
	// Offer holds everything but requests, and says what there is. The files stay
	// the Source's.
	Offer(ctx context.Context, hello Hello) (Offer, []int, error)
	// Carry has what can be handed over take the place of what cannot. Requests are
	// served; it takes as long as it takes, some time for each few interfaces.
	Carry()
	// Rest has requests wait, and says where the new daemon is to go on.
	Rest(ctx context.Context) (Handover, []int, error)
	// Resume serves again; afresh, if the new daemon may have begun to.
	Resume(afresh bool)
	// End refuses what waits: the new daemon serves.
	End()
}

// Giver waits for a daemon that takes over.
type Giver struct {
	Source Source
	Log    *logrus.Logger
	// Start starts a program that takes over, and is called for an upgrade; failed
	// has why it did not, when it has ended. nil: there are no upgrades.
	Start func() (process int, failed <-chan error, err error)

	listener *net.UnixListener
	path     string
	given    chan struct{}
	ended    chan struct{} // the listening goroutine has

	mu   sync.Mutex // guards what follows
	conn *Conn      // that may be closed: before Handover
	cut  bool       // Handover has begun, and not failed
	done bool       // Close was called
	last *Conn      // with the daemon that has everything now

	upgrade upgrade
}

// Listen makes the socket at path and answers there until Close, or until
// everything is handed over.
func (g *Giver) Listen(path string) error {
	l, err := daemon.ListenStream(path)
	if err != nil {
		return err
	}
	g.listener, g.path = l, path
	g.given, g.ended = make(chan struct{}), make(chan struct{})
	go g.run()
	return nil
}

// Given is closed when another daemon serves everything; the socket is gone then.
func (g *Giver) Given() <-chan struct{} { return g.given }

// Close ends the listening. A new daemon that is not ready yet is turned away; for
// another it waits, and reports whether that has everything now.
func (g *Giver) Close() (given bool) {
	if g.listener == nil {
		return false
	}
	g.mu.Lock()
	g.done = true
	if g.conn != nil {
		_ = g.conn.Close()
	}
	g.mu.Unlock()
	_ = g.listener.Close()
	select {
	case <-g.ended:
	case <-time.After(closeTime):
		g.Log.Error("the daemon that takes over does not answer")
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.cut // two that serve would undo each other's writes
	}
	select {
	case <-g.given:
		return true
	default:
		_ = daemon.RemoveSocket(g.path)
		return false
	}
}

func (g *Giver) run() {
	defer close(g.ended)
	for {
		socket, err := g.listener.AcceptUnix()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				g.Log.WithError(err).Error("no daemon can take over any more")
			}
			return
		}
		c, err := newConn(socket)
		if err != nil {
			g.Log.WithError(err).Warn("a take-over was refused")
			continue
		}
		given, kept := g.converse(c)
		if given {
			_ = g.listener.Close()
			_ = daemon.RemoveSocket(g.path)
			g.last = c // open until this process ends, which tells the new daemon
			close(g.given)
			return
		}
		if !kept {
			_ = c.Close()
		}
	}
}

// enter says which conversation Close may end, if any, and whether Handover has
// begun; not ok: Close was called.
func (g *Giver) enter(c *Conn, cut bool) (ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn, g.cut = c, cut
	return !g.done
}

// converse hands everything over, or leaves it as it is. Who asked for an upgrade
// is kept until that has ended.
func (g *Giver) converse(c *Conn) (given, kept bool) {
	if !g.enter(c, false) {
		return false, false
	}
	c.Within(sendTime)
	var hello Hello
	files, err := c.Receive(&hello)
	closeAll(files)
	if err == nil && hello.Upgrade {
		g.upgrade.begin(g, c)
		return false, true
	}
	if err == nil && hello.Protocol != protocol {
		err = fmt.Errorf("it speaks version %d of the conversation, and this one %d: stop this one and start the other", hello.Protocol, protocol)
		_ = c.Send(Offer{Refused: err.Error()})
	}
	if err != nil {
		g.Log.WithError(err).Warn("a take-over was refused")
		return false, false
	}
	g.Log.Infof("process %d, version %s, takes over", hello.Process, hello.Version)
	afresh, err := g.handOver(c, hello)
	if err == nil {
		g.Source.End()
		g.Log.Infof("process %d has taken over", hello.Process)
		g.upgrade.given(hello.Process)
		return true, false
	}
	g.Source.Resume(afresh)
	g.enter(nil, false)
	g.Log.WithError(err).Error("nobody has taken over; serving goes on here")
	return false, false
}

// handOver is the conversation after Hello. It may fail with the new daemon having
// begun to serve, and ended since: afresh.
func (g *Giver) handOver(c *Conn, hello Hello) (afresh bool, err error) {
	if err := g.prepare(c, hello); err != nil {
		return false, err
	}
	g.Source.Carry()
	if !g.enter(nil, true) {
		return false, errStopping
	}
	ctx, cancel := context.WithTimeout(context.Background(), restTime)
	defer cancel()
	rest, fds, err := g.Source.Rest(ctx)
	if err != nil {
		_ = c.Send(Handover{Refused: err.Error()})
		return false, err
	}
	c.Within(sendTime)
	if err := c.Send(rest, fds...); err != nil {
		return false, err
	}
	c.Within(0) // as long as it lives: two that serve would undo each other's writes
	slow := time.AfterFunc(sendTime, func() {
		g.Log.Errorf("process %d has the exports and does not say that it serves them: end it (kill %d) to have them served here again", hello.Process, hello.Process)
	})
	defer slow.Stop()
	files, err := c.Receive(&Served{})
	closeAll(files)
	if err != nil {
		return true, fmt.Errorf("it ended before it served: %w", err)
	}
	return false, nil
}

// errStopping is that of a daemon which ends and hands nothing over.
var errStopping = errors.New("it was told to end")

// prepare has the new daemon open everything.
func (g *Giver) prepare(c *Conn, hello Hello) error {
	ctx, cancel := context.WithTimeout(context.Background(), holdTime)
	defer cancel()
	offer, fds, err := g.Source.Offer(ctx, hello)
	if err != nil {
		_ = c.Send(Offer{Refused: err.Error()})
		return err
	}
	offer.Protocol, offer.Process = protocol, os.Getpid()
	c.Within(openTime)
	if err := c.Send(offer, fds...); err != nil {
		return err
	}
	files, err := c.Receive(&Ready{})
	closeAll(files)
	if err != nil {
		return fmt.Errorf("it ended, or was too slow, before it was ready: %w", err)
	}
	return nil
}
