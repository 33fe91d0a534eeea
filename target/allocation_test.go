package target_test

import (
	"fmt"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

var (
	blade    = aoe.Addr{Shelf: 1, Slot: 0}
	wildcard = aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}
)

// loopRig lends the worker of a target with two exports on eth0.
func loopRig(t testing.TB) *target.Borrowed {
	rig := newRigOf(t, 1)
	rig.Interface("eth0", 4200)
	for i, name := range []string{"a", "b"} {
		must(t, rig.Target().Do(target.AddDrive{Name: name, Path: rig.Disk(name, 1000, false)}))
		must(t, rig.Target().Do(target.AddPort{Drive: name, Addr: aoe.Addr{Shelf: 1, Slot: uint8(i)}, Interface: "eth0", Buffers: 256}))
	}
	rig.Machine().Quiesce()
	worker := target.Borrow(rig.Target(), "eth0")
	t.Cleanup(worker.Return)
	return worker
}

// repeated is n times the frame, of addresses that do not overlap if apart.
func repeated(n int, frame func(i int) []byte) [][]byte {
	var frames [][]byte
	for i := range n {
		frames = append(frames, frame(i))
	}
	return frames
}

// One turn with a whole batch of any kind allocates nothing.
func TestNothingAllocates(t *testing.T) {
	data := make([]byte, 4096)
	tests := map[string]struct {
		frame   func(i int) []byte
		replies int // each
	}{
		"read":              {func(i int) []byte { return readFrame(blade, 1, 8*i, 8) }, 1},
		"write":             {func(i int) []byte { return writeFrame(blade, 1, 8*i, data) }, 1},
		"overlapping write": {func(i int) []byte { return writeFrame(blade, 1, i%3, data) }, 1},
		"flush":             {func(int) []byte { return commandFrame(blade, 1, 0xe7, 0) }, 1},
		"write cache off":   {func(int) []byte { return commandFrame(blade, 1, 0xef, 0x82) }, 1},
		"query":             {func(int) []byte { return queryFrame(blade, 1) }, 1},
		"query to all":      {func(int) []byte { return queryFrame(wildcard, 1) }, 2},
		"identify":          {func(int) []byte { return commandFrame(blade, 1, 0xec, 0) }, 1},
		"smart":             {func(int) []byte { return commandFrame(blade, 1, 0xb0, 0xd0) }, 1},
		"refused":           {func(int) []byte { return readFrame(blade, 1, 0, 200) }, 1},
		"out of range":      {func(int) []byte { return readFrame(blade, 1, 999, 2) }, 1},
		"unknown command":   {func(int) []byte { return frameOf(blade, 9, 1, 60) }, 1},
		"mask list":         {func(int) []byte { return frameOf(blade, aoe.CmdMaskList, 1, 60) }, 1},
		"reserve list":      {func(int) []byte { return frameOf(blade, aoe.CmdReserve, 1, 60) }, 1},
		"foreign address":   {func(int) []byte { return queryFrame(aoe.Addr{Shelf: 7}, 1) }, 0},
		"too short":         {func(int) []byte { return frameOf(blade, aoe.CmdATA, 1, 30) }, 0},
		"of two hosts":      {func(i int) []byte { return fromHost(queryFrame(blade, 1), i%2) }, 1},
		"of many hosts":     {func(i int) []byte { return fromHost(queryFrame(blade, 1), i) }, 1},
		"reply":             {func(int) []byte { return replyFrame(targettest.MAC("eth0"), blade) }, 0},
		"write to all":      {func(int) []byte { return writeFrame(wildcard, 1, 0, data) }, 0},
	}
	worker := loopRig(t)
	for _, async := range []bool{false, true} {
		for name, tt := range tests {
			t.Run(fmt.Sprintf("%s/async=%v", name, async), func(t *testing.T) {
				link, queue := &loopLink{frames: repeated(96, tt.frame)}, &loopQueue{async: async}
				rounds := 0
				worker.With(link, queue, func() {
					allocations := testing.AllocsPerRun(20, func() {
						rounds++
						link.arm()
						for worker.Turn() {
						}
					})
					if allocations != 0 {
						t.Errorf("%v allocations in a round of %d frames", allocations, len(link.frames))
					}
				})
				if want := rounds * len(link.frames) * tt.replies; link.sent != want {
					t.Errorf("%d replies in %d rounds, want %d", link.sent, rounds, want)
				}
			})
		}
	}
}

// BenchmarkTurn is the cost of a request but for the link and the drive, by
// how many come at once.
func BenchmarkTurn(b *testing.B) {
	data := make([]byte, 4096)
	for name, frame := range map[string]func(i int) []byte{
		"read4K":   func(i int) []byte { return readFrame(blade, 1, 8*i, 8) },
		"write4K":  func(i int) []byte { return writeFrame(blade, 1, 8*i, data) },
		"query":    func(int) []byte { return queryFrame(blade, 1) },
		"identify": func(int) []byte { return commandFrame(blade, 1, 0xec, 0) },
	} {
		for _, batch := range []int{1, 8, 64} {
			for _, async := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/batch=%d/async=%v", name, batch, async), func(b *testing.B) {
					link := &loopLink{frames: repeated(batch, frame)}
					worker := loopRig(b)
					b.ReportAllocs()
					worker.With(link, &loopQueue{async: async}, func() {
						for b.Loop() {
							link.arm()
							for worker.Turn() {
							}
						}
					})
					if link.sent != b.N*batch {
						b.Fatalf("%d replies to %d requests", link.sent, b.N*batch)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(link.sent), "ns/request")
				})
			}
		}
	}
}
