package main

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"vbladefs/scripts/torture/powercut"
)

var (
	cutSeconds = flag.Float64("cut.seconds", 0.7, "how long each trial of TestPowerCuts lasts")
	cutSeed    = flag.Uint64("cut.seed", 0, "seed of TestPowerCuts; 0: a new one")
)

// TestPowerCuts: after a loss of power at any moment, the disk holds what the
// client was promised, and IDENTIFY has told the truth of that.
func TestPowerCuts(t *testing.T) {
	daemon := program(t)
	seed := *cutSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for _, on := range cutSetups {
		t.Run(on.name, func(t *testing.T) {
			c := on.run(daemon, time.Duration(*cutSeconds*float64(time.Second)), seed, on.keeps, false)
			t.Logf("seed %d: %+v", seed, *c.Result)
			if c.bad() > 0 {
				t.Errorf("%v, %d wrong versions, %d torn, %d lies:\n%s", c.err, c.Wrong, c.Torn, c.Lies, strings.Join(c.Reports, "\n"))
			}
			if q := c.Requests; q[powercut.Write] == 0 || q[powercut.Identify] == 0 || c.Flushes == 0 || c.Most < 2 || c.Images == 0 {
				t.Error("this has tested nothing")
			}
		})
	}
}

// TestPowerCutsSeeBrokenPromises has targets that answer too early, and one that
// says too little.
func TestPowerCutsSeeBrokenPromises(t *testing.T) {
	daemon := program(t)
	for _, tt := range []struct {
		name           string
		on             cutSetup
		keeps, forgets bool
		wrong, lies    bool
	}{
		{"writes answered before a flush", cutSetups[3], true, false, true, true},
		{"writes answered from the page cache", cutSetups[7], true, false, true, true},
		{"durable writes on a disk that does not flush", cutSetups[0], true, true, true, false},
		{"flushes answered before they are done", cutSetups[6], false, true, true, false},
		{"a cache told of that is none", cutSetups[0], false, false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.on.run(daemon, 700*time.Millisecond, 1, tt.keeps, tt.forgets)
			if c.err != nil {
				t.Fatal(c.err)
			}
			if c.Wrong > 0 != tt.wrong || c.Lies > 0 != tt.lies {
				t.Errorf("%d wrong versions, %d lies, want some: %v, %v; %q", c.Wrong, c.Lies, tt.wrong, tt.lies, c.Reports)
			}
		})
	}
}

// TestTornIsAnError where writes go past the page cache: with every policy but writeback.
func TestTornIsAnError(t *testing.T) {
	for _, on := range cutSetups {
		c := &cut{cutSetup: on, Result: &powercut.Result{Torn: 1}}
		want := uint64(1)
		if on.cached {
			want = 0
		}
		if c.bad() != want || on.cached && on.keeps {
			t.Errorf("%v: a torn sector is %d errors, want %d; it may not be torn if durable", on, c.bad(), want)
		}
	}
}
