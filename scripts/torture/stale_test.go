package main

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var staleRounds = flag.Uint64("stale.rounds", 3000, "rounds of TestStaleDuplicates on each setup")

// TestStaleDuplicates: no old copy of a write takes effect after a newer write
// was acknowledged, INITIATORS.md §8.9.
func TestStaleDuplicates(t *testing.T) {
	daemon := program(t)
	for _, on := range staleSetups {
		t.Run(on.String(), func(t *testing.T) {
			seed := rand.Uint64()
			s, err := runStale(daemon, on, *staleRounds, seed)
			t.Logf("seed %d: %d rounds, in %d of them the second copy took another interface, %d frames repeated", seed, s.rounds, s.crossed, s.resent)
			if err != nil {
				t.Error(err)
			}
			if s.rounds < *staleRounds || on.lines > 1 && s.crossed == 0 {
				t.Error("this has tested less than it says")
			}
		})
	}
}
