package main

import (
	"math/bits"
	"math/rand/v2"
)

// workload chooses the blocks of I/Os: block n is the n-th of --bs bytes.
type workload struct {
	exports   uint64
	blocks    uint64 // of each export
	random    bool
	readShare uint64   // percent
	next      []uint64 // block of each export, of a sequential workload
	rnd       *rand.PCG
}

func newWorkload(o *options, exports int, blocks uint64) *workload {
	k := kinds[o.rw]
	w := &workload{exports: uint64(exports), blocks: blocks, random: k.random, next: make([]uint64, exports), rnd: rand.NewPCG(o.seed, 0x616f65)}
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

// place is the next one: a block of any export.
func (w *workload) place() place {
	var p place
	if w.exports > 1 {
		p.export = int(w.below(w.exports))
	}
	if w.random {
		p.block = w.below(w.blocks)
		return p
	}
	next := &w.next[p.export]
	p.block = *next
	if *next++; *next == w.blocks {
		*next = 0
	}
	return p
}
