package target_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// trimFrame gives up one sector in each of 64 ranges.
func trimFrame(tag uint32) []byte {
	ranges := make([]byte, aoe.SectorSize)
	for i := range 64 {
		binary.LittleEndian.PutUint64(ranges[i*8:], uint64(i*4)|1<<48)
	}
	return ataFrame(blade, tag, aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Feature: 1, Count: 1, Command: 0x06}, 0, ranges)
}

// A trim on a slow device, of more ranges than an operation has patience for, ends
// with the range that it is at when one waits for it: whatever the operation is.
func TestNoOperationWaitsForAWholeTrim(t *testing.T) {
	for name, op := range map[string]func(rig targettest.Faults) error{
		"cache": func(rig targettest.Faults) error {
			return rig.Target().Do(target.SetCache{Drive: "d", Cache: target.CacheDurable})
		},
		"readonly": func(rig targettest.Faults) error {
			return rig.Target().Do(target.SetReadOnly{Drive: "d", ReadOnly: true})
		},
		"pause": func(rig targettest.Faults) error { return rig.Target().Do(target.SetPaused{Drive: "d", Paused: true}) },
		"remove": func(rig targettest.Faults) error {
			return rig.Target().Do(target.RemovePort{Addr: blade, Interface: "eth0"})
		},
		"close": func(rig targettest.Faults) error { return rig.Target().Close(context.Background()) },
		"handover": func(rig targettest.Faults) error {
			h, err := rig.Target().Hold(context.Background())
			if err != nil {
				return err
			}
			defer h.Release()
			for err = h.Rest(context.Background()); errors.Is(err, target.ErrNotDrained); err = h.Rest(context.Background()) {
			} // as the daemon does: Rest gives up after 0.1 s without a reply
			if err == nil {
				h.GoOn(false)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			rig := serving(t)
			m := rig.Machine()
			m.SetMode(targettest.Held)
			answers(rig, "eth0", trimFrame(7))
			first := m.Pending()
			if len(first) != 1 || first[0].Op != target.OpDiscard {
				t.Fatalf("in flight: %v", first)
			}
			_, result := background(func() error { return op(rig) })
			until(t, "somebody waits for the trim", func() bool { return target.Hurried(rig.Target(), "d") })
			first[0].Finish(nil)
			must(t, <-result)
			for _, x := range m.Pending() {
				if x.Op == target.OpDiscard {
					t.Errorf("the trim went on with %v", x)
				}
			}
			m.FinishAll()
			rig.Collect("eth0", 1)
		})
	}
}

// Nobody waits: all 64 ranges are given up.
func TestATrimGoesOn(t *testing.T) {
	rig := serving(t)
	m := rig.Machine()
	m.SetMode(targettest.Held)
	answers(rig, "eth0", trimFrame(7))
	n := 0
	for ; len(m.Pending()) == 1; n++ {
		m.Pending()[0].Finish(nil)
		m.Quiesce()
	}
	if n != 64 {
		t.Errorf("%d ranges were given up, not 64", n)
	}
}
