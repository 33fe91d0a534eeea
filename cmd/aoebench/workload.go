package main

import (
	"math/bits"
	"math/rand/v2"
)

// workload chooses the blocks of I/Os: block n is the n-th of --bs bytes.
type workload struct {
	blocks    uint64
	random    bool
	readShare uint64 // percent
	next      uint64 // of a sequential workload
	rnd       *rand.PCG
}

func newWorkload(o *options, blocks uint64) *workload {
	k := kinds[o.rw]
	w := &workload{blocks: blocks, random: k.random, rnd: rand.NewPCG(o.seed, 0x616f65)}
	switch {
	case !k.writes:
		w.readShare = 100
	case k.reads:
		w.readShare = uint64(o.readShare)
	}
	return w
}

// below is a random number below n, by the product of n and 64 random bits.
func (w *workload) below(n uint64) uint64 {
	hi, _ := bits.Mul64(w.rnd.Uint64(), n)
	return hi
}

func (w *workload) writes() bool {
	return w.readShare < 100 && (w.readShare == 0 || w.below(100) >= w.readShare)
}

func (w *workload) block() uint64 {
	if w.random {
		return w.below(w.blocks)
	}
	b := w.next
	if w.next++; w.next == w.blocks {
		w.next = 0
	}
	return b
}
