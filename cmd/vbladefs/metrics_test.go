package main_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vbladefs/netio/netiotest"
)

// scrape asks for the metrics at a Unix socket; empty: nobody answers.
func scrape(t *testing.T, socket string) string {
	t.Helper()
	dial := func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) }
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	reply, err := client.Get("http://vbladefs/metrics")
	if err != nil {
		return ""
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Errorf("%s: %v", reply.Status, err)
	}
	return string(text)
}

// TestMetrics: what a client does shows at a Unix socket, which is for its owner alone and
// goes with the daemon.
func TestMetrics(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "metrics.sock")
	d, c, _ := watched(t, "-metrics", socket)
	readAll(t, c.open("0.1"))
	d.await("the reads show", func() bool {
		return strings.Contains(scrape(t, socket), `vbladefs_export_transferred_bytes_total{drive="do",export="e0.1",operation="read"} 1.048576e+06`+"\n")
	})
	for _, want := range []string{`vbladefs_exports{health="ok"} 1`, `vbladefs_interface_initiators{interface="eth0"} 1`,
		`vbladefs_build_info{goversion="go`, "process_open_fds "} {
		if text := scrape(t, socket); !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is left")
	}
}

// TestMetricsOverTCP: an address that is taken is refused at the start, and a privileged
// port was opened before the daemon gave up what that takes.
func TestMetricsOverTCP(t *testing.T) {
	t.Parallel()
	here := netiotest.New(t)
	here.Run("ip", "link", "set", "lo", "up")
	d := serve(t, here, "-metrics", "127.0.0.1:99")
	var text []byte
	here.Do(func() {
		conn, err := net.Dial("tcp", "127.0.0.1:99")
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /metrics HTTP/1.0\r\n\r\n")
		text, _ = io.ReadAll(conn)
	})
	if !strings.Contains(string(text), `vbladefs_exports{health="down"} 0`) {
		t.Errorf("got %s", text)
	}
	second := start(t, here, "serve", "-metrics", "127.0.0.1:99", mountDir(t))
	if code := second.exitCode(); code != 1 || !strings.Contains(second.stderr.String(), "-metrics: ") {
		t.Errorf("exit code %d: %s", code, second.stderr)
	}
	wrong := start(t, here, "serve", "-metrics", "9736", "/nowhere")
	if code := wrong.exitCode(); code != 2 || !strings.Contains(wrong.stderr.String(), "want HOST:PORT") {
		t.Errorf("exit code %d: %s", code, wrong.stderr)
	}
	d.check()
}

// TestMetricsTakenOver: a daemon that takes over answers at the same address.
func TestMetricsTakenOver(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "metrics.sock")
	here, state := netiotest.New(t), t.TempDir()
	first := serve(t, here, "-metrics", socket, "-state", state)
	second := start(t, here, "serve", "-takeover", "-metrics", socket, "-state", state, first.dir)
	second.dir = first.dir
	if code := first.exitCode(); code != 0 {
		t.Errorf("the first one ended with %d", code)
	}
	second.await("it answers", func() bool { return strings.Contains(scrape(t, socket), "vbladefs_exports") })
	if code := second.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is left")
	}
}
