package powercut

import (
	"strings"
	"testing"

	"vbladefs/target/aoe"
)

// story is a log as a test tells it: requests and disk operations by letters, of
// sector 0 and 1 of four.
type story struct {
	*Log
	ids map[string]int
}

// tell does one step: "ask a write", "answer a", "begin x of a", "end x", "fail x" and so on.
func (s story) tell(step string) {
	word := strings.Fields(step)
	name := word[1]
	kind := map[string]Kind{"write": Write, "forced": Forced, "flush": Flush, "off": CacheOff, "on": CacheOn, "identify": Identify,
		"durable": Durable, "other": Volatile}
	switch word[0] {
	case "ask", "ask2": // by path 0, 1
		r := Request{Kind: kind[word[2]], Path: len(word[0]) - len("ask")}
		if r.Kind <= Forced {
			r.Gens = make([]uint32, 2)
			s.Next(0, r.Gens)
		}
		s.ids[name] = s.Send(r)
	case "answer":
		s.Answered(s.ids[name], len(word) > 2 && word[2] == "volatile")
	case "begin", "sync":
		if len(word) == 2 {
			s.ids[name] = s.BeginFlush()
			return
		}
		s.ids[name] = s.BeginWrite(0, s.requests[s.ids[word[3]]].Gens, word[0] == "sync")
	case "garbage":
		s.ids[name] = s.BeginWrite(0, []uint32{Foreign}, false)
	case "end", "fail":
		s.End(s.ids[name], word[0] == "fail")
	default:
		panic(step)
	}
}

func TestCheck(t *testing.T) {
	const (
		write = "ask a write; begin x of a; end x; answer a; "
		flush = "ask f flush; begin y; end y; answer f; "
	)
	for _, tt := range []struct {
		name    string
		durable bool
		steps   string
		wrong   bool
		lies    bool
	}{
		{name: "volatile write", steps: write},
		{name: "durable write, lost", durable: true, steps: write, wrong: true},
		{name: "durable write, flushed", durable: true, steps: "ask a write; begin x of a; end x; begin y; end y; answer a"},
		{name: "durable write, forced by the disk", durable: true, steps: "ask a write; sync x of a; end x; answer a"},
		{name: "durable write, flush too early", durable: true, steps: "ask a write; begin x of a; begin y; end x; end y; answer a", wrong: true},
		{name: "durable write, flush failed", durable: true, steps: "ask a write; begin x of a; end x; begin y; fail y; answer a", wrong: true},
		{name: "durable write, flush not ended", durable: true, steps: "ask a write; begin x of a; end x; begin y; answer a; end y", wrong: true},
		{name: "durable write that never came", durable: true, steps: "ask a write; answer a", wrong: true},
		{name: "flush", steps: write + flush},
		{name: "flush that never came", steps: write + "ask f flush; answer f", wrong: true},
		{name: "flush of what is not answered", steps: "ask a write; ask f flush; begin y; begin x of a; end x; end y; answer a; answer f"},
		{name: "forced write, lost", steps: "ask a forced; begin x of a; end x; answer a", wrong: true},
		{name: "old write over a sure one", steps: write + "ask b write; begin z of b; end z; answer b; " + flush + "begin w of a", wrong: true},
		{name: "a later write, not answered", steps: write + flush + "ask b write; begin z of b; end z"},
		{name: "two paths, either last", durable: true, steps: "ask a write; ask2 b write; sync x of b; end x; sync y of a; end y; answer a; answer b"},
		{name: "one path, wrong order", durable: true, steps: "ask a write; ask b write; sync x of b; end x; sync y of a; end y; answer a; answer b", wrong: true},
		{name: "never written", steps: "garbage x", wrong: true},
		{name: "cache off", steps: write + "ask c off; begin y; end y; answer c; ask b write; sync z of b; end z; answer b; ask i identify; answer i"},
		{name: "cache off without a flush", steps: write + "ask c off; answer c", wrong: true},
		{name: "volatile write after cache off", steps: "ask c off; answer c; " + write, wrong: true},
		{name: "cache on again", steps: "ask c off; answer c; ask d on; " + write + "answer d; ask i identify; answer i volatile"},
		{name: "told off, lost", steps: write + "ask c off; ask i identify; answer i", wrong: true},
		{name: "told off, always on", steps: "ask i identify; answer i", lies: true},
		{name: "told on, off", steps: "ask c off; answer c; ask i identify; answer i volatile", lies: true},
		{name: "told on, durable", durable: true, steps: "ask i identify; answer i volatile", lies: true},
		{name: "told while it changes", steps: "ask c off; ask i identify; answer i volatile; answer c"},
		{name: "policy becomes durable", steps: write + "ask p durable; begin y; end y; answer p; ask i identify; answer i"},
		{name: "policy becomes durable without a flush", steps: write + "ask p durable; answer p", wrong: true},
		{name: "policy no more durable", durable: true, steps: "ask p other; " + write + "answer p"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := story{New(4), map[string]int{}}
			for step := range strings.SplitSeq(tt.steps, ";") {
				if strings.TrimSpace(step) != "" {
					s.tell(strings.TrimSpace(step))
				}
			}
			r := Check(s.Log, tt.durable, 1)
			if r.Wrong > 0 != tt.wrong || r.Lies > 0 != tt.lies {
				t.Errorf("%d wrong, %d lies, want some: %v, %v: %q", r.Wrong, r.Lies, tt.wrong, tt.lies, r.Reports)
			}
		})
	}
}

func TestStamp(t *testing.T) {
	data := make([]byte, aoe.SectorSize)
	if got := Gen(data, 3); got != 0 {
		t.Errorf("zeros are generation %d, want 0", got)
	}
	Stamp(data, 3, 7)
	if got := Gen(data, 3); got != 7 {
		t.Errorf("generation %d, want 7", got)
	}
	if got := Gen(data, 4); got != Foreign {
		t.Errorf("another sector's stamp is generation %d", got)
	}
	newer := make([]byte, aoe.SectorSize)
	Stamp(newer, 3, 8)
	copy(newer[256:], data[256:])
	if got := Gen(newer, 3); got != Torn {
		t.Errorf("half a stamp and half an older one are generation %d, want torn", got)
	}
	for at := range data {
		data[at] ^= 1
		if got := Gen(data, 3); got != Foreign {
			t.Errorf("a stamp damaged at %d is generation %d", at, got)
		}
		data[at] ^= 1
	}
}
