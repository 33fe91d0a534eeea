package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// diskBytes is the size of the file on a disk, which all contenders use.
const diskBytes = 512 << 20

// diskGroup reads with direct I/O from a file on a disk: us and vblade over AoE,
// and fio in place, which is what the disk and the kernel can do.
func (o *options) diskGroup(vblade string) group {
	g := group{name: "disk", pairs: []pair{{ours, "fio"}, {ours, "vblade"}}}
	goals := map[int][]goal{16: {{iops, "fio", 0.70, 0.85}}, 64: {{iops, "fio", 0.80, 0.95}}}
	for _, depth := range []int{1, 16, 64} {
		g.rows = append(g.rows, row{fmt.Sprintf("direct 4 KiB reads, depth %d", depth),
			load{RW: "randread", Block: "4k", Depth: depth}, []figure{iops, p50, p99, cpu}, goals[depth]})
	}
	var path string
	g.contenders = []contender{
		{"fio", func(r *rig, _ int) (s *served, err error) {
			path, err = diskFile(r.scratch)
			if err != nil {
				return nil, err
			}
			return &served{clean: func() { _ = os.Remove(path) }, measure: func(r *rig, l load, seconds float64) (measurement, error) {
				return r.fio(path, l, seconds)
			}}, nil
		}},
		{ours, func(r *rig, place int) (*served, error) { return r.serve("", place, []string{path}, "direct") }},
	}
	add := func(name, template string) {
		g.contenders = append(g.contenders, contender{name, func(r *rig, place int) (*served, error) {
			return r.serve(template, place, []string{path}, "")
		}})
	}
	add("vblade", vblade+" -d -b 64 {shelf} {slot} {interface} {file}")
	for _, p := range o.peers {
		add(p.name, p.command)
		g.pairs = append(g.pairs, pair{ours, p.name})
	}
	return g
}

// diskFile makes a file whose blocks are all on the disk.
func diskFile(dir string) (string, error) {
	f, err := os.CreateTemp(dir, "vbladefs-bench-*.img")
	if err != nil {
		return "", fmt.Errorf("-dir: %w", err)
	}
	err = fill(f, diskBytes)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// fio reads from the file itself, with one thread on the target's processor.
func (r *rig) fio(path string, l load, seconds float64) (measurement, error) {
	program, err := find("fio", "bench-disk")
	if err != nil {
		return measurement{}, err
	}
	milliseconds := func(ms int64) string { return strconv.FormatInt(ms, 10) + "ms" }
	out, _, err := r.output(&r.targets, program, "--name=bench", "--filename="+strings.ReplaceAll(path, ":", `\:`), "--rw="+l.RW, "--bs="+l.Block,
		"--ioengine=io_uring", "--direct=1", "--readonly", "--thread", "--iodepth="+strconv.Itoa(l.Depth), "--norandommap",
		"--randrepeat=0", "--time_based", "--runtime="+milliseconds(duration(seconds).Milliseconds()),
		"--ramp_time="+milliseconds(warmup(seconds).Milliseconds()), "--output-format=json")
	if err != nil {
		return measurement{}, err
	}
	return parseFio(out)
}

// parseFio reads fio's report. Its processor time is given in percent of the
// measured time.
func parseFio(out []byte) (measurement, error) {
	var report struct {
		Jobs []struct {
			Read struct {
				IOPS    float64 `json:"iops"`
				Latency struct {
					Percentile map[string]float64 `json:"percentile"`
				} `json:"clat_ns"`
			} `json:"read"`
			User   float64 `json:"usr_cpu"`
			System float64 `json:"sys_cpu"`
		} `json:"jobs"`
	}
	text := string(out)
	if at := strings.IndexByte(text, '{'); at > 0 {
		text = text[at:] // notes before it
	}
	if err := json.Unmarshal([]byte(text), &report); err != nil || len(report.Jobs) != 1 || report.Jobs[0].Read.IOPS <= 0 {
		return measurement{}, fmt.Errorf("fio's report: %w: %s", err, out)
	}
	job := report.Jobs[0]
	m := measurement{IOPS: job.Read.IOPS, Cores: (job.User + job.System) / 100}
	m.P50, m.P99 = job.Read.Latency.Percentile["50.000000"]/1e3, job.Read.Latency.Percentile["99.000000"]/1e3
	m.CPU = m.Cores * 1e6 / m.IOPS
	return m, nil
}
