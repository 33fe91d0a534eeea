package metrics

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"
	"golang.org/x/net/netutil"

	"vbladefs/cmd/internal/daemon"
)

// What whoever reaches the address may have at once.
const (
	maxConnections = 16
	maxScrapes     = 2
)

// CheckAddress refuses what Listen cannot listen on, whatever the machine is like.
func CheckAddress(addr string) error {
	if isPath(addr) {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%q: want HOST:PORT, such as localhost:9736, or the path of a Unix socket", addr)
	}
	return nil
}

// isPath tells a Unix socket from HOST:PORT.
func isPath(addr string) bool { return strings.Contains(addr, "/") }

// Listen listens on HOST:PORT, or on a Unix socket, which is for its owner alone.
func Listen(addr string) (net.Listener, error) {
	if isPath(addr) {
		return daemon.ListenStream(addr)
	}
	return net.Listen("tcp", addr)
}

// Server answers scrapes.
type Server struct {
	http     http.Server
	listener net.Listener
	done     chan struct{}
}

// Serve answers scrapes of source on l until Close.
func Serve(l net.Listener, source Source, version string, logger *logrus.Logger) *Server {
	s := &Server{listener: l, done: make(chan struct{})}
	complaints := logger.WriterLevel(logrus.DebugLevel)
	s.http = http.Server{Handler: handler(source, version), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 8 << 10, ErrorLog: log.New(complaints, "metrics: ", 0)}
	go func() {
		defer close(s.done)
		defer complaints.Close()
		_ = s.http.Serve(netutil.LimitListener(l, maxConnections)) // until Close
	}()
	return s
}

// Close stops at once; a Unix socket goes first, so that another daemon may listen.
func (s *Server) Close() error {
	var err error
	if path := s.listener.Addr(); path.Network() == "unix" {
		err = daemon.RemoveSocket(path.String())
	}
	_ = s.http.Close()
	<-s.done
	return err
}

// handler has /metrics, and at / what leads there.
func handler(source Source, version string) http.Handler {
	mux := http.NewServeMux()
	process := []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
	plain := scraper(process, &collector{source, version, false})
	each := scraper(process, &collector{source, version, true})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("latency") {
		case "":
			plain.ServeHTTP(w, r)
		case "export":
			each.ServeHTTP(w, r)
		default:
			http.Error(w, "latency: want export", http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "vbladefs "+version+"; metrics are at /metrics\n")
	})
	return mux
}

// scraper answers with all that collectors have.
func scraper(process []prometheus.Collector, own prometheus.Collector) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(append([]prometheus.Collector{own}, process...)...)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, ErrorHandling: promhttp.ContinueOnError})
}

// ListenLater is Listen of an address that another daemon is about to leave.
func ListenLater(ctx context.Context, addr string) (net.Listener, error) {
	for {
		l, err := Listen(addr)
		if err == nil {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
