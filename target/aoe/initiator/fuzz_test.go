package initiator

import (
	"encoding/binary"
	"testing"

	"vbladefs/target/aoe"
)

// FuzzReply feeds an engine with requests of every kind outstanding any bytes,
// as they are and made out to be from its target. Whatever comes, a request is
// done at most once, its slot is free then and not before, and a read that
// succeeded has exactly the data of the frame.
func FuzzReply(f *testing.F) {
	s := newStub(64)
	var replies [][]byte
	s.answer = func(_ int, r []byte) [][]byte {
		replies = append(replies, append([]byte(nil), r...))
		return [][]byte{r}
	}
	i, _ := New(s, Local{MAC: ourMAC, MTU: 9000})
	x, err := i.Open(target, Options{})
	if err != nil {
		f.Fatal(err)
	}
	x.ReadAt(make([]byte, 4096), 0)
	x.Config(aoe.ConfigSet, "text")
	for _, r := range replies {
		f.Add(r, uint8(0))
		f.Add(r, uint8(7))
		f.Add(r[:len(r)/2], uint8(2))
	}
	s.answer = func(int, []byte) [][]byte { return nil }
	f.Fuzz(func(t *testing.T, frame []byte, which uint8) {
		e := newEngine(s, ourMAC, []peer{{addr: target, mac: targetMAC, sectors: 8, capacity: 64}}, Options{Window: 4})
		control := make([]byte, aoe.MinFrame)
		aoe.Header{Dst: targetMAC, Src: ourMAC, Version: 1, Addr: target, Command: aoe.CmdConfig}.Put(control)
		ios := []*IO{{Op: Read, Data: make([]byte, 1024)}, {Op: Write, Data: make([]byte, 512)},
			{Op: ATA, Data: make([]byte, 512)}, {Op: Control, Frame: control}}
		for _, io := range ios {
			if err := e.Submit(io); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Push(); err != nil {
			t.Fatal(err)
		}
		if len(frame) >= aoe.HeaderSize && which < 4 { // let it get past the first checks
			copy(frame, ourMAC[:])
			copy(frame[6:], targetMAC[:])
			binary.BigEndian.PutUint16(frame[12:], aoe.EtherType)
			frame[14] |= 8
			binary.BigEndian.PutUint16(frame[16:], target.Shelf)
			frame[18] = target.Slot
			putTag(frame, e.slots[which].tag)
		}
		for range 2 { // the second time it is a duplicate
			s.in = append(s.in, append([]byte(nil), frame...))
			done, err := e.Poll()
			if err != nil {
				t.Fatal(err)
			}
			check(t, e, ios, done, frame)
		}
	})
}

func check(t *testing.T, e *Engine, ios, done []*IO, frame []byte) {
	t.Helper()
	active := 0
	for _, io := range ios {
		if io.active {
			active++
		}
	}
	if len(done) > 1 || active < 3 || e.Outstanding() != active {
		t.Fatalf("%d done, %d of 4 active, %d slots taken", len(done), active, e.Outstanding())
	}
	if len(done) == 1 && done[0].Op == Read && done[0].Err == nil && string(done[0].Data) != string(frame[36:36+1024]) {
		t.Fatal("a read succeeded with other data than the frame's")
	}
}

// FuzzIdentity checks that any 512 bytes give an identity or an error.
func FuzzIdentity(f *testing.F) {
	f.Add(identifyData(1000))
	f.Add(make([]byte, 512))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := ParseIdentity(data)
		if (id == nil) == (err == nil) {
			t.Fatalf("identity %v and error %v", id, err)
		}
		if id != nil && (id.Sectors == 0 || id.Sectors >= 1<<48) {
			t.Fatalf("capacity %d", id.Sectors)
		}
	})
}
