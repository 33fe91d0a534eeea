package target

import (
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"vbladefs/target/aoe"
)

// FuzzReply: whatever arrives, what is taken for a neighbour is one host with one
// address, and what is not is left alone.
func FuzzReply(f *testing.F) {
	honest := make([]byte, aoe.MinFrame)
	aoe.Header{Dst: aoe.Broadcast, Src: aoe.MAC{2, 1}, Version: aoe.Version, Response: true, Addr: aoe.Addr{Shelf: 1}, Command: aoe.CmdConfig}.Put(honest)
	aoe.Config{Buffers: 16, Sectors: 2, String: []byte("text")}.Put(honest)
	f.Add(honest)
	f.Add(honest[:31])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, ok := aoe.DecodeHeader(frame)
		r, taken := decodeReply(h, frame)
		if !taken {
			if r != (reply{}) {
				t.Errorf("not taken, but %v", r)
			}
			return
		}
		if !ok || len(frame) < aoe.ConfigSize || r.addr.Shelf > MaxShelf || r.addr.Slot > MaxSlot || r.host.Group() || r.host == (aoe.MAC{}) ||
			!h.Response || h.Failed || h.Command != aoe.CmdConfig {
			t.Errorf("% x is taken as %v", frame, r)
		}
	})
}

// The table stays within its bounds, and forgets who was not heard.
func TestTableOfNeighbours(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	began, tgt := time.Now(), New(Config{Log: log})
	s := &neighbours{target: tgt, netif: &netif{}, table: map[aoe.Addr][]neighbour{}}
	s.netif.info.Store(&Interface{Name: "eth0"})
	s.netif.table.Store(&table{})
	for i := range maxNeighbours + 1000 {
		s.note(reply{aoe.MAC{2, 0, 0, 0, 0, uint8(i)}, aoe.Addr{Shelf: uint16(i / 200), Slot: uint8(i % 200)}}, began)
		s.note(reply{aoe.MAC{2, 1, byte(i >> 16), byte(i >> 8), byte(i)}, aoe.Addr{}}, began)
	}
	if n := len(s.table[aoe.Addr{}]); n != maxNeighboursOfAddr {
		t.Errorf("%d hosts of one address", n)
	}
	if s.entries != maxNeighbours || !s.full {
		t.Errorf("%d entries, full %v", s.entries, s.full)
	}
	later := began.Add(roundInterval)
	known := reply{aoe.MAC{2, 0, 0, 0, 0, 7}, aoe.Addr{Slot: 7}}
	s.note(known, later)
	s.expire(later)
	if _, found := s.lookup(known.addr); !found || s.entries != 1 || len(s.table) != 1 || s.full {
		t.Errorf("%d entries at %d addresses are left", s.entries, len(s.table))
	}
}
