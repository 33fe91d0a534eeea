package ggaoed

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/compat/ggaoed"
	"vbladefs/compat/plan"
	"vbladefs/fusectl"
	"vbladefs/target"
)

// replyPatience bounds the time for one request: a client that does not take its
// answers loses the rest of them.
const replyPatience = time.Second

// control answers requests on the control socket, one after the other.
type control struct {
	path    string
	exports fusectl.Engine
	log     *logrus.Logger
	since   time.Time
	reload  chan<- struct{}
	closed  chan struct{}

	mu      sync.Mutex
	socket  *net.UnixConn // guarded by mu
	file    os.FileInfo   // of the socket; guarded by mu
	devices []device      // guarded by mu
	cleared baseline      // guarded by mu
}

// listen makes the socket of r at path.
func listen(path string, r *running) (*control, error) {
	c := &control{path: path, exports: r.daemon.Exports, log: r.log, since: r.since, reload: r.reloads,
		closed: make(chan struct{}), cleared: newBaseline()}
	return c, c.bind()
}

// bind makes the socket, if it is not where it was made.
func (c *control) bind() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reachable() {
		return nil
	}
	socket, err := daemon.ListenDatagram(c.path)
	if err != nil {
		return err
	}
	if c.file, err = os.Lstat(c.path); err != nil {
		return errors.Join(err, socket.Close())
	}
	if c.socket != nil {
		_ = c.socket.Close() // nobody finds it; serve goes on with the new one
	}
	c.socket = socket
	return nil
}

// reachable reports whether the socket is still where it was made; mu is held.
func (c *control) reachable() bool {
	there, err := os.Lstat(c.path)
	return err == nil && c.file != nil && os.SameFile(there, c.file)
}

// current is the socket.
func (c *control) current() *net.UnixConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socket
}

// follow answers for the devices of p from now on.
func (c *control) follow(p plan.Plan) {
	devices := make([]device, len(p.Exports))
	for i, e := range p.Exports {
		devices[i] = device{e.Name, e.Drive, e.Addr}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.devices = devices
	c.cleared.keep(devices, c.total)
}

// serve answers until close.
func (c *control) serve() {
	b := make([]byte, ggaoed.MaxDatagram+1)
	for {
		socket := c.current()
		n, client, err := socket.ReadFromUnix(b)
		select {
		case <-c.closed:
			return
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			continue // there is another
		}
		if err != nil {
			c.log.WithError(err).Error("control socket")
			time.Sleep(replyPatience)
			continue
		}
		r, err := ggaoed.ParseRequest(b[:n])
		if err != nil {
			c.log.Warnf("control socket: %v", err)
			continue
		}
		answers := c.answer(r)
		if client == nil || client.Name == "" {
			continue // it has no address: nobody hears
		}
		c.send(socket, client, answers)
	}
}

func (c *control) send(socket *net.UnixConn, client *net.UnixAddr, answers []ggaoed.Answer) {
	_ = socket.SetWriteDeadline(time.Now().Add(replyPatience))
	for _, a := range answers {
		if _, err := socket.WriteToUnix(ggaoed.Datagram(a), client); err != nil {
			c.log.Warnf("control socket: answering %s: %v", client.Name, err)
			return
		}
	}
}

// answer carries out a request.
func (c *control) answer(r ggaoed.Request) []ggaoed.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	var answers []ggaoed.Answer
	switch {
	case r.Command == ggaoed.Hello:
		return []ggaoed.Answer{ggaoed.Greeting}
	case r.Command == ggaoed.GetStats:
		answers = c.stats(r)
	case r.Command == ggaoed.Reload:
		notify(c.reload)
	case !r.Command.Known():
		c.log.Warnf("control socket: unknown command %d", r.Command)
	case r.Command.NeedsNames() && len(r.Names) == 0:
		return nil
	case r.Command == ggaoed.ClearStats:
		c.clearStats(r)
	default:
		for _, d := range c.devices {
			if r.Selects(d.name) {
				answers = append(answers, c.device(r.Command, d)...)
			}
		}
	}
	return append(answers, ggaoed.OKAnswer{})
}

// device carries out a command about what one device keeps.
func (c *control) device(command ggaoed.Command, d device) []ggaoed.Answer {
	b, _ := c.exports.Blade(d.addr)
	switch command {
	case ggaoed.GetConfig:
		return []ggaoed.Answer{ggaoed.ConfigAnswer{Name: d.name, File: ggaoed.ConfigFile(b.Config)}}
	case ggaoed.GetMasks:
		return []ggaoed.Answer{ggaoed.ListAnswer{Name: d.name, File: ggaoed.ListFile(ggaoed.SortMasks(b.Masks))}}
	case ggaoed.GetReserve:
		return []ggaoed.Answer{ggaoed.ListAnswer{Name: d.name, File: ggaoed.ListFile(b.Reserve)}}
	case ggaoed.ClearConfig:
		c.do(d, target.SetConfig{Addr: d.addr})
	case ggaoed.ClearMasks:
		c.do(d, target.SetHosts{Addr: d.addr, List: target.MaskList})
	case ggaoed.ClearReserve:
		c.do(d, target.SetHosts{Addr: d.addr, List: target.ReserveList})
	}
	return nil
}

func (c *control) do(d device, op target.Operation) {
	if err := c.exports.Do(op); err != nil {
		c.log.Errorf("%s: %v", d.name, err)
	}
}

// close ends serve, and takes the socket away: first from its path, where another
// daemon may put its own as soon as nobody listens.
func (c *control) close() error {
	close(c.closed)
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.reachable() {
		err = daemon.RemoveSocket(c.path)
	}
	return errors.Join(err, c.socket.Close())
}
