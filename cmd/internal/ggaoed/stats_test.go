package ggaoed

import (
	"testing"
	"time"

	"vbladefs/target"
)

func TestBaseline(t *testing.T) {
	b := newBaseline()
	total := target.Stats{Reads: 1000, ReadSectors: 8000, ReadTime: time.Second, Errors: 3, ATAErrors: 1}
	for _, name := range []string{"stays", "anew", "goes"} {
		b.devices[name] = total
	}
	now := map[string]target.Stats{"stays": {Reads: 1001, ReadSectors: 8008, ReadTime: time.Second + time.Millisecond, Errors: 4, ATAErrors: 1}, "anew": {Reads: 1, Errors: 3}}
	b.keep([]device{{name: "stays"}, {name: "anew"}}, func(d device) target.Stats { return now[d.name] })
	if len(b.devices) != 1 {
		t.Errorf("the baselines of %v stay", b.devices)
	}
	if got := deviceStats(now["stays"], b.devices["stays"]); got.Reads != 1 || got.ReadBytes != 4096 || got.ReadTime != time.Millisecond || got.ProtocolErrors != 1 || got.ATAErrors != 0 {
		t.Errorf("a device that stays: %+v", got)
	}
	if got := deviceStats(target.Stats{Reads: 2000}, b.devices["anew"]); got.Reads != 2000 {
		t.Errorf("one whose counters began anew: %d reads, want all 2000", got.Reads)
	}
}

func TestSince(t *testing.T) {
	for _, c := range []struct{ now, before, want uint64 }{{5, 3, 2}, {5, 5, 0}, {2, 5, 2}} {
		if got := since(c.now, c.before); got != c.want {
			t.Errorf("since(%d, %d) = %d, want %d", c.now, c.before, got, c.want)
		}
	}
}
