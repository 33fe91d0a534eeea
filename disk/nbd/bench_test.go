package nbd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"vbladefs/disk"
)

// benchTime is how long each side of a comparison runs.
const benchTime = time.Second

// BenchmarkAgainstFio compares requests at random places of an export, 16 at a time, with those of fio's nbd engine (which
// is libnbd) to the same server, in turns: each iteration is one run of each (-benchtime 5x gives medians of 5). The owner
// sleeps when there is nothing to do, as a worker does.
func BenchmarkAgainstFio(b *testing.B) {
	need(b, "fio", "bench-disk")
	for name, at := range map[string]func() string{
		"unix": func() string { _, uri := nbdkit(b, "memory", "256M"); return uri },
		"tcp": func() string {
			port := freePort(b)
			start(b, "127.0.0.1:"+port, "nbdkit", "-f", "-i", "127.0.0.1", "-p", port, "memory", "256M")
			return "nbd://127.0.0.1:" + port
		},
	} {
		uri := at()
		for _, op := range []disk.Op{disk.Read, disk.Write} {
			for _, block := range []int{4096, 16384} {
				b.Run(fmt.Sprintf("%s/%s/%d", name, opNames[op], block), func(b *testing.B) {
					var ours, fio, ratios []float64
					for b.Loop() {
						theirs := fioRate(b, uri, op, block)
						rate := ourRate(b, uri, op, block)
						ours, fio, ratios = append(ours, rate), append(fio, theirs), append(ratios, rate/theirs)
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(median(ours), "requests/s")
					b.ReportMetric(median(fio), "fio/s")
					b.ReportMetric(median(ratios), "×fio")
				})
			}
		}
	}
}

const benchDepth = 16

var opNames = map[disk.Op]string{disk.Read: "read", disk.Write: "write"}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// fioRate is how many requests a second fio does.
func fioRate(b *testing.B, uri string, op disk.Op, block int) float64 {
	b.Helper()
	out, err := exec.Command("fio", "--name=peer", "--ioengine=nbd", "--uri="+uri, fmt.Sprint("--bs=", block), "--size=256M",
		"--time_based", "--rw=rand"+opNames[op], fmt.Sprint("--iodepth=", benchDepth), fmt.Sprintf("--runtime=%dms", benchTime.Milliseconds()),
		"--output-format=json").Output()
	if err != nil {
		b.Fatalf("fio: %v: %s", err, out)
	}
	var report struct {
		Jobs []map[string]json.RawMessage
	}
	var side struct{ IOPS float64 }
	text := string(out)
	if err := json.Unmarshal([]byte(text[max(0, strings.Index(text, "{")):]), &report); err != nil || len(report.Jobs) != 1 {
		b.Fatalf("fio printed %s: %v", out, err)
	}
	if err := json.Unmarshal(report.Jobs[0][opNames[op]], &side); err != nil {
		b.Fatal(err)
	}
	return side.IOPS
}

// ourRate is how many a Queue does.
func ourRate(b *testing.B, uri string, op disk.Op, block int) float64 {
	b.Helper()
	s, o := open(b, uri, Options{}), newOwner(b)
	data := make([]byte, benchDepth*block)
	tokens, errs := make([]uint64, benchDepth), make([]error, benchDepth)
	blocks := s.SizeBytes() / int64(block)
	random := rand.New(rand.NewPCG(1, uint64(block)))
	for token := range benchDepth {
		o.q.Submit(s, op, data[token*block:][:block], random.Int64N(blocks)*int64(block), uint64(token))
	}
	finished := 0
	begin := time.Now()
	for time.Since(begin) < benchTime {
		n := o.q.Reap(tokens, errs)
		for i, token := range tokens[:n] {
			if errs[i] != nil {
				b.Fatal(errs[i])
			}
			o.q.Submit(s, op, data[token*uint64(block):][:block], random.Int64N(blocks)*int64(block), token)
		}
		finished += n
		if n == 0 && !o.q.Sleep() {
			<-o.woke
			o.q.Awake()
		}
	}
	rate := float64(finished) / time.Since(begin).Seconds()
	o.q.Close()
	_ = s.Close()
	return rate
}
