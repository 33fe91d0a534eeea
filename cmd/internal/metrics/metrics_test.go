package metrics

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// played is a source with so many exports.
type played int

func (n played) Exports(each func(int, *target.Latencies)) (list []target.ExportInfo) {
	var l target.Latencies
	l[target.ReadTransfer] = target.Latency{Sum: 3 * time.Second}
	l[target.ReadTransfer].Counts[0], l[target.ReadTransfer].Counts[target.LatencyBuckets-1] = 5, 1
	for i := range int(n) {
		list = append(list, target.ExportInfo{Addr: aoe.Addr{Shelf: uint16(i / 250), Slot: uint8(i % 250)}, Drive: fmt.Sprintf("d%d", i), Sectors: 8,
			Health: target.Health(i % 3), Ports: 2, Up: 1, Hosts: 3, Conflicts: 4, Buffers: 5,
			Stats: target.Stats{Reads: 6, ReadSectors: 7, Writes: 8, WriteSectors: 9, Others: 10, Errors: 11, Dropped: 12, InFlight: 13, ATAErrors: 4, Full: 5}})
		each(i, &l)
	}
	return list
}

func (played) Interfaces() []target.InterfaceInfo {
	return []target.InterfaceInfo{{Name: "eth\xff", MTU: 9000, Up: true, Workers: 1, Ports: 2, Ignored: 3, Foreign: 4, ReceiveDrops: 5, SendDrops: 6,
		Received: target.Traffic{Frames: 7, Bytes: 8, Batches: 9}, Sent: target.Traffic{Frames: 10, Bytes: 11, Batches: 12}}}
}

func (played) Clients(string) []target.Client {
	return []target.Client{{Last: time.Now()}, {Last: time.Now().Add(-time.Hour)}}
}

// Each number of the source comes where it belongs.
func TestCollect(t *testing.T) {
	const export = `export="e0.0",drive="d0"`
	want := map[string]string{
		`vbladefs_exports{health="ok"}`: "1", `vbladefs_exports{health="down"}`: "0", `vbladefs_export_up{` + export + `}`: "1",
		`vbladefs_export_size_bytes{` + export + `}`: "4096", `vbladefs_export_ports_up{` + export + `}`: "1",
		`vbladefs_export_requests_total{` + export + `,operation="read"}`:                      "6",
		`vbladefs_export_requests_total{` + export + `,operation="other"}`:                     "10",
		`vbladefs_export_transferred_bytes_total{` + export + `,operation="write"}`:            "4608",
		`vbladefs_export_errors_total{` + export + `,kind="aoe"}`:                              "7",
		`vbladefs_export_dropped_requests_total{` + export + `,reason="buffers"}`:              "5",
		`vbladefs_export_dropped_requests_total{` + export + `,reason="other"}`:                "7",
		`vbladefs_export_requests_in_flight{` + export + `}`:                                   "13",
		`vbladefs_export_request_duration_seconds_sum{` + export + `,operation="read"}`:        "3",
		`vbladefs_export_request_duration_seconds_count{` + export + `,operation="read"}`:      "6",
		`vbladefs_export_latency_seconds_bucket{` + export + `,operation="read",le="1e-06"}`:   "5",
		`vbladefs_export_latency_seconds_bucket{` + export + `,operation="read",le="+Inf"}`:    "6",
		`vbladefs_export_latency_seconds_bucket{` + export + `,operation="read",le="1.6e-05"}`: "5",
		`vbladefs_request_duration_seconds_bucket{operation="read",le="2.097152"}`:             "5",
		`vbladefs_interface_initiators{interface="eth?"}`:                                      "1",
		`vbladefs_interface_dropped_frames_total{interface="eth?",direction="sent"}`:           "6",
		`vbladefs_interface_ignored_frames_total{interface="eth?",reason="address"}`:           "4",
	}
	text := scrape(t, played(1), "/metrics?latency=export")
	have := map[string]string{}
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		have[sortLabels(series+"}")] = value
	}
	for series, value := range want {
		if got := have[sortLabels(series)]; got != value {
			t.Errorf("%s is %q, want %s", series, got, value)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	for _, absent := range []string{`,operation="read",le="2e-06"`, `,operation="write",le="1e-06"`} {
		if _, there := have[sortLabels("vbladefs_export_latency_seconds_bucket{"+export+absent+"}")]; there {
			t.Errorf("a bucket in between, or of what there was none of, is shown: %s", absent)
		}
	}
	if plain := scrape(t, played(1), "/metrics"); strings.Contains(plain, "export_latency_seconds") || !strings.Contains(plain, "process_cpu_seconds_total") {
		t.Error("histograms of each export come unasked, or the process does not")
	}
}

// sortLabels makes the order of labels that of the exposition, by name.
func sortLabels(series string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	list := strings.Split(labels, ",")
	for i := range list { // few enough
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return name + "{" + strings.Join(list, ",") + "}"
}

func scrape(t testing.TB, s Source, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	handler(s, "1.2").ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// The names keep the conventions, and what is collected is what was described.
func TestLint(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(&collector{played(3), "1.2", true})
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if problems, err := promlint.New(strings.NewReader(scrape(t, played(3), "/metrics"))).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("what is scraped: %v, %v", problems, err)
	}
}

func TestAddresses(t *testing.T) {
	for _, good := range []string{"localhost:9736", ":0", "[::1]:80", "/run/x.sock", "./x", "127.0.0.1:http"} {
		if err := CheckAddress(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "localhost", "localhost:", ":no-such-service", "9736", "::1:80:"} {
		if err := CheckAddress(bad); bad != "localhost:" && err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	w := httptest.NewRecorder()
	handler(played(1), "1.2").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics?latency=x", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("latency=x: %d", w.Code)
	}
}

// The metrics of 10,000 exports: how many there are, how large, and how long it takes.
func BenchmarkScrape10000(b *testing.B) {
	for _, path := range []string{"/metrics", "/metrics?latency=export"} {
		b.Run(path[1:], func(b *testing.B) {
			h := handler(played(10000), "1.2")
			size, packed := 0, 0
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				packed = w.Body.Len()
				z, err := gzip.NewReader(w.Body)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, z)
				if err != nil {
					b.Fatal(err)
				}
				size = int(n)
			}
			b.ReportMetric(float64(size), "bytes")
			b.ReportMetric(float64(packed), "gzipped-bytes")
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/scrape")
		})
	}
}
