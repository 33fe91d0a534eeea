package main

import (
	"context"
	"net"
	"time"

	"vbladefs/cmd/internal/daemon"
	"vbladefs/cmd/internal/metrics"
)

// scraping is where the daemon answers Prometheus, if anywhere.
type scraping struct {
	early  net.Listener // opened before the daemon gave up its user
	cancel context.CancelFunc
	ended  chan struct{}
}

// heirPatience is how long a daemon that takes over waits for the other to leave its
// address.
const heirPatience = 30 * time.Second

// listen opens the address while the daemon may; one that takes over has to wait, as the
// other daemon has it still.
func (m *scraping) listen(o *serveOptions) (err error) {
	if o.metrics != "" && !o.takeover {
		m.early, err = metrics.Listen(o.metrics)
	}
	return err
}

// abandon gives the address up before anybody was answered.
func (m *scraping) abandon() {
	if m.early == nil {
		return
	}
	if addr := m.early.Addr(); addr.Network() == "unix" {
		_ = daemon.RemoveSocket(addr.String())
	}
	_ = m.early.Close()
}

// begin answers from now on, until end.
func (m *scraping) begin(s *server) {
	if s.o.metrics == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.ended = cancel, make(chan struct{})
	go func() {
		defer close(m.ended)
		l, err := m.early, error(nil)
		if l == nil {
			patient, enough := context.WithTimeout(ctx, heirPatience)
			defer enough()
			l, err = metrics.ListenLater(patient, s.o.metrics)
		}
		if err != nil {
			s.log.WithError(err).Errorf("nobody can ask for metrics at %s", s.o.metrics)
			return
		}
		server := metrics.Serve(l, s.daemon.Exports, version, s.log)
		s.log.Infof("metrics at %s", l.Addr())
		<-ctx.Done()
		if err := server.Close(); err != nil {
			s.log.WithError(err).Warn("the socket of the metrics stays")
		}
	}()
}

// end stops answering.
func (m *scraping) end() {
	if m.cancel != nil {
		m.cancel()
		<-m.ended
	}
}
