package main

import (
	"bytes"
	"testing"

	"vbladefs/target/aoe"
)

// TestLedger plays small stories on sector 5. Each is a list of steps: w sends
// a write, a acknowledges the oldest one in flight, f fails it, and digits are
// generations that a read sent and answered now may return; ! says that the
// generation behind it may not.
func TestLedger(t *testing.T) {
	const lba = 5
	for _, c := range []struct {
		name    string
		steps   string
		resent  bool
		maximum uint32
	}{
		{"acknowledged", "w a 1 !0 w 1 2 a !1 2", false, 2},
		{"nothing yet", "0 w 0 1 a !0 1", false, 1},
		{"overlapping, sent once", "w w a a !0 !1 2", false, 2},
		{"overlapping, sent again", "w w a a !0 1 2 w a !1 !2 3", true, 3},
		{"failed writes may land later", "w a w f 1 2 w a !1 2 3", false, 3},
		{"never sent", "w a !7 1", false, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger(stamper{run: 1, seed: 2, addr: aoe.Addr{Shelf: 3, Slot: 4}}, 10)
			data := make([]byte, 512)
			generations := [][]byte{bytes.Repeat([]byte{0x5a}, 512)}
			for gen := uint32(1); gen <= c.maximum; gen++ {
				b := make([]byte, 512)
				l.fill(b, lba, gen)
				generations = append(generations, b)
			}
			refuse := false
			for i, step := range c.steps {
				switch step {
				case 'w':
					l.sendWrite(lba, data)
				case 'a', 'f':
					l.wrote(lba, 512, step == 'a', !c.resent)
				case '!':
					refuse = true
				case ' ':
				default:
					floors := make([]uint32, 1)
					l.sendRead(lba, floors)
					before := l.badTotal()
					l.didRead(lba, generations[step-'0'], floors)
					if bad := l.badTotal() > before; bad != refuse {
						t.Fatalf("step %d, %q: refused %v, want %v", i, c.steps[:i+1], bad, refuse)
					}
					refuse = false
				}
			}
		})
	}
}

func TestLedgerReadDuringWrites(t *testing.T) {
	l := newLedger(stamper{run: 1, addr: aoe.Addr{Slot: 1}}, 4)
	data, floors := make([]byte, 512), make([]uint32, 1)
	old := make([]byte, 512)
	l.sendWrite(0, old)
	l.wrote(0, 512, true, true)
	l.sendRead(0, floors) // generation 1 was there when it was sent
	l.sendWrite(0, data)
	l.wrote(0, 512, true, true)
	l.didRead(0, old, floors)
	l.didRead(0, data, floors)
	if l.badTotal() != 0 {
		t.Fatalf("a read around a write may return either: %+v", l.reports)
	}
	l.sendRead(0, floors)
	if l.didRead(0, old, floors); l.bad[badStale] != 1 {
		t.Fatalf("a read after the write returned the old data: %v", l.bad)
	}
}

func TestLedgerKinds(t *testing.T) {
	for _, c := range []struct {
		want  badKind
		spoil func(l *ledger, now, before []byte) []byte
	}{
		{badLost, func(_ *ledger, now, _ []byte) []byte { return make([]byte, 512) }},
		{badLost, func(l *ledger, now, _ []byte) []byte {
			other := stamper{run: l.run + 1, seed: l.seed, addr: l.addr}
			other.fill(now, 2, 2)
			return now
		}},
		{badStale, func(_ *ledger, _, before []byte) []byte { return before }},
		{badMisplaced, func(l *ledger, now, _ []byte) []byte { l.fill(now, 3, 2); return now }},
		{badMisplaced, func(l *ledger, now, _ []byte) []byte {
			other := l.stamper
			other.addr.Slot++
			other.fill(now, 2, 2)
			return now
		}},
		{badTorn, func(_ *ledger, now, before []byte) []byte { return append(now[:256:256], before[256:]...) }},
		{badTorn, func(_ *ledger, now, before []byte) []byte { return append(before[:48:48], now[48:]...) }},
		{badTorn, func(_ *ledger, now, _ []byte) []byte { return append(make([]byte, 256), now[256:]...) }},
		{badTorn, func(_ *ledger, now, _ []byte) []byte { return append(now[:256:256], make([]byte, 256)...) }},
		{badDamaged, func(_ *ledger, now, _ []byte) []byte { now[100] ^= 1; return now }},
		{badDamaged, func(_ *ledger, now, _ []byte) []byte { now[511] ^= 0x80; return now }},
		{badFuture, func(l *ledger, now, _ []byte) []byte { l.fill(now, 2, 9); return now }},
	} {
		l := newLedger(stamper{run: 7, seed: 8, addr: aoe.Addr{Shelf: 1, Slot: 2}}, 4)
		before, now, floors := make([]byte, 512), make([]byte, 512), make([]uint32, 1)
		for _, b := range [][]byte{before, now} {
			l.sendWrite(2, b)
			l.wrote(2, 512, true, true)
		}
		l.sendRead(2, floors)
		if l.didRead(2, now, floors); l.badTotal() != 0 {
			t.Fatalf("good data is bad: %+v", l.reports)
		}
		if l.didRead(2, c.spoil(l, now, before), floors); l.badTotal() != 1 || l.bad[c.want] != 1 {
			t.Errorf("want %s, got %+v", badNames[c.want], l.reports)
		}
	}
}

func TestLedgerUnwritten(t *testing.T) {
	l := newLedger(stamper{run: 1}, 4)
	floors := make([]uint32, 1)
	a, b := bytes.Repeat([]byte{1}, 512), bytes.Repeat([]byte{2}, 512)
	l.didRead(1, a, floors)
	l.didRead(1, a, floors)
	if l.badTotal() != 0 || l.unknown != 2 {
		t.Fatalf("unwritten data: %+v, %d unknown", l.reports, l.unknown)
	}
	if l.didRead(1, b, floors); l.bad[badChanged] != 1 {
		t.Fatal("an unwritten sector changed unseen")
	}
}
