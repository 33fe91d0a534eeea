package disk

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkTry is the cost of a request that the page cache answers at once.
func BenchmarkTry(b *testing.B) {
	for _, place := range []string{"file", "tmpfs", "loop"} {
		for _, op := range []Op{Read, Write} {
			b.Run(place+"/"+opNames[op], func(b *testing.B) {
				path, _ := places[place](b, 1<<20)
				s, q := open(b, path, Options{}), made(b, queues[0].make)
				data := buffers(b, 4096)
				if err := do(b, q, s, Read, data, 0); err != nil {
					b.Fatal(err)
				}
				if done, _ := q.Try(s, op, data, 0); !done {
					b.Skip("a write to the page cache of this place may wait")
				}
				for b.Loop() {
					if done, err := q.Try(s, op, data, 0); !done || err != nil {
						b.Fatal(done, err)
					}
				}
			})
		}
	}
}

var opNames = map[Op]string{Read: "read", Write: "write"}

// BenchmarkSubmit keeps 16 or 64 requests of 4 KiB in flight, with each kind of queue in turn.
func BenchmarkSubmit(b *testing.B) {
	for _, place := range []string{"file", "loop"} {
		for _, policy := range []Policy{Writeback, Direct} {
			for _, op := range []Op{Read, Write} {
				for _, depth := range []int{16, 64} {
					for _, kind := range queues[:2] {
						b.Run(fmt.Sprintf("%s/%v/%s/depth%d/%s", place, policy, opNames[op], depth, kind.name), func(b *testing.B) {
							path, _ := places[place](b, 16<<20)
							run(b, "sync", path) // blocks that are not allocated yet would be written another way
							s, q := open(b, path, Options{Policy: policy}), made(b, kind.make)
							before := cpuTime(b)
							submitAtDepth(b, q, s, op, depth)
							b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
							b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
						})
					}
				}
			}
		}
	}
}

// cpuTime is what the threads of this process have used.
func cpuTime(b *testing.B) int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return unix.TimevalToNsec(usage.Utime) + unix.TimevalToNsec(usage.Stime)
}

func submitAtDepth(b *testing.B, q Queue, s *Store, op Op, depth int) {
	data := buffers(b, depth*4096)
	tokens, errs := make([]uint64, depth), make([]error, depth)
	submitted, finished := 0, 0
	submit := func(slot int) {
		q.Submit(s, op, data[slot*4096:][:4096], int64(submitted*2654435761%4096)*4096, uint64(slot))
		submitted++
	}
	b.ResetTimer()
	for slot := 0; slot < depth && submitted < b.N; slot++ {
		submit(slot)
	}
	for finished < b.N {
		n := q.Reap(tokens, errs)
		if n == 0 {
			if err := q.Wait(-1, -1); err != nil {
				b.Fatal(err)
			}
		}
		for i := range n {
			if errs[i] != nil {
				b.Fatal(errs[i])
			}
			finished++
			if submitted < b.N {
				submit(int(tokens[i]))
			}
		}
	}
	b.StopTimer()
}

// BenchmarkInlineWrite is what a plain write to the page cache would cost, the alternative that try.go explains.
func BenchmarkInlineWrite(b *testing.B) {
	for _, place := range []string{"file", "loop"} {
		b.Run(place, func(b *testing.B) {
			path, _ := places[place](b, 1<<20)
			s, data := open(b, path, Options{}), buffers(b, 4096)
			for b.Loop() {
				if n, errno := transferInline(unix.SYS_PWRITEV2, s.fd, data, 0, 0); n != len(data) {
					b.Fatal(errno)
				}
			}
		})
	}
}

func buffers(t testing.TB, bytes int) []byte {
	t.Helper()
	data, err := AllocBuffers(bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { FreeBuffers(data) })
	return data
}
