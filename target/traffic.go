package target

import "sync/atomic"

// This file counts what passes the links. A worker adds each batch to plain
// numbers of its own, and these now and then to those of its interface: atomic
// additions for each batch would be a fifth of what serving one frame takes.

// traffic is what passed the links of an interface, as far as its workers have
// added it.
type traffic struct{ frames, bytes, batches atomic.Uint64 }

func (t *traffic) describe() Traffic {
	return Traffic{t.frames.Load(), t.bytes.Load(), t.batches.Load()}
}

// take adds what a worker counted, which begins anew.
func (t *traffic) take(counted *Traffic) {
	if counted.Batches == 0 {
		return
	}
	t.frames.Add(counted.Frames)
	t.bytes.Add(counted.Bytes)
	t.batches.Add(counted.Batches)
	*counted = Traffic{}
}

// batch counts one batch.
func (t *Traffic) batch(frames, bytes int) {
	t.Frames += uint64(frames)
	t.Bytes += uint64(bytes)
	t.Batches++
}
