// Package ledger is the model of an export that a verifying client keeps: what
// each sector may hold. Every sector that is written is a stamp, which names its
// place and the number of its write, so that a lost, stale, torn or misplaced
// sector is told from a right one:
//
//	SendWrite ─▶ data with stamps ─▶ target ─▶ Wrote
//	SendRead ─▶ floors … target ─▶ data ─▶ DidRead ─▶ Checked, Bad, Reports
//
// It does no I/O, and it is for one goroutine. What another writes to the same
// sectors it takes for damage.
package ledger

import (
	"fmt"
	"hash/crc32"

	"vbladefs/target/aoe"
)

// Ledger knows, for each sector of the span, what a read may return.
//
// Writes of a sector have generations 1, 2, 3 …; what was there before is
// generation 0. While writes of one sector overlap in time they form a chain;
// the target may have executed any of them last, unless nothing was sent twice:
// then it is the last one sent, since requests take effect in arrival order
// (PROTOCOL §7). A read may return any generation from floor, as it was when
// the read was sent, to top, as it is when the read returns.
type Ledger struct {
	Stamper
	sectors []sectorState // by LBA

	Checked uint64 // sectors that were read
	Unknown uint64 // of them: not written by this run, accepted
	Bad     [BadKinds]uint64
	Reports []BadSector // the first few of Bad
}

type sectorState struct {
	floor   uint32 // least generation that can still be there
	top     uint32 // last generation sent
	chain   uint32 // first generation of the chain in progress
	hash    uint32 // CRC32C of generation 0, once it has been read
	pending uint16 // writes in flight; one that failed stays so for ever
	read    bool   // hash is set
}

// StateBytes is the memory that a sector of the span takes.
const StateBytes = 20

// BadKind is how a sector can be bad.
type BadKind uint8

// The ways.
const (
	BadLost      BadKind = iota // acknowledged write, older foreign data found
	BadStale                    // acknowledged write, an older generation found
	BadMisplaced                // another sector's or export's stamp
	BadTorn                     // two generations in one sector
	BadDamaged                  // a stamp with wrong bytes
	BadChanged                  // never written by us, yet not what it was
	BadFuture                   // a generation that was never sent
	BadKinds                    // how many there are
)

// BadNames are words for the kinds.
var BadNames = [BadKinds]string{"lost", "stale", "misplaced", "torn", "damaged", "changed", "impossible"}

// BadSector is one bad sector for the report.
type BadSector struct {
	LBA      uint64 `json:"lba"`
	Kind     string `json:"kind"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
}

// maxReports is how many bad sectors are described; all are counted.
const maxReports = 10

// New makes a ledger of an export's first sectors, of which nothing is known.
func New(s Stamper, sectors uint64) *Ledger {
	return &Ledger{Stamper: s, sectors: make([]sectorState, sectors)}
}

// BadTotal is the number of bad sectors of all kinds.
func (l *Ledger) BadTotal() uint64 {
	var n uint64
	for _, k := range l.Bad {
		n += k
	}
	return n
}

// SendWrite stamps data for the next generation of its sectors.
func (l *Ledger) SendWrite(lba uint64, data []byte) {
	for ; len(data) > 0; data, lba = data[aoe.SectorSize:], lba+1 {
		s := &l.sectors[lba]
		s.top++
		if s.pending == 0 {
			s.chain = s.top
		}
		s.pending++
		l.Fill(data, lba, s.top)
	}
}

// Wrote notes the end of a write. A write that failed may have happened, and
// may still happen later. ordered says that no request was ever sent twice.
func (l *Ledger) Wrote(lba uint64, bytes int, ok, ordered bool) {
	if !ok {
		return
	}
	end := lba + uint64(bytes/aoe.SectorSize)
	for ; lba < end; lba++ {
		s := &l.sectors[lba]
		s.pending--
		s.floor = max(s.floor, s.chain)
		if s.pending == 0 && ordered {
			s.floor = s.top
		}
	}
}

// SendRead notes what the read of len(floors) sectors may return at least.
func (l *Ledger) SendRead(lba uint64, floors []uint32) {
	for i := range floors {
		floors[i] = l.sectors[lba+uint64(i)].floor
	}
}

// DidRead checks what a read returned.
func (l *Ledger) DidRead(lba uint64, data []byte, floors []uint32) {
	for i, floor := range floors {
		l.check(lba+uint64(i), data[i*aoe.SectorSize:][:aoe.SectorSize], floor)
	}
}

func (l *Ledger) check(lba uint64, sector []byte, floor uint32) {
	l.Checked++
	s := &l.sectors[lba]
	c := l.read(sector)
	switch {
	case !c.ours:
		l.checkForeign(lba, s, sector, floor, c)
	case !c.whole:
		l.broken(lba, s, sector, floor, c)
	case c.lba != lba || c.addr != addrWord(l.Addr):
		l.report(BadMisplaced, lba, s, sector, floor, c)
	case c.gen < floor:
		l.report(BadStale, lba, s, sector, floor, c)
	case c.gen > s.top || c.gen == 0:
		l.report(BadFuture, lba, s, sector, floor, c)
	}
}

// checkForeign judges content that is not a stamp of this Run: right only where
// no write of ours was acknowledged, and then always the same.
func (l *Ledger) checkForeign(lba uint64, s *sectorState, sector []byte, floor uint32, c content) {
	for back := uint32(0); back < 4 && back < s.top; back++ { // half a stamp, behind half of something else
		if l.endsAs(sector, lba, s.top-back) {
			l.report(BadTorn, lba, s, sector, floor, c)
			return
		}
	}
	if floor > 0 {
		l.report(BadLost, lba, s, sector, floor, c)
		return
	}
	hash := crc32.Checksum(sector, castagnoli)
	if s.read && s.hash != hash {
		l.report(BadChanged, lba, s, sector, floor, c)
		return
	}
	s.hash, s.read = hash, true
	l.Unknown++
}

// broken tells a torn stamp, which begins as one generation and ends as
// something else, from a damaged one.
func (l *Ledger) broken(lba uint64, s *sectorState, sector []byte, floor uint32, c content) {
	at := l.firstBad(sector, lba, c.gen)
	begins := c.lba == lba && c.gen > 0 && c.gen <= s.top && at > atFiller
	for gen := s.top; begins && gen > 0 && gen+8 > s.top; gen-- {
		if gen != c.gen && l.endsAs(sector, lba, gen) {
			l.note(BadTorn, lba, s, floor, fmt.Sprintf("generation %d up to byte %d, generation %d at the end", c.gen, at, gen))
			return
		}
	}
	if begins && !l.endsAs(sector, lba, c.gen) {
		l.note(BadTorn, lba, s, floor, fmt.Sprintf("generation %d up to byte %d, other data at the end", c.gen, at))
		return
	}
	l.note(BadDamaged, lba, s, floor, fmt.Sprintf("%s, wrong from byte %d on", c.describe(sector), at))
}

func (l *Ledger) report(k BadKind, lba uint64, s *sectorState, sector []byte, floor uint32, c content) {
	if l.Bad[k]++; len(l.Reports) < maxReports {
		l.describe(k, lba, s, floor, c.describe(sector))
	}
}

func (l *Ledger) note(k BadKind, lba uint64, s *sectorState, floor uint32, found string) {
	if l.Bad[k]++; len(l.Reports) < maxReports {
		l.describe(k, lba, s, floor, found)
	}
}

func (l *Ledger) describe(k BadKind, lba uint64, s *sectorState, floor uint32, found string) {
	want := fmt.Sprintf("generation %d", s.top)
	switch {
	case s.top == 0:
		want = "the data read before"
	case floor == 0:
		want = fmt.Sprintf("the data from before this run, or generation 1 to %d", s.top)
	case floor < s.top:
		want = fmt.Sprintf("generation %d to %d", floor, s.top)
	}
	l.Reports = append(l.Reports, BadSector{LBA: lba, Kind: BadNames[k], Expected: want, Found: found})
}
