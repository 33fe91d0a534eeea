package target_test

import (
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// However many addresses others claim, the table of neighbours stays at its 65,536
// entries, and some MiB.
func TestNeighboursAreBounded(t *testing.T) {
	const most, mostBytes = 1 << 16, 24 << 20
	m, tgt := listening(t, time.Nanosecond)
	before := heap()
	next := 0
	claim := func(n int) {
		for range n {
			next++
			m.Inject("eth0", replyFrame(host(next%5000), aoe.Addr{Shelf: uint16(100 + next/250), Slot: uint8(next % 250)}))
		}
		m.Quiesce()
	}
	until(t, "the table is full", func() bool {
		claim(4000)
		n := target.Neighbours(tgt, "eth0")
		if n < 0 || n > most {
			t.Fatalf("%d neighbours, want at most %d", n, most)
		}
		return n == most
	})
	claim(4000)
	if len(answer(m, "eth0", queryFrame(aoe.Addr{Shelf: 9, Slot: 9}, 5))) != 1 {
		t.Error("requests are not answered behind the flood")
	}
	if n := target.Neighbours(tgt, "eth0"); n != most {
		t.Errorf("%d neighbours, want %d", n, most)
	}
	m.Asked("eth0")
	grown := heap() - before
	t.Logf("%d claims: %d KiB", next, grown>>10)
	if grown > mostBytes {
		t.Errorf("%d bytes are taken by neighbours, want at most %d", grown, mostBytes)
	}
}
