package main_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatching measures a load with and without somebody who asks for everything ten times
// a second: metrics, stats, status, latency and initiators. With VBLADEFS_STRICT=1 that may
// cost no more than 5 %, on a machine that has a processor to spare.
func TestWatching(t *testing.T) {
	rounds, span := 2, 300*time.Millisecond
	if strict() {
		rounds, span = 10, 2*time.Second
	}
	socket := filepath.Join(t.TempDir(), "metrics.sock")
	d, c, _ := watched(t, "-metrics", socket, "-cache", "writeback")
	x := c.open("0.1")
	reads := func() (n int) {
		b := make([]byte, 256<<10)
		for end := time.Now().Add(span); time.Now().Before(end); n++ {
			if _, err := x.ReadAt(b, 0); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	alone, beside, scrapes := 0, 0, 0
	for range rounds { // in turns, as the machine has other things to do, too
		alone += reads()
		stop, stopped := make(chan struct{}), make(chan int)
		go func() { stopped <- d.lookEach(t, socket, 100*time.Millisecond, stop) }()
		beside += reads()
		close(stop)
		scrapes += <-stopped
	}
	ratio := float64(beside) / float64(alone)
	t.Logf("%d reads of 256 KiB alone, %d beside %d scrapes: ratio %.3f", alone, beside, scrapes, ratio)
	if scrapes == 0 || beside == 0 {
		t.Error("nothing was measured")
	}
	if strict() && ratio < 0.95 {
		t.Errorf("watching takes %.1f %% of a load", 100*(1-ratio))
	}
}

// lookEach reads everything again and again until stop, and returns how often.
func (d *daemon) lookEach(t *testing.T, socket string, pause time.Duration, stop chan struct{}) (n int) {
	for ; ; n++ {
		select {
		case <-stop:
			return n
		case <-time.After(pause):
		}
		if scrape(t, socket) == "" {
			t.Error("no metrics")
		}
		for _, name := range []string{"targets/stats", "targets/status", "targets/e0.1/latency", "interfaces/eth0/initiators", "interfaces/eth0/traffic"} {
			if _, err := os.ReadFile(filepath.Join(d.dir, name)); err != nil {
				t.Error(err)
			}
		}
	}
}
