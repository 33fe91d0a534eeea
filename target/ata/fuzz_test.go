package ata

import (
	"math/big"
	"testing"
)

// FuzzDecode: whatever the registers, a request that reaches the drive is a
// whole one, in range, and in the right direction; everything else is refused.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), uint8(8), uint8(0x24), []byte{0, 0, 0, 0, 0, 0}, false, uint64(1000))
	f.Add(uint8(0), uint8(2), uint8(0x34), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true, uint64(1)<<48-1)
	f.Add(uint8(0), uint8(0), uint8(0x42), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false, uint64(1)<<63)
	f.Add(uint8(0xda), uint8(0), uint8(0xb0), []byte{0, 0x4f, 0xc2, 0xa0, 0, 0}, false, uint64(8))
	f.Add(uint8(0x82), uint8(0), uint8(0xef), []byte{0, 0, 0, 0xe0, 0, 0}, false, uint64(8))
	f.Add(uint8(1), uint8(1), uint8(0x06), []byte{0, 0, 0, 0, 0, 0}, true, uint64(8))
	f.Fuzz(func(t *testing.T, feature, count, command uint8, lba []byte, toDevice bool, capacity uint64) {
		r := Registers{Feature: feature, Count: count, Command: command}
		copy(r.LBA[:], lba)
		q := Decode(r, toDevice)
		checkRequest(t, q, toDevice)
		if q.Fits(capacity) != fitsExactly(q, capacity) {
			t.Fatalf("%+v of %d sectors: Fits says %v", q, capacity, q.Fits(capacity))
		}
		reply, ok := r.Answer(q, capacity)
		if failed := reply.Command&(BSY|DF|DRQ|ERR) != 0; ok && failed != (reply.Feature != 0) {
			t.Fatalf("status and error registers disagree: %+v", reply)
		}
		if drive := q.Action > CheckPower && q.Fits(capacity); ok == drive {
			t.Fatalf("%+v of %d sectors: answered without the drive: %v", q, capacity, ok)
		}
	})
}

// checkRequest fails if q breaks what Request promises.
func checkRequest(t *testing.T, q Request, toDevice bool) {
	t.Helper()
	least, most := 0, 0
	switch q.Action {
	case Read, Write:
		least, most = 1, 255
	case Verify:
		least, most = 1, 65536
	}
	if q.Sectors < least || q.Sectors > most || q.LBA >= 1<<48 || !q.Extended && q.LBA >= 1<<28 {
		t.Fatalf("out of bounds: %+v", q)
	}
	sends := q.Action == Write || q.Action == Trim
	if sends && !toDevice || toDevice && !sends && q.Action != Abort && q.Action != Identify {
		t.Fatalf("wrong direction: %+v", q)
	}
	if blocks := q.Blocks; blocks < 0 || blocks > MaxTrimBlocks || (blocks > 0) != (q.Action == Trim) {
		t.Fatalf("blocks of ranges: %+v", q)
	}
	if q.Durable && q.Action != Write || q.WriteCache && q.Action != SetWriteCache {
		t.Fatalf("a field of another action: %+v", q)
	}
	if q.Action == Abort && q != (Request{Smart: q.Smart}) {
		t.Fatalf("a refused request keeps %+v", q)
	}
}

// fitsExactly is Fits in numbers that cannot overflow.
func fitsExactly(q Request, capacity uint64) bool {
	end := new(big.Int).SetUint64(q.LBA)
	end.Add(end, big.NewInt(int64(q.Sectors)))
	if !q.Extended && end.Cmp(big.NewInt(1<<28)) > 0 {
		return q.Sectors == 0
	}
	return q.Sectors == 0 || end.Cmp(new(big.Int).SetUint64(capacity)) <= 0
}

// FuzzRanges: whatever a payload of TRIM has, its ranges are bounded, and fit only
// if each does in numbers that cannot overflow.
func FuzzRanges(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 1, 0}, uint64(1))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, uint64(1)<<48-1)
	f.Add(make([]byte, SectorSize), uint64(0))
	f.Fuzz(func(t *testing.T, payload []byte, capacity uint64) {
		fit := true
		for i := range Ranges(payload) {
			r := RangeAt(payload, i)
			if r.LBA >= 1<<48 || r.Sectors < 0 || r.Sectors > 65535 {
				t.Fatalf("range %d is %+v", i, r)
			}
			end := new(big.Int).SetUint64(r.LBA)
			end.Add(end, big.NewInt(int64(r.Sectors)))
			fit = fit && (r.Sectors == 0 || end.Cmp(new(big.Int).SetUint64(capacity)) <= 0)
		}
		if RangesFit(payload, capacity) != fit {
			t.Fatalf("% x in %d sectors: fits %v", payload, capacity, !fit)
		}
	})
}

// FuzzIdentity: any identity gives a block with a right checksum, printable
// strings and the capacity.
func FuzzIdentity(f *testing.F) {
	f.Add(uint64(1000), "e0.1", "v1", "model \x00\xff \u00f6", 4096, uint16(1), uint64(0x5000))
	f.Add(uint64(1)<<63, "", "", "", -1, uint16(0), uint64(0))
	f.Fuzz(func(t *testing.T, sectors uint64, serial, firmware, model string, physical int, rotation uint16, name uint64) {
		id := Identity{Sectors: sectors, Serial: serial, Firmware: firmware, Model: model,
			PhysicalSectorBytes: physical, RotationRate: rotation, WorldWideName: name}
		block := make([]byte, 513)
		block[512] = 0x77
		id.Put(block)
		if block[512] != 0x77 {
			t.Fatal("wrote behind the block")
		}
		w := words(t, block[:512])
		got := uint64(w[100]) | uint64(w[101])<<16 | uint64(w[102])<<32 | uint64(w[103])<<48
		if want := min(sectors, 1<<48-1); got != want {
			t.Fatalf("capacity %d, want %d", got, want)
		}
		for _, c := range block[20:40] {
			if c < ' ' || c > '~' {
				t.Fatalf("serial %q", block[20:40])
			}
		}
		for _, c := range block[46:94] {
			if c < ' ' || c > '~' {
				t.Fatalf("firmware and model %q", block[46:94])
			}
		}
	})
}
