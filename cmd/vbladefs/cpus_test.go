package main

import (
	"slices"
	"testing"
)

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{"": nil, "0": {0}, "0,2-3": {0, 2, 3}, "3,1": {3, 1}, "5-5,5": {5, 5}, "1022-1023": {1022, 1023}} {
		if got, err := parseCPUs(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", list, got, err, want)
		}
	}
	for _, list := range []string{",", "0,", "a", "-1", "1-", "3-2", "0-1-2", "1024", "0-99999999999999999999", "0x1", "+1", " 1", "1:2",
		"0-1023,0-1023,0"} {
		if got, err := parseCPUs(list); err == nil {
			t.Errorf("%q: %v, want an error", list, got)
		}
	}
}

// FuzzParseCPUs: a list or an error, and never a processor that cannot be.
func FuzzParseCPUs(f *testing.F) {
	f.Add("0,2-3")
	f.Add("1-1000,5,,-")
	f.Fuzz(func(t *testing.T, list string) {
		cpus, err := parseCPUs(list)
		if err != nil && cpus != nil || len(cpus) > 2*(maxCPU+1) {
			t.Fatalf("%q: %d processors, %v", list, len(cpus), err)
		}
		for _, cpu := range cpus {
			if cpu < 0 || cpu > maxCPU {
				t.Fatalf("%q: processor %d", list, cpu)
			}
		}
	})
}

func TestCheckCPUs(t *testing.T) {
	if err := checkCPUs([]int{maxCPU}); err == nil {
		t.Error("this machine has no processor 1023")
	}
	if err := checkCPUs(nil); err != nil {
		t.Error(err)
	}
}
