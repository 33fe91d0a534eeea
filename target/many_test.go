package target_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// manyRig lends the worker of a target with n exports on eth0, of one drive or of
// a drive each, and a batch of reads for each of a thousand turns.
func manyRig(b *testing.B, n int, oneDrive bool) (*target.Borrowed, *loopLink) {
	rig := newRigOf(b, 1)
	rig.Interface("eth0", 4200)
	name := ""
	for i := range n {
		if i == 0 || !oneDrive {
			name = fmt.Sprintf("d%d", i)
			must(b, rig.Target().Do(target.AddDrive{Name: name, Path: rig.Disk(name, 64, false)}))
		}
		must(b, rig.Target().Do(target.AddPort{Drive: name, Addr: manyAddr(i), Interface: "eth0", Buffers: 256}))
	}
	rig.Machine().Quiesce()
	worker := target.Borrow(rig.Target(), "eth0")
	b.Cleanup(worker.Return)
	random := rand.New(rand.NewPCG(1, uint64(n)))
	link := &loopLink{frames: repeated(16000, func(i int) []byte {
		return readFrame(manyAddr(random.IntN(n)), uint32(i+1), 8*random.IntN(8), 8)
	})}
	return worker, link
}

func manyAddr(i int) aoe.Addr { return aoe.Addr{Shelf: uint16(i / 250), Slot: uint8(i % 250)} }

// BenchmarkExports is the cost of a read but for the link and the drive, by how
// many exports the reads are spread over.
func BenchmarkExports(b *testing.B) {
	for _, c := range []struct {
		exports  int
		oneDrive bool
	}{{1, true}, {256, true}, {10000, true}, {10000, false}} {
		b.Run(fmt.Sprintf("exports=%d/onedrive=%v", c.exports, c.oneDrive), func(b *testing.B) {
			worker, link := manyRig(b, c.exports, c.oneDrive)
			worker.With(link, &loopQueue{}, func() {
				for b.Loop() {
					link.arm()
					for worker.Turn() {
					}
				}
			})
			if link.sent != b.N*len(link.frames) {
				b.Fatalf("%d replies to %d requests", link.sent, b.N*len(link.frames))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(link.sent), "ns/request")
		})
	}
}
