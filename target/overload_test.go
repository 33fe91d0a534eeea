package target_test

import (
	"fmt"
	"slices"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// crowdedLink is a loopLink that knows how much it holds, and keeps the tags of
// what it sends.
type crowdedLink struct {
	loopLink
	tags []uint32
}

func (l *crowdedLink) Waiting() (frames, most int) { return len(l.frames) - l.next, 2048 }

func (l *crowdedLink) Send(headers, payloads [][]byte) (int, error) {
	for _, header := range headers {
		h, _ := aoe.DecodeHeader(header)
		l.tags = append(l.tags, h.Tag)
	}
	return l.loopLink.Send(headers, payloads)
}

// innocentTags are those of the requests that a flood must not push out.
const innocentTags = 1 << 20

// flooded is what waits in a link: a flood with others in between.
func flooded(n int, flood func(i int) []byte, others int, other func(tag uint32, i int) []byte) [][]byte {
	frames := repeated(n, flood)
	for i := range others {
		frames = slices.Insert(frames, 64+i*(len(frames)-64)/others, other(innocentTags+uint32(i), i))
	}
	return frames
}

// While a link is full of a flood, of whichever kind, requests of others are all
// answered, in order, and of the flood some.
func TestFloodsPushNobodyOut(t *testing.T) {
	second := aoe.Addr{Shelf: 1, Slot: 1}
	read := func(tag uint32, i int) []byte { return fromHost(readFrame(second, tag, 8*i, 8), 77_777) }
	for _, c := range []struct {
		name   string
		flood  func(i int) []byte
		others int
		other  func(tag uint32, i int) []byte
		shed   bool
	}{
		{"reads of one host", func(i int) []byte { return readFrame(blade, uint32(i), i%900, 1) }, 64, read, true},
		{"queries of many hosts", func(i int) []byte { return fromHost(queryFrame(blade, uint32(i)), i) }, 64, read, true},
		{"queries of one host for many exports", func(i int) []byte { return queryFrame(aoe.Addr{Shelf: 1, Slot: uint8(i)}, uint32(i)) }, 64, read, true},
		{"reads, and those of the same host elsewhere", func(i int) []byte { return fromHost(readFrame(blade, uint32(i), i%400, 1), 3) }, 20,
			func(tag uint32, i int) []byte { return fromHost(readFrame(second, tag, 8*i, 8), 77_777-i) }, true},
		{"noise", func(i int) []byte { return frameOf(blade, aoe.CmdATA, 1, 24+i%30)[:20+i%30] }, 64, read, true},
		{"replies", func(i int) []byte { return replyFrame(host(i), aoe.Addr{Shelf: uint16(i)}) }, 64, read, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			worker := loopRig(t)
			worker.SeedOverload(1) // nobody shares the buckets of the flood by chance
			link := &crowdedLink{loopLink: loopLink{frames: flooded(1500, c.flood, c.others, c.other)}}
			worker.With(link, &loopQueue{}, func() {
				for worker.Turn() {
				}
			})
			flood := checkOthers(t, link.tags, c.others)
			if shed := worker.Shed(); (shed > 0) != c.shed || shed+flood > 1500 {
				t.Errorf("%d of the flood are dropped, %d answered", shed, flood)
			}
		})
	}
}

// checkOthers checks that the innocent requests are answered once each and in order,
// and returns how many others are.
func checkOthers(t *testing.T, tags []uint32, want int) (flood int) {
	t.Helper()
	next := uint32(innocentTags)
	for _, tag := range tags {
		switch {
		case tag < innocentTags:
			flood++
		case tag != next:
			t.Fatalf("reply %#x comes where %#x should", tag, next)
		default:
			next++
		}
	}
	if got := int(next - innocentTags); got != want {
		t.Errorf("%d of %d requests are answered beside the flood", got, want)
	}
	return flood
}

// Many initiators at once are no flood, if each has no more outstanding than it may:
// nothing is dropped, however full the link is.
func TestManyInitiatorsAreNoFlood(t *testing.T) {
	for _, hosts := range []int{24, 60, 500} {
		t.Run(fmt.Sprint(hosts), func(t *testing.T) {
			worker := loopRig(t)
			worker.SeedOverload(1) // nobody shares the buckets of others by chance
			link := &crowdedLink{loopLink: loopLink{frames: repeated(1500, func(i int) []byte {
				return fromHost(readFrame(aoe.Addr{Shelf: 1, Slot: uint8(i % 2)}, uint32(i), i%900, 1), i%hosts)
			})}}
			worker.With(link, &loopQueue{}, func() {
				for worker.Turn() {
				}
			})
			if worker.Shed() != 0 || link.sent != 1500 {
				t.Errorf("%d of 1500 requests are answered, %d dropped", link.sent, worker.Shed())
			}
		})
	}
}

// Who shares its buckets with floods is dropped like them, but not for long.
func TestSharedBuckets(t *testing.T) {
	chooser := target.NewChooser(1)
	floods := repeated(10*66, func(i int) []byte {
		return fromHost(readFrame(aoe.Addr{Shelf: 1, Slot: uint8(i % 10)}, 0, i, 1), i%10)
	})
	dropped := func(first, hosts int) int {
		frames := floods
		for host := first; host < first+hosts; host++ {
			frames = append(frames, fromHost(readFrame(aoe.Addr{Shelf: 2}, uint32(host), 0, 1), host))
		}
		next := first
		for _, frame := range chooser.Choose(frames) {
			if h, _ := aoe.DecodeHeader(frame); int(h.Tag) > next {
				break
			} else if int(h.Tag) == next {
				next++
			}
		}
		return next
	}
	const hosts = 300
	first, unlucky := 100, 0
	for ; unlucky == 0; first += hosts {
		if first > 1_000_000 {
			t.Fatal("nobody shares the buckets of the floods")
		}
		if host := dropped(first, hosts); host < first+hosts {
			unlucky = host
		}
	}
	chooser.Forget()
	if dropped(unlucky, 1) == unlucky {
		t.Errorf("host %d is dropped with the floods again", unlucky)
	}
}

// Choosing allocates nothing.
func TestOverloadAllocatesNothing(t *testing.T) {
	worker := loopRig(t)
	link := &crowdedLink{loopLink: loopLink{frames: repeated(1500, func(i int) []byte { return readFrame(blade, 1, i%900, 1) })}}
	worker.With(&link.loopLink, &loopQueue{}, func() {}) // as it is between two tests
	worker.With(link, &loopQueue{}, func() {
		if n := testing.AllocsPerRun(20, func() {
			link.tags = link.tags[:0]
			link.arm()
			for worker.Turn() {
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
	if worker.Shed() == 0 {
		t.Error("nothing is dropped: that was no overload")
	}
}

// BenchmarkChoose is what a frame costs that is dropped.
func BenchmarkChoose(b *testing.B) {
	var frames [][]byte
	for i := range target.MostLooked {
		frames = append(frames, readFrame(blade, uint32(i), i%900, 1))
	}
	chooser := target.NewChooser(1)
	for b.Loop() {
		chooser.Choose(frames)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(frames)), "ns/frame")
}
