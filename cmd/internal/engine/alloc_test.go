package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/aoe/initiator"
)

// request is one kind of request of the allocation test: aim readies an IO, and
// right tells whether it went as it should.
type request struct {
	name  string
	aim   func(io *initiator.IO, blocks uint64)
	right func(io *initiator.IO) bool

	initiator float64 // what the initiator itself allocates for each
}

const allocBlock = 4096

// requests carry stamps: each block begins with its own number.
var requests = []request{
	{"write", func(io *initiator.IO, blocks uint64) {
		io.Op = initiator.Write
		nextBlock(io, blocks)
		binary.LittleEndian.PutUint64(io.Data, io.LBA)
	}, func(io *initiator.IO) bool { return io.Err == nil }, 0},
	{"read", func(io *initiator.IO, blocks uint64) {
		io.Op = initiator.Read
		nextBlock(io, blocks)
		binary.LittleEndian.PutUint64(io.Data, 1<<63)
	}, func(io *initiator.IO) bool { return io.Err == nil && binary.LittleEndian.Uint64(io.Data) == io.LBA }, 0},
	{"identify", func(io *initiator.IO, _ uint64) {
		io.Op, io.Regs, io.Data = initiator.ATA, aoe.ATA{Count: 1, Command: 0xec}, io.Data[:aoe.SectorSize]
	}, func(io *initiator.IO) bool { return io.Err == nil && bytes.Contains(io.Data, []byte("bvaled")) }, 0}, // firmware, swapped
	{"refused", func(io *initiator.IO, _ uint64) { // READ NATIVE MAX is none of ours
		io.Op, io.Regs, io.Data = initiator.ATA, aoe.ATA{Command: 0xf8}, nil
	}, func(io *initiator.IO) bool { return io.Err != nil }, 1}, // its *ATAError
}

// nextBlock walks over the export in steps that are no neighbours.
func nextBlock(io *initiator.IO, blocks uint64) {
	const perBlock = allocBlock / aoe.SectorSize
	io.Data = io.Data[:allocBlock]
	io.LBA = (io.LBA/perBlock + 7) % blocks * perBlock
}

// TestNothingAllocates runs requests the whole way over the ring, initiator,
// kernel, target and file, and counts what the process allocates: nothing that
// grows with the requests, by every write policy. The raw link is left out: its
// library allocates for each frame.
func TestNothingAllocates(t *testing.T) {
	for _, c := range []struct {
		io      string
		cache   target.Cache
		workers int
	}{
		{"uring", target.CacheWriteback, 1}, {"uring", target.CacheDirect, 1}, {"uring", target.CacheDurable, 1},
		{"sync", target.CacheDirect, 1}, // the others do not differ
		{"uring", target.CacheWriteback, 3},
	} {
		t.Run(fmt.Sprintf("%s/%s/workers=%d", c.io, c.cache, c.workers), func(t *testing.T) {
			_, _, x := exportOn(t, Options{Link: "ring", IO: c.io, Cache: c.cache, Workers: c.workers}, 9000, 8<<20)
			stampAll(t, x)
			for _, r := range requests {
				const n = 5000
				r.run(t, x, 3000) // pools and goroutines grow to what is needed
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				r.run(t, x, n)
				runtime.ReadMemStats(&after)
				each := float64(after.Mallocs-before.Mallocs) / n
				t.Logf("%-8s %.4f allocations a request", r.name, each)
				if most := 0.05 + r.initiator; each > most {
					t.Errorf("%s: %.4f allocations a request, want at most %.2f", r.name, each, most)
				}
			}
		})
	}
}

// stampAll writes every block once: which blocks the requests reach depends on
// the order in which they complete.
func stampAll(t *testing.T, x *initiator.Export) {
	t.Helper()
	all := make([]byte, x.Size())
	for at := 0; at < len(all); at += allocBlock {
		binary.LittleEndian.PutUint64(all[at:], uint64(at/aoe.SectorSize))
	}
	if _, err := x.WriteAt(all, 0); err != nil {
		t.Fatal(err)
	}
}

// run keeps eight requests outstanding until n are done.
func (r request) run(t *testing.T, x *initiator.Export, n int) {
	t.Helper()
	e, blocks := x.Engine(), uint64(x.Size())/allocBlock
	var ios [8]initiator.IO
	for i := range ios {
		ios[i].Data = make([]byte, allocBlock)
		ios[i].LBA = uint64(i) * (allocBlock / aoe.SectorSize)
		r.aim(&ios[i], blocks)
		if err := e.Submit(&ios[i]); err != nil {
			t.Fatal(err)
		}
	}
	for submitted, done := len(ios), 0; done < submitted; {
		if err := e.Push(); err != nil {
			t.Fatal(err)
		}
		finished, err := e.Poll()
		if err != nil {
			t.Fatal(err)
		}
		for _, io := range finished {
			if done++; !r.right(io) {
				t.Fatalf("%s of sector %d: %v", r.name, io.LBA, io.Err)
			}
			if submitted < n {
				r.aim(io, blocks)
				if err := e.Submit(io); err != nil {
					t.Fatal(err)
				}
				submitted++
			}
		}
	}
}
