package main

import (
	"runtime/debug"
	"testing"
)

func TestHurryLeavesTheCollectorAsItWas(t *testing.T) {
	was := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(was) })
	for _, tt := range []struct{ usual, hurried int }{{100, hurriedGC}, {1000, 1000}, {-1, -1}} {
		debug.SetGCPercent(tt.usual)
		done := hurry()
		if got := debug.SetGCPercent(tt.hurried); got != tt.hurried {
			t.Errorf("GOGC %d: %d in a hurry, want %d", tt.usual, got, tt.hurried)
		}
		done()
		if got := debug.SetGCPercent(tt.usual); got != tt.usual {
			t.Errorf("GOGC %d is %d afterwards", tt.usual, got)
		}
	}
}
