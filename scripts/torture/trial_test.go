package main

import (
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	trialSeconds = flag.Float64("trial.seconds", 0.7, "how long each trial of TestTrials lasts")
	trialSeed    = flag.Uint64("trial.seed", 0, "seed of TestTrials; 0: a new one")
)

// TestTrials is a short form of the fault laboratory: every fault, on the setups
// in turn.
func TestTrials(t *testing.T) {
	daemon := program(t)
	seed := *trialSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			f.on = f.setupOf(i)
			o := f.run(daemon, time.Duration(*trialSeconds*float64(time.Second)), seed)
			t.Logf("seed %d: %v: %d reads, %d writes, %d refused, %d resent, %d bytes checked, stall %v; %d faults of the disk; %+v", seed, o.on, o.reads, o.writes, o.refused,
				o.resent, o.checked, o.stall, o.disks, o.counts)
			if o.bad() > 0 {
				t.Errorf("%d failed, %d wrong sectors, %v: %q", o.failed, o.wrong, o.err, o.errors)
			}
			if f.name != "none" && o.counts.Injected()+o.disks == 0 || o.reads+o.writes == 0 {
				t.Error("this has tested nothing")
			}
		})
	}
}

// TestTrialsSeeWhatIsWrong spoils the disk behind the daemon's back.
func TestTrialsSeeWhatIsWrong(t *testing.T) {
	daemon := program(t)
	for _, tt := range []struct {
		name, says string
		at         int64 // in the image
	}{{"a sector", "sector 3 is", guardBytes + 3*512 + 300}, {"before the export", "outside the export", guardBytes - 1},
		{"behind the export", "outside the export", guardBytes + exportBytes}} {
		t.Run(tt.name, func(t *testing.T) {
			o := trial{on: setups[0], spoil: func(image string) error {
				f, err := os.OpenFile(image, os.O_RDWR, 0)
				if err != nil {
					return err
				}
				b := make([]byte, 1)
				if _, err := f.ReadAt(b, tt.at); err != nil {
					return err
				}
				b[0] ^= 1
				if _, err := f.WriteAt(b, tt.at); err != nil {
					return err
				}
				return f.Close()
			}}.run(daemon, 10*time.Millisecond, 1)
			if o.err != nil || o.bad() != 1 || !strings.Contains(strings.Join(o.errors, "\n"), tt.says) {
				t.Errorf("%v, %d errors: %q; want one that says %q", o.err, o.bad(), o.errors, tt.says)
			}
		})
	}
}
