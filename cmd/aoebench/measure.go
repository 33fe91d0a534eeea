package main

import (
	"time"

	"vbladefs/target/aoe/initiator"
)

// measure collects what I/Os took between from and until, by the engine's
// clock; others are counted as errors only. Its owner is the loop of bench.
type measure struct {
	from, until time.Duration
	reads       histogram
	writes      histogram
	total       uint64 // I/Os of all phases, for the progress
	errors      uint64 // of all phases
	first       []string
	last        time.Duration // when the last I/O measured was done
}

// maxErrors is how many errors are kept in words.
const maxErrors = 10

func (m *measure) add(write bool, err error, latency, done time.Duration) {
	m.total++
	switch {
	case err != nil:
		if m.errors++; len(m.first) < maxErrors {
			m.first = append(m.first, err.Error())
		}
	case done < m.from || done >= m.until:
	case write:
		m.writes.add(latency)
		m.last = done
	default:
		m.reads.add(latency)
		m.last = done
	}
}

// tally is everything that is counted besides I/Os, at one moment.
type tally struct {
	at           time.Duration
	frames       initiator.Counters
	receiveDrops uint64
	sendDrops    uint64
	cpu          time.Duration // of the target
	spun         time.Duration // of this program
}
