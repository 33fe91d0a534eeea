package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestOnlyLeavesTheRestOut(t *testing.T) {
	o, err := parseOptions([]string{"-only", "loss", "-crashes", "3"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.stale != 0 || o.cuts != 0 || o.takeovers != 0 || o.crashes != 3 {
		t.Errorf("stale %d, cuts %v, takeovers %d, crashes %d, want the last alone, 3", o.stale, o.cuts, o.takeovers, o.crashes)
	}
	if o, err = parseOptions([]string{"-only", "-", "-cuts", "1m"}, io.Discard); err != nil || o.cuts != time.Minute || o.crashes != 0 {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = parseOptions(nil, io.Discard); err != nil || o.stale == 0 || o.cuts == 0 || o.crashes == 0 || o.takeovers == 0 {
		t.Errorf("without -only something is left out: %+v, %v", o, err)
	}
	if _, err = parseOptions([]string{"-only", "lose"}, io.Discard); err == nil || !strings.Contains(err.Error(), "loss 10 %") {
		t.Errorf("%v, want the names of the faults", err)
	}
}
