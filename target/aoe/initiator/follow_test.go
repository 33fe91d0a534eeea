package initiator

import (
	"testing"

	"vbladefs/target/aoe"
)

// announced is the announcement of an address by a host.
func announced(addr aoe.Addr, mac aoe.MAC) []byte {
	frame := make([]byte, aoe.MinFrame)
	aoe.Header{Dst: aoe.Broadcast, Src: mac, Version: aoe.Version, Response: true, Addr: addr, Command: aoe.CmdConfig}.Put(frame)
	aoe.Config{}.Put(frame)
	return frame
}

// destinations are where the frames that were sent went to.
func destinations(frames [][]byte) (to []aoe.MAC) {
	for _, f := range frames {
		h, _ := aoe.DecodeHeader(f)
		to = append(to, h.Dst)
	}
	return to
}

// Whoever announces the address gets what is in flight, at once, and what comes after; the answers of the host before
// count no more.
func TestFollow(t *testing.T) {
	for _, mode := range []Retransmit{RetransmitSame, RetransmitLinux} {
		s := newStub(100)
		x := open(t, s, Options{Follow: true, Retransmit: mode})
		e := x.Engine()
		var held [][]byte
		s.answer = func(_ int, r []byte) [][]byte { held = append(held, append([]byte(nil), r...)); return nil }
		io, next := &IO{Op: Write, LBA: 1, Data: make([]byte, 512)}, &IO{Op: Read, LBA: 2, Data: make([]byte, 512)}
		if err := e.Submit(io); err != nil {
			t.Fatal(err)
		}
		turn(t, e)
		s.keep, s.mac = true, otherMAC
		s.in = append(s.in, announced(aoe.Addr{Shelf: 7, Slot: 4}, otherMAC), announced(target, targetMAC))
		if turn(t, e); len(s.seen) != 0 || e.Counters().Moves != 0 {
			t.Fatalf("%v: %d frames and %d moves though it has not moved", mode, len(s.seen), e.Counters().Moves)
		}
		s.in = append(s.in, announced(target, otherMAC))
		turn(t, e)
		if err := e.Submit(next); err != nil {
			t.Fatal(err)
		}
		turn(t, e)
		if got := destinations(s.seen); len(got) != 2 || got[0] != otherMAC || got[1] != otherMAC || e.Counters().Moves != 1 {
			t.Fatalf("%v: frames to %v, %d moves; want two to %v, 1", mode, got, e.Counters().Moves, otherMAC)
		}
		s.in = append(s.in, held[0])
		if done := turn(t, e); len(done) != 0 {
			t.Errorf("%v: the first host's answer was taken", mode)
		}
		s.in = append(s.in, held[1:]...)
		if done := turn(t, e); len(done) != 2 || io.Err != nil || next.Err != nil {
			t.Errorf("%v: %d done, %v, %v", mode, len(done), io.Err, next.Err)
		}
	}
}

// An announcement moves nothing of a client that does not follow.
func TestStays(t *testing.T) {
	s := newStub(100)
	x := open(t, s, Options{})
	s.keep = true
	s.in = append(s.in, announced(target, otherMAC))
	turn(t, x.Engine())
	if _, err := x.ReadAt(make([]byte, 512), 0); err != nil {
		t.Fatal(err)
	}
	if got := destinations(s.seen); len(got) != 1 || got[0] != targetMAC {
		t.Errorf("frames to %v, want one to %v", got, targetMAC)
	}
}
