package fusectl

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

func newLogger() (*logrus.Logger, *Events) {
	log, events := logrus.New(), NewEvents()
	log.SetOutput(io.Discard)
	log.AddHook(events)
	return log, events
}

func TestEventsLine(t *testing.T) {
	log, events := newLogger()
	log.WithError(errors.New("why")).WithField("drive", "do").Warn("a\nb")
	got, _ := events.snapshot()
	_, line, _ := strings.Cut(string(got), " ")
	if want := "warning a?b drive=do error=why\n"; line != want {
		t.Errorf("got %q, want %q", line, want)
	}
	log.Info(strings.Repeat("x", 5000))
	if size, _ := events.size(); size != len(got)+maxEvent {
		t.Errorf("a long event takes %d bytes, want %d", size-len(got), maxEvent)
	}
}

// TestEventsBound fills the log several times over: it stays within its bound,
// begins with a whole line and ends with the newest.
func TestEventsBound(t *testing.T) {
	log, events := newLogger()
	log.Info("event 0")
	before, first := events.snapshot()
	kept := string(before)
	for i := range 20000 {
		log.Infof("event %d", i+1)
	}
	got, generation := events.snapshot()
	if generation == first || len(got) > maxEvents || len(got) < maxEvents/4 {
		t.Errorf("generation %d, %d bytes", generation, len(got))
	}
	if string(before) != kept {
		t.Error("an old snapshot has changed")
	}
	lines := strings.Split(strings.TrimSuffix(string(got), "\n"), "\n")
	for i, line := range lines {
		if want := fmt.Sprintf(" info event %d", 20000-len(lines)+1+i); !strings.HasSuffix(line, want) {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
	}
}
