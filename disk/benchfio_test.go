package disk

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// benchTime is how long each side of a comparison runs.
const benchTime = 2 * time.Second

// BenchmarkAgainstFio compares O_DIRECT requests of 4 KiB at random places of a file on a real file system with those of
// fio's io_uring engine on the same file, in turns: each iteration is one run of each (-benchtime 5x gives medians of 5).
func BenchmarkAgainstFio(b *testing.B) {
	path := benchFile(b, 512<<20)
	for _, op := range []Op{Read, Write} {
		for _, depth := range []int{16, 64} {
			b.Run(fmt.Sprintf("%s/depth%d", opNames[op], depth), func(b *testing.B) {
				var ours, fio, ratios, busy []float64
				for b.Loop() {
					theirs := fioRate(b, path, op, depth)
					rate, each := ourRate(b, path, op, depth)
					ours, fio, busy = append(ours, rate), append(fio, theirs), append(busy, each)
					ratios = append(ratios, rate/theirs)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(ours), "requests/s")
				b.ReportMetric(median(fio), "fio/s")
				b.ReportMetric(median(ratios), "×fio")
				b.ReportMetric(median(busy), "ns/request")
			})
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// benchFile makes a file whose blocks are all written, so that every read goes to the disk.
func benchFile(b *testing.B, sizeBytes int64) string {
	b.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "vbladefs-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	f, err := os.Create(filepath.Join(dir, "image"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), sizeBytes); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return f.Name()
}

// fioRate is how many requests a second fio does.
func fioRate(b *testing.B, path string, op Op, depth int) float64 {
	b.Helper()
	out := run(b, "fio", "--name=peer", "--filename="+path, "--ioengine=io_uring", "--direct=1", "--bs=4k", "--time_based",
		"--rw=rand"+opNames[op], "--iodepth="+fmt.Sprint(depth), fmt.Sprintf("--runtime=%dms", benchTime.Milliseconds()),
		"--output-format=json")
	var report struct {
		Jobs []map[string]json.RawMessage
	}
	var side struct{ IOPS float64 }
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Jobs) != 1 {
		b.Fatalf("fio printed %s: %v", out, err)
	}
	if err := json.Unmarshal(report.Jobs[0][opNames[op]], &side); err != nil {
		b.Fatal(err)
	}
	return side.IOPS
}

// ourRate is how many requests a second a UringQueue does whose owner never sleeps, and the time that its turns take for
// each request, without those in which there is nothing to do.
func ourRate(b *testing.B, path string, op Op, depth int) (rate, busyEach float64) {
	b.Helper()
	q, s := made(b, func() (Queue, error) { return NewUring() }), open(b, path, Options{Policy: Direct})
	defer s.Close()
	defer q.Close()
	data := buffers(b, depth*4096)
	if err := q.(*UringQueue).RegisterBuffers(data); err != nil {
		b.Fatal(err)
	}
	tokens, errs := make([]uint64, depth), make([]error, depth)
	blocks := s.SizeBytes() / 4096
	random := rand.New(rand.NewPCG(1, uint64(depth)))
	submit := func(token uint64) {
		q.Submit(s, op, data[token*4096:][:4096], random.Int64N(blocks)*4096, token)
	}
	for token := range depth {
		submit(uint64(token))
	}
	finished := 0
	var busy time.Duration
	begin := time.Now()
	last := 0
	for now := begin; now.Sub(begin) < benchTime; {
		n := q.Reap(tokens, errs)
		for i, token := range tokens[:n] {
			if errs[i] != nil {
				b.Fatal(errs[i])
			}
			submit(token)
		}
		finished += n
		then := now
		if now = time.Now(); n > 0 || last > 0 { // something was reaped, or submitted
			busy += now.Sub(then)
		}
		last = n
	}
	elapsed := time.Since(begin)
	for left := depth; left > 0; {
		left -= q.Reap(tokens, errs)
	}
	return float64(finished) / elapsed.Seconds(), float64(busy) / float64(finished)
}
