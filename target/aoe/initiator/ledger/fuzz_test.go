package ledger

import (
	"bytes"
	"testing"

	"vbladefs/target/aoe"
)

// FuzzRead: any sector that a target answers with is a stamp of ours exactly if it
// is what Fill makes; whatever else it is, it can be told.
func FuzzRead(f *testing.F) {
	s := Stamper{Run: 1, Seed: 2, Addr: aoe.Addr{Shelf: 3, Slot: 4}}
	sector := func(change func([]byte)) []byte {
		b := make([]byte, aoe.SectorSize)
		s.Fill(b, 5, 6)
		change(b)
		return b
	}
	f.Add(sector(func([]byte) {}))
	f.Add(sector(func(b []byte) { b[100]++ }))
	f.Add(sector(func(b []byte) { b[atRun]++ }))
	f.Add(sector(func(b []byte) { clear(b[256:]) }))
	f.Add(make([]byte, aoe.SectorSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != aoe.SectorSize {
			b = append(b, make([]byte, aoe.SectorSize)...)[:aoe.SectorSize]
		}
		c := s.read(b)
		if c.describe(b) == "" {
			t.Error("nothing is said of it")
		}
		if !c.ours || !c.whole || c.addr != addrWord(s.Addr) {
			return
		}
		want := make([]byte, aoe.SectorSize)
		s.Fill(want, c.lba, c.gen)
		if at := s.firstBad(b, c.lba, c.gen); (at == atLastGen && s.endsAs(b, c.lba, c.gen)) != bytes.Equal(b[atFiller:atCRC], want[atFiller:atCRC]) {
			t.Errorf("good to byte %d, but\n% x is not\n% x", at, b, want)
		}
	})
}
