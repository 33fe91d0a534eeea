package engine

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"vbladefs/disk"
	"vbladefs/target"
)

// TestBuffersAreRegistered registers a worker's memory with each kind of queue, and then what cannot be registered.
func TestBuffersAreRegistered(t *testing.T) {
	for kind, refusals := range map[string]int{"sync": 0, "uring": 1} {
		var logged bytes.Buffer
		log := logrus.New()
		log.SetOutput(&logged)
		memory, err := disk.AllocBuffers(64 << 10)
		if err != nil {
			t.Fatal(err)
		}
		open := queueOpener(Options{Log: log, IO: kind}, disk.NewQueue)
		for round := range 2 {
			q, err := open()
			if err != nil {
				t.Fatal(err)
			}
			q.(target.BufferRegistrar).RegisterBuffers(memory)
			if round == 0 && logged.Len() > 0 {
				t.Errorf("%s logged %s", kind, logged.String())
			}
			q.(target.BufferRegistrar).RegisterBuffers(memory) // once too often
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := strings.Count(logged.String(), "direct I/O is slower"); n != refusals {
			t.Errorf("%s: %d refusals were logged, want %d: %s", kind, n, refusals, logged.String())
		}
		if err := disk.FreeBuffers(memory); err != nil {
			t.Error(err)
		}
	}
}
