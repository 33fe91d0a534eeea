package main

import (
	"strings"
	"testing"
	"time"
)

// TestSoak is a short form of the soak: a few rounds of changes at full load.
func TestSoak(t *testing.T) {
	s, err := runSoak(t.Context(), program(t), 3*time.Second, 1, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d reads, %d writes, %d bytes checked, %d changes in %d rounds, %d goroutines, %+v", s.reads, s.writes, s.checked, s.changes, s.rounds, s.goroutines, s.samples)
	if s.failed > 0 || s.wrong > 0 {
		t.Errorf("%d failed, %d wrong sectors: %q", s.failed, s.wrong, s.errors)
	}
	if s.rounds == 0 || s.reads == 0 || s.writes == 0 || s.goroutines < 5 || len(s.samples) == 0 {
		t.Error("this has tested nothing")
	}
}

// TestSoakSeesGrowth: what becomes more is told, and what breathes is not.
func TestSoakSeesGrowth(t *testing.T) {
	for _, c := range []struct {
		name  string
		grow  func(f *footprint, i int)
		wants string
	}{
		{"nothing", func(f *footprint, i int) { f.resident += int64(i%2) << 20; f.files += i % 3 }, ""},
		{"memory", func(f *footprint, i int) { f.resident += int64(i) << 20 }, "bytes resident"},
		{"files", func(f *footprint, i int) { f.files += i }, "files"},
		{"threads", func(f *footprint, i int) { f.threads += 3 * i }, "threads"},
	} {
		s := soak{goroutines: 30}
		for i := range 30 {
			f := footprint{resident: 30 << 20, files: 40, threads: 12}
			c.grow(&f, i)
			s.samples = append(s.samples, f)
		}
		got := strings.Join(s.grown(28), "; ")
		if c.wants == "" && got != "" || !strings.Contains(got, c.wants) {
			t.Errorf("%s: %q, want %q", c.name, got, c.wants)
		}
	}
	if s := (soak{goroutines: 60, samples: make([]footprint, 3)}); len(s.grown(30)) != 1 {
		t.Error("30 goroutines more go unseen")
	}
}
