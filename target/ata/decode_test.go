package ata

import (
	"math"
	"testing"
)

// served are the commands of §3.3, and whether they bring data.
var served = map[uint8]struct {
	action   Action
	toDevice bool
}{
	0x20: {Read, false}, 0x24: {Read, false}, 0x25: {Read, false}, 0x29: {Read, false}, 0xc4: {Read, false}, 0xc8: {Read, false},
	0x30: {Write, true}, 0x34: {Write, true}, 0x35: {Write, true}, 0x39: {Write, true}, 0x3d: {Write, true},
	0xc5: {Write, true}, 0xca: {Write, true}, 0xce: {Write, true},
	0x40: {Verify, false}, 0x42: {Verify, false}, 0xb0: {NoOperation, false}, 0xc6: {NoOperation, false},
	0xe0: {Flush, false}, 0xe1: {NoOperation, false}, 0xe2: {Flush, false}, 0xe3: {NoOperation, false},
	0xe5: {CheckPower, false}, 0xe6: {Flush, false}, 0xe7: {Flush, false}, 0xea: {Flush, false}, 0xec: {Identify, false},
	0xef: {SetWriteCache, false},
}

// wellFormed is command with registers that suit every command: a count of 1,
// the write cache feature or SMART's status, SMART's signature.
func wellFormed(command uint8) Registers {
	r := Registers{Feature: 0x02, Count: 1, Command: command, LBA: [6]byte{0, 0x4f, 0xc2}}
	if command == OpSmart {
		r.Feature = 0xda
	}
	return r
}

func TestEveryCommand(t *testing.T) {
	for c := range 256 {
		command := uint8(c)
		for _, toDevice := range []bool{false, true} {
			want := Abort
			if s, ok := served[command]; ok && (s.toDevice == toDevice || s.action == Identify) {
				want = s.action
			}
			r := wellFormed(command)
			q := Decode(r, toDevice)
			if q.Action != want {
				t.Errorf("command %#02x, data to device %v: %v, want %v", c, toDevice, q.Action, want)
			}
			if q.Smart != (command == 0xb0) {
				t.Errorf("command %#02x: Smart is %v", c, q.Smart)
			}
			reply, ok := r.Answer(q, 1)
			if want == Abort && (!ok || reply.Command != 0x41 || reply.Feature != 0x04 || reply.Count != r.Count || reply.LBA != r.LBA) {
				t.Errorf("command %#02x: refused as %+v, %v", c, reply, ok)
			}
		}
	}
}

// The sub-commands of SET FEATURES and SMART that are served; all others abort.
func TestEveryFeature(t *testing.T) {
	features := map[uint8]Action{0x02: SetWriteCache, 0x82: SetWriteCache, 0x03: NoOperation, 0x55: NoOperation,
		0x66: NoOperation, 0xaa: NoOperation, 0xcc: NoOperation}
	smart := map[uint8]Action{0xd0: SmartData, 0xd2: NoOperation, 0xd4: NoOperation, 0xd8: NoOperation,
		0xd9: NoOperation, 0xda: NoOperation}
	for command, actions := range map[uint8]map[uint8]Action{0xef: features, 0xb0: smart} {
		for f := range 256 {
			r := wellFormed(command)
			r.Feature = uint8(f)
			if got := Decode(r, false).Action; got != actions[uint8(f)] { // the zero Action is Abort
				t.Errorf("command %#02x feature %#02x: %v, want %v", command, f, got, actions[uint8(f)])
			}
		}
	}
}

func TestFits(t *testing.T) {
	const max48 = 1<<48 - 1
	tests := []struct {
		lba      uint64
		sectors  int
		capacity uint64
		want     bool
	}{
		{0, 1, 1, true},
		{0, 1, 0, false},
		{0, 2, 1, false},
		{1, 1, 1, false},
		{999, 1, 1000, true},
		{999, 2, 1000, false},
		{max48, 1, 1 << 48, true},
		{max48, 2, 1 << 48, false},
		{max48, 2, max48, false},
		{math.MaxUint64, 2, math.MaxUint64, false},
		{math.MaxUint64 - 2, 2, math.MaxUint64, true},
		{5, 0, 0, true},
	}
	for _, tt := range tests {
		q := Request{Action: Read, Extended: true, LBA: tt.lba, Sectors: tt.sectors}
		if got := q.Fits(tt.capacity); got != tt.want {
			t.Errorf("%d sectors at %d of %d: %v, want %v", tt.sectors, tt.lba, tt.capacity, got, tt.want)
		}
	}
}

func TestWithLBA(t *testing.T) {
	r := Registers{LBA: [6]byte{9, 9, 9, 0xe9, 9, 9}}
	tests := []struct {
		lba      uint64
		extended bool
		want     [6]byte
	}{
		{0x060504030201, true, [6]byte{1, 2, 3, 4, 5, 6}},
		{0x04030201, false, [6]byte{1, 2, 3, 0xe4, 9, 9}},
		{0x10000000, false, [6]byte{0xff, 0xff, 0xff, 0xef, 9, 9}},
	}
	for _, tt := range tests {
		if got := r.WithLBA(tt.lba, tt.extended).LBA; got != tt.want {
			t.Errorf("%#x extended %v: % x, want % x", tt.lba, tt.extended, got, tt.want)
		}
	}
}

func TestActionNames(t *testing.T) {
	seen := map[string]bool{}
	for a := Abort; a <= Trim; a++ {
		if s := a.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("action %d is named %q", a, s)
		} else {
			seen[s] = true
		}
	}
	if s := (Trim + 1).String(); s != "unknown" {
		t.Errorf("an undefined action is named %q", s)
	}
}

func TestNothingAllocates(t *testing.T) {
	id := Identity{Sectors: 1 << 40, Serial: "e0.1", Firmware: "1", Model: "sch\u00f6n"}
	var block [512]byte
	var sum int
	n := testing.AllocsPerRun(100, func() {
		for c := range 256 {
			r := wellFormed(uint8(c))
			q := Decode(r, c&0xf0 == 0x30)
			reply, _ := r.Answer(q, 1000)
			sum += int(reply.Command) + int(r.Done().Count) + int(r.Failed(UNC, 1).WithLBA(7, true).Count)
		}
		id.Put(block[:])
		PutSmartData(block[:])
	})
	if n != 0 || sum == 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	r := Registers{Count: 8, Command: OpReadSectorsExt}
	b.ReportAllocs()
	for b.Loop() {
		q := Decode(r, false)
		if _, ok := r.Answer(q, 1000); ok {
			b.Fatal("a read in range was answered without a drive")
		}
	}
}
