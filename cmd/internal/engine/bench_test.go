package engine

import (
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// BenchmarkRead reads 4 KiB at random places of a file in the page cache, over
// veth: the whole way of a request, initiator and target in one process.
//
//	go test -run '^$' -bench Read -cpuprofile cpu.out ./cmd/internal/engine
func BenchmarkRead(b *testing.B) {
	const depth, block = 16, 4096
	_, _, x := exportOn(b, Options{Link: "ring", Cache: target.CacheWriteback}, 9000, 64<<20)
	blocks := uint64(x.Size()) / block
	var ios [depth]initiator.IO
	lba, done := uint64(1), 0
	e := x.Engine()
	submit := func(io *initiator.IO) {
		lba = lba*6364136223846793005 + 1442695040888963407
		io.Op, io.LBA = initiator.Read, lba>>33%blocks*(block/aoe.SectorSize)
		if err := e.Submit(io); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(block)
	b.ResetTimer()
	for i := range ios {
		ios[i].Data = make([]byte, block)
		submit(&ios[i])
	}
	for done < b.N {
		if err := e.Push(); err != nil {
			b.Fatal(err)
		}
		finished, err := e.Poll()
		if err != nil {
			b.Fatal(err)
		}
		for _, io := range finished {
			if io.Err != nil {
				b.Fatal(io.Err)
			}
			submit(io)
			done++
		}
	}
}
