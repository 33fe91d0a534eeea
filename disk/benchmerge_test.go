package disk

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkMerge compares requests that are merged with the same ones each by itself, in turns: sequential requests, which
// gain, and random ones, which must not lose.
func BenchmarkMerge(b *testing.B) {
	path := benchFile(b, 64<<20)
	for _, op := range []Op{Read, Write} {
		for _, order := range []string{"sequential", "random"} {
			for _, bytes := range []int{1024, 4096} {
				b.Run(fmt.Sprintf("%s/%s/%d", opNames[op], order, bytes), func(b *testing.B) {
					rates, busy := map[int32][]float64{}, map[int32][]float64{}
					first, second := int32(1), int32(mergeMembers)
					for b.Loop() {
						for _, members := range []int32{first, second} {
							rate, each := mergeRate(b, path, op, order, bytes, members)
							rates[members], busy[members] = append(rates[members], rate), append(busy[members], each)
						}
						first, second = second, first
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(median(rates[1]), "single/s")
					b.ReportMetric(median(rates[mergeMembers]), "merged/s")
					b.ReportMetric(median(busy[1]), "single-ns")
					b.ReportMetric(median(busy[mergeMembers]), "merged-ns")
				})
			}
		}
	}
}

// mergeRate submits batches of 16 with two in flight, as a worker that gets frames in batches does, and returns requests a
// second, and the time for each that this thread was busy.
func mergeRate(b *testing.B, path string, op Op, order string, bytes int, members int32) (rate, busyEach float64) {
	b.Helper()
	const batch, batches = 16, 2
	q, s := newUringQueue(b, ringEntries, ringInFlight), open(b, path, Options{Policy: Direct})
	q.mergeMembers = members
	defer s.Close()
	defer q.Close()
	data := buffers(b, batch*batches*16384)
	if err := q.RegisterBuffers(data); err != nil {
		b.Fatal(err)
	}
	tokens, errs := make([]uint64, batch*batches), make([]error, batch*batches)
	random := rand.New(rand.NewPCG(1, 1))
	blocks := s.SizeBytes() / int64(bytes)
	free := make([]uint64, 0, batch*batches)
	for token := range uint64(batch * batches) {
		free = append(free, token)
	}
	var place int64
	var busy time.Duration
	finished := 0
	begin := time.Now()
	for now := begin; now.Sub(begin) < benchTime/4; {
		worked := len(free) >= batch
		if worked {
			for _, token := range free[len(free)-batch:] {
				if place++; order == "random" {
					place = random.Int64N(blocks)
				}
				q.Submit(s, op, data[token*16384:][:bytes], place%blocks*int64(bytes), token)
			}
			free = free[:len(free)-batch]
		}
		n := q.Reap(tokens, errs)
		for i := range n {
			if errs[i] != nil {
				b.Fatal(errs[i])
			}
		}
		free = append(free, tokens[:n]...)
		finished += n
		then := now
		if now = time.Now(); worked || n > 0 {
			busy += now.Sub(then)
		}
	}
	elapsed := time.Since(begin)
	for len(free) < batch*batches {
		free = append(free, tokens[:q.Reap(tokens, errs)]...)
	}
	return float64(finished) / elapsed.Seconds(), float64(busy) / float64(finished)
}
