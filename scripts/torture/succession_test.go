package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestSuccessions is a short form of the tables of crashes and take-overs.
func TestSuccessions(t *testing.T) {
	daemon := program(t)
	for _, row := range append(crashes[:len(crashes):len(crashes)], takeovers...) {
		t.Run(row.name, func(t *testing.T) {
			times := 2
			if n := len(row.flags); n > 0 {
				times = n
			}
			s := row.run(daemon, times, 1)
			var text bytes.Buffer
			if print := printCrash; row.takes {
				printTakeover(&text, s)
			} else {
				print(&text, s)
			}
			t.Log(text.String())
			if s.bad()+s.lost > 0 {
				t.Errorf("%d errors, %d lost, %v: %q", s.bad(), s.lost, s.outcome.err, s.outcome.errors)
			}
			if s.outcome.writes == 0 || !row.takes && s.back == 0 {
				t.Error("this has tested nothing")
			}
		})
	}
}

// TestSuccessionsSeeWhatIsLost spoils the disk behind the daemon's back, as one
// that forgets a write.
func TestSuccessionsSeeWhatIsLost(t *testing.T) {
	s := crashes[0]
	s.spoil = func(image string) error { return os.WriteFile(image, make([]byte, exportBytes+2*guardBytes), 0o600) }
	got := s.run(program(t), 1, 1)
	if got.lost == 0 || got.bad() == 0 || !strings.Contains(strings.Join(got.outcome.errors, "\n"), "lost") {
		t.Errorf("%d lost, %d errors: %q", got.lost, got.bad(), got.outcome.errors)
	}
}
