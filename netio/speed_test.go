package netio

import (
	"fmt"
	"testing"
	"time"

	"vbladefs/netio/netiotest"
)

// echo sends n frames from a to b, sends them back from b, and receives them on a: two sends and two
// receives a frame, on one thread.
type echo struct {
	a, b      Link
	out, back [][]byte // headers
	payloads  [][]byte
	frames    [][]byte
}

func newEcho(t testing.TB, kind string, payloadBytes, n int) *echo {
	nsA, nsB := netiotest.Pair(t, 9000)
	e := &echo{a: openIn(t, nsA, "eth0", Options{Kind: kind}), b: openIn(t, nsB, "eth0", Options{Kind: kind})}
	macA, macB := lookupIn(t, nsA, "eth0").MAC, lookupIn(t, nsB, "eth0").MAC
	for i := range n {
		e.out = append(e.out, frame(macB, macA, 36, i))
		e.back = append(e.back, frame(macA, macB, 36, i))
		e.payloads = append(e.payloads, make([]byte, payloadBytes))
	}
	e.frames = make([][]byte, n)
	return e
}

func (e *echo) turn(t testing.TB) {
	e.pass(t, e.a, e.b, e.out)
	e.pass(t, e.b, e.a, e.back)
}

func (e *echo) pass(t testing.TB, from, to Link, headers [][]byte) {
	if _, err := from.Send(headers, e.payloads); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for got := 0; got < len(headers); {
		if time.Now().After(deadline) {
			t.Fatalf("frames lost: %d of %d came, %d dropped by the sender, %d by the receiver",
				got, len(headers), from.SendDrops(), to.ReceiveDrops())
		}
		n, err := to.Receive(e.frames)
		if err != nil {
			t.Fatal(err)
		}
		to.Release()
		got += n
		if n == 0 && to.Kind() == "raw" {
			waitReadable(t, to) // its reader needs the processor
		}
	}
}

func TestRingAllocatesNothing(t *testing.T) { allocatesNothing(t, "ring") }

func allocatesNothing(t *testing.T, kind string) {
	for _, batch := range []int{1, 32} {
		e := newEcho(t, kind, 4096, batch)
		if allocs := testing.AllocsPerRun(200, func() { e.turn(t) }); allocs != 0 {
			t.Errorf("batch of %d: %v allocations per turn", batch, allocs)
		}
		empty := make([][]byte, 1)
		if allocs := testing.AllocsPerRun(1000, func() { e.a.Receive(empty) }); allocs != 0 {
			t.Errorf("%v allocations per empty Receive", allocs)
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	for _, kind := range kinds {
		for _, payloadBytes := range []int{24, 4096, 8192} {
			for _, batch := range []int{1, 8, 32} {
				if kind == "raw" && payloadBytes > 24 && batch > 8 {
					continue // more than its socket's default receive buffer holds
				}
				b.Run(fmt.Sprintf("%s/%dB/batch%d", kind, payloadBytes, batch), func(b *testing.B) {
					e := newEcho(b, kind, payloadBytes, batch)
					b.ReportAllocs()
					b.ResetTimer()
					for range b.N {
						e.turn(b)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch*2), "ns/frame")
				})
			}
		}
	}
}

// BenchmarkEmptyReceive is what a spinning owner pays.
func BenchmarkEmptyReceive(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind, func(b *testing.B) {
			l := openIn(b, netiotest.New(b), "lo", Options{Kind: kind})
			frames := make([][]byte, 32)
			for b.Loop() {
				l.Receive(frames)
			}
		})
	}
}

// BenchmarkRingTake is what a frame costs in the ring itself, without the kernel: marking it received, taking
// it and giving it back.
func BenchmarkRingTake(b *testing.B) {
	for _, batch := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("batch%d", batch), func(b *testing.B) {
			r := newFakeRing(1500, 8)
			r.stamp = uint32(time.Now().Unix())
			frames := make([][]byte, batch)
			for b.Loop() {
				for range batch {
					r.fill(0, 60, 60)
				}
				if n, _ := r.take(frames); n != batch {
					b.Fatalf("took %d of %d", n, batch)
				}
				r.release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/frame")
		})
	}
}
