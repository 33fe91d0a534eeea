package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets whose width is 1/64 of their value or
// less, so that a percentile is at most 1.6 % too high, from nanoseconds to
// centuries, in fixed memory (the idea of HdrHistogram). The maximum is exact.
type histogram struct {
	buckets [fineBits * 64]uint64
	count   uint64
	sum     time.Duration
	max     time.Duration
}

// fineBits is the buckets to a power of two.
const fineBits = 64

// bucket is where v is counted: below 64 by itself, then by its 7 leading bits.
func bucket(v uint64) int {
	if v < fineBits {
		return int(v)
	}
	shift := bits.Len64(v) - 7
	return (shift+1)*fineBits + int(v>>shift) - fineBits
}

// upper is the largest value counted in bucket i.
func upper(i int) uint64 {
	if i < fineBits {
		return uint64(i)
	}
	shift := i/fineBits - 1
	return (uint64(i%fineBits+fineBits)+1)<<shift - 1
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucket(uint64(d))]++
	h.count++
	h.sum += d
	h.max = max(h.max, d)
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// percentile is the duration that a share p (0 to 1) of all is not above.
func (h *histogram) percentile(p float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := max(uint64(p*float64(h.count)+0.5), 1)
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; seen >= rank {
			return min(time.Duration(upper(i)), h.max)
		}
	}
	return h.max
}

func (h *histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}
