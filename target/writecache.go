package target

import "sync/atomic"

// initiatorCache is what initiators asked of a device's write cache with SET
// FEATURES. It never makes a write less safe than the cache policy.
//
//	on ── 0x82 ──▶ write-through ── its barrier has flushed ──▶ off
//	◀── 0x02 ───────────┴──────────────── 0x02 ──────────────────┘
//
// The cache is off only when nothing that was answered before can be lost, which
// is what an initiator takes IDENTIFY to say; writes are durable before that.
type initiatorCache struct{ state atomic.Uint64 }

// The bits of the state; the rest is a count of the times that it has left off or on.
const (
	cacheThrough = 1 << iota
	cacheOff
	cacheTurn
)

// through reports whether a write that arrives now is to be durable.
func (c *initiatorCache) through() bool { return c.state.Load()&cacheThrough != 0 }

// off reports whether nothing is volatile.
func (c *initiatorCache) off() bool { return c.state.Load()&cacheOff != 0 }

// set begins what SET FEATURES asks for: writes through the cache, or not.
func (c *initiatorCache) set(through bool) {
	for {
		old := c.state.Load()
		turn := old&^(cacheThrough|cacheOff) + cacheTurn
		switch {
		case through == (old&cacheThrough != 0):
			return
		case through:
			turn |= cacheThrough
		}
		if c.state.CompareAndSwap(old, turn) {
			return
		}
	}
}

// turn is what a barrier is told of when it is about to enter.
func (c *initiatorCache) turn() uint64 { return c.state.Load() }

// flushed takes the success of a barrier that entered at that turn. Whatever began
// as volatile before the turn had entered before the barrier; should the cache have
// been on again meanwhile, the barrier says nothing of what came then.
func (c *initiatorCache) flushed(turn uint64) {
	if turn&cacheThrough != 0 {
		c.state.CompareAndSwap(turn, turn|cacheOff)
	}
}
