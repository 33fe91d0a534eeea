package main

import "time"

// everyBlock is the source that takes each wanted block once, in order.
func (b *bench) everyBlock(write bool, wanted func(block uint64) bool) source {
	var next uint64
	return func(time.Duration) (place, bool, time.Duration, sourceState) {
		for ; next < b.blocks && !b.stop.Load(); next++ {
			if wanted(next) {
				next++
				return place{block: next - 1}, write, -1, sourceReady
			}
		}
		return place{}, false, -1, sourceEnd
	}
}

// prepare writes every block once.
func (b *bench) prepare() error {
	return b.run("prepare", b.everyBlock(true, func(uint64) bool { return true }))
}

// readBack reads all that was written, so that writes are checked even if the
// load never read them.
func (b *bench) readBack() error {
	return b.run("read back", b.everyBlock(false, func(block uint64) bool { return b.written[block] }))
}

// tries is how many blocks are looked at for one that no outstanding I/O
// forbids; with fewer free blocks than that the depth is not reached.
const tries = 32

// load is the source of the measured phase: it begins with the warm-up and ends
// with the runtime. It takes the tally at both ends of the runtime.
func (b *bench) load() source {
	w := newWorkload(b.o, len(b.exports), b.blocks)
	mayConflict := kinds[b.o.rw].writes
	start, warm, ended := b.now, true, false
	b.m.from = start + b.o.warmup
	b.m.until = b.m.from + b.o.runtime
	var count float64
	return func(now time.Duration) (place, bool, time.Duration, sourceState) {
		if warm && now >= b.m.from {
			warm, b.before = false, b.tally(now)
		}
		if b.stop.Load() {
			b.m.until = min(b.m.until, max(now, b.m.from))
		}
		if now >= b.m.until || ended || warm && b.stop.Load() {
			if !ended {
				ended, b.after = true, b.tally(now)
			}
			return place{}, false, -1, sourceEnd
		}
		due := time.Duration(-1)
		if b.o.rate > 0 {
			if due = start + time.Duration(count/b.o.rate*1e9); due > now {
				return place{}, false, -1, sourceWait
			}
		}
		write := w.writes()
		for range tries {
			to := w.place()
			if !mayConflict || !b.conflicts(to, write) {
				count++
				return to, write, due, sourceReady
			}
		}
		return place{}, false, -1, sourceWait
	}
}

// tally is what is counted so far.
func (b *bench) tally(now time.Duration) tally {
	t := tally{at: now, frames: *b.engine.Counters(), receiveDrops: b.link.ReceiveDrops(), sendDrops: b.link.SendDrops(), spun: b.spun}
	t.cpu, b.cpuErr = cpuTimes(b.o.pids)
	return t
}
