package ledger

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
			l := New(Stamper{Run: 1, Seed: 2, Addr: aoe.Addr{Shelf: 3, Slot: 4}}, 10)
			data := make([]byte, 512)
			generations := [][]byte{bytes.Repeat([]byte{0x5a}, 512)}
			for gen := uint32(1); gen <= c.maximum; gen++ {
				b := make([]byte, 512)
				l.Fill(b, lba, gen)
				generations = append(generations, b)
			}
			refuse := false
			for i, step := range c.steps {
				switch step {
				case 'w':
					l.SendWrite(lba, data)
				case 'a', 'f':
					l.Wrote(lba, 512, step == 'a', !c.resent)
				case '!':
					refuse = true
				case ' ':
				default:
					floors := make([]uint32, 1)
					l.SendRead(lba, floors)
					before := l.BadTotal()
					l.DidRead(lba, generations[step-'0'], floors)
					if bad := l.BadTotal() > before; bad != refuse {
						t.Fatalf("step %d, %q: refused %v, want %v", i, c.steps[:i+1], bad, refuse)
					}
					refuse = false
				}
			}
		})
	}
}

func TestLedgerReadDuringWrites(t *testing.T) {
	l := New(Stamper{Run: 1, Addr: aoe.Addr{Slot: 1}}, 4)
	data, floors := make([]byte, 512), make([]uint32, 1)
	old := make([]byte, 512)
	l.SendWrite(0, old)
	l.Wrote(0, 512, true, true)
	l.SendRead(0, floors) // generation 1 was there when it was sent
	l.SendWrite(0, data)
	l.Wrote(0, 512, true, true)
	l.DidRead(0, old, floors)
	l.DidRead(0, data, floors)
	if l.BadTotal() != 0 {
		t.Fatalf("a read around a write may return either: %+v", l.Reports)
	}
	l.SendRead(0, floors)
	if l.DidRead(0, old, floors); l.Bad[BadStale] != 1 {
		t.Fatalf("a read after the write returned the old data: %v", l.Bad)
	}
}

func TestLedgerKinds(t *testing.T) {
	for _, c := range []struct {
		want  BadKind
		spoil func(l *Ledger, now, before []byte) []byte
	}{
		{BadLost, func(_ *Ledger, now, _ []byte) []byte { return make([]byte, 512) }},
		{BadLost, func(l *Ledger, now, _ []byte) []byte {
			other := Stamper{Run: l.Run + 1, Seed: l.Seed, Addr: l.Addr}
			other.Fill(now, 2, 2)
			return now
		}},
		{BadStale, func(_ *Ledger, _, before []byte) []byte { return before }},
		{BadMisplaced, func(l *Ledger, now, _ []byte) []byte { l.Fill(now, 3, 2); return now }},
		{BadMisplaced, func(l *Ledger, now, _ []byte) []byte {
			other := l.Stamper
			other.Addr.Slot++
			other.Fill(now, 2, 2)
			return now
		}},
		{BadTorn, func(_ *Ledger, now, before []byte) []byte { return append(now[:256:256], before[256:]...) }},
		{BadTorn, func(_ *Ledger, now, before []byte) []byte { return append(before[:48:48], now[48:]...) }},
		{BadTorn, func(_ *Ledger, now, _ []byte) []byte { return append(make([]byte, 256), now[256:]...) }},
		{BadTorn, func(_ *Ledger, now, _ []byte) []byte { return append(now[:256:256], make([]byte, 256)...) }},
		{BadDamaged, func(_ *Ledger, now, _ []byte) []byte { now[100] ^= 1; return now }},
		{BadDamaged, func(_ *Ledger, now, _ []byte) []byte { now[511] ^= 0x80; return now }},
		{BadFuture, func(l *Ledger, now, _ []byte) []byte { l.Fill(now, 2, 9); return now }},
	} {
		l := New(Stamper{Run: 7, Seed: 8, Addr: aoe.Addr{Shelf: 1, Slot: 2}}, 4)
		before, now, floors := make([]byte, 512), make([]byte, 512), make([]uint32, 1)
		for _, b := range [][]byte{before, now} {
			l.SendWrite(2, b)
			l.Wrote(2, 512, true, true)
		}
		l.SendRead(2, floors)
		if l.DidRead(2, now, floors); l.BadTotal() != 0 {
			t.Fatalf("good data is bad: %+v", l.Reports)
		}
		if l.DidRead(2, c.spoil(l, now, before), floors); l.BadTotal() != 1 || l.Bad[c.want] != 1 {
			t.Errorf("want %s, got %+v", BadNames[c.want], l.Reports)
		}
	}
}

func TestLedgerUnwritten(t *testing.T) {
	l := New(Stamper{Run: 1}, 4)
	floors := make([]uint32, 1)
	a, b := bytes.Repeat([]byte{1}, 512), bytes.Repeat([]byte{2}, 512)
	l.DidRead(1, a, floors)
	l.DidRead(1, a, floors)
	if l.BadTotal() != 0 || l.Unknown != 2 {
		t.Fatalf("unwritten data: %+v, %d unknown", l.Reports, l.Unknown)
	}
	if l.DidRead(1, b, floors); l.Bad[BadChanged] != 1 {
		t.Fatal("an unwritten sector changed unseen")
	}
}
