package target_test

import (
	"testing"
	"time"

	"vbladefs/target"
	"vbladefs/target/aoe"
	"vbladefs/target/targettest"
)

// What waits for its disk counts its time, how much it found in flight, and
// what was beyond the buffers; frames, bytes and errors are counted where they
// pass.
func TestCounters(t *testing.T) {
	const held = 20 * time.Millisecond
	rig := newRigOf(t, 1)
	rig.Interface("eth0", 4200)
	at := aoe.Addr{Shelf: 1, Slot: 2}
	must(t, rig.Target().Do(target.AddDrive{Name: "d", Path: rig.Disk("d", 1000, false)}))
	must(t, rig.Target().Do(target.AddPort{Drive: "d", Addr: at, Interface: "eth0", Buffers: 2}))
	rig.Collect("eth0", 1)
	before, _ := rig.Target().Interface("eth0")

	m := rig.Machine()
	m.SetMode(targettest.Held)
	for tag := range uint32(3) { // the third finds both buffers in use
		rig.Send("eth0", readFrame(at, tag+1, int(tag), 1))
	}
	m.Quiesce()
	time.Sleep(held)
	m.FinishAll()
	m.SetMode(targettest.Inline)
	rig.Send("eth0", readFrame(at, 9, 5000, 1)) // beyond the end
	rig.Collect("eth0", 3)
	m.Quiesce()

	p, _ := rig.Target().Port(at, "eth0")
	s := p.Stats
	if s.Reads != 2 || s.Depth != 3 || s.Full != 1 || s.Dropped != 1 || s.Errors != 1 || s.ATAErrors != 1 {
		t.Errorf("got %+v, want 2 reads that found 1 and 2 in flight, 1 dropped because both buffers were in use, 1 ATA error", s)
	}
	if s.ReadTime < 2*held || s.WriteTime != 0 || s.OtherTime != 0 {
		t.Errorf("times %s, %s, %s: want two reads of at least %s each", s.ReadTime, s.WriteTime, s.OtherTime, held)
	}
	after, _ := rig.Target().Interface("eth0")
	received, sent := after.Received, after.Sent
	received.Frames -= before.Received.Frames
	received.Bytes -= before.Received.Bytes
	sent.Frames -= before.Sent.Frames
	sent.Bytes -= before.Sent.Bytes
	if size := uint64(len(readFrame(at, 1, 0, 1))); received.Frames != 4 || received.Bytes != 4*size || received.Batches == 0 {
		t.Errorf("received %+v, want 4 frames of %d bytes", received, size)
	}
	if want := uint64(2*(aoe.ATASize+aoe.SectorSize) + aoe.MinFrame); sent.Frames != 3 || sent.Bytes != want || sent.Batches == 0 {
		t.Errorf("sent %+v, want 3 frames of %d bytes in all", sent, want)
	}
}
