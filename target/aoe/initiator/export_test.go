package initiator

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"vbladefs/target/aoe"
)

func TestOpenLearnsTheExport(t *testing.T) {
	s := newStub(1000)
	x := open(t, s, Options{})
	if x.Size() != 1000*512 || x.MAC != targetMAC || x.Addr != target || x.Buffers != 16 || x.SectorsPerFrame != 8 {
		t.Fatalf("opened %+v, size %d, %d sectors per frame", x.Found, x.Size(), x.SectorsPerFrame)
	}
	if id := x.Identity; id.Serial != "SERIAL-1" || !id.LBA48 || !id.WriteCache || !id.Checksummed() {
		t.Fatalf("identity %+v", id)
	}
}

func TestSectorsPerFrame(t *testing.T) {
	for _, c := range []struct {
		name       string
		advertised uint8
		mtu, limit int
		want       int
	}{
		{"target's", 3, 9000, 0, 3},
		{"zero means two", 0, 9000, 0, 2},
		{"our MTU", 255, 1500, 0, 2},
		{"jumbo", 255, 9000, 0, 17},
		{"asked for less", 17, 9000, 8, 8},
		{"asked for more", 2, 9000, 17, 2},
	} {
		s := newStub(100)
		s.sectors = c.advertised
		i, _ := New(s, Local{MAC: ourMAC, MTU: c.mtu})
		x, err := i.Open(target, Options{MaxSectors: c.limit})
		if err != nil || x.SectorsPerFrame != c.want {
			t.Errorf("%s: %d sectors per frame (%v), want %d", c.name, x.SectorsPerFrame, err, c.want)
		}
	}
}

func TestReadAtWriteAtAnyRange(t *testing.T) {
	for _, lba28 := range []bool{false, true} {
		s := newStub(200)
		x := open(t, s, Options{LBA28: lba28})
		want := make([]byte, len(s.disk))
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			off := rnd.IntN(len(want))
			p := make([]byte, 1+rnd.IntN(min(len(want)-off, 20000)))
			for i := range p {
				p[i] = byte(rnd.Uint32())
			}
			if n, err := x.WriteAt(p, int64(off)); n != len(p) || err != nil {
				t.Fatalf("write of %d bytes at %d: %d, %v", len(p), off, n, err)
			}
			copy(want[off:], p)
			got := make([]byte, 1+rnd.IntN(20000))
			off = rnd.IntN(len(want))
			n, err := x.ReadAt(got, int64(off))
			if wantN := min(len(got), len(want)-off); n != wantN || (err == io.EOF) != (wantN < len(got)) {
				t.Fatalf("read of %d bytes at %d of %d: %d, %v", len(got), off, len(want), n, err)
			}
			if !bytes.Equal(got[:n], want[off:off+n]) {
				t.Fatalf("read of %d bytes at %d: wrong data", n, off)
			}
		}
		if !bytes.Equal(want, s.disk) {
			t.Fatal("the disk is not what was written")
		}
	}
}

func TestRangeErrors(t *testing.T) {
	s := newStub(10)
	x := open(t, s, Options{})
	before := s.requests
	if n, err := x.WriteAt(make([]byte, 1024), 9*512); n != 512 || !errors.Is(err, ErrRange) {
		t.Errorf("write over the end: %d, %v; want 512 and ErrRange", n, err)
	}
	if n, err := x.ReadAt(make([]byte, 1), 10*512); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v; want EOF", n, err)
	}
	if _, err := x.ReadAt(make([]byte, 1), -1); !errors.Is(err, ErrRange) {
		t.Errorf("read before the start: %v", err)
	}
	if s.requests != before+1 {
		t.Errorf("%d requests were sent, want only the one within the range", s.requests-before)
	}
	var ata *ATAError
	regs := transfer(false, false, 10, 1)
	if got, err := x.Command(regs, make([]byte, 512)); !errors.As(err, &ata) || ata.Reg != 0x10 || ata.LBA != 10 || got.Command != 0x41 {
		t.Errorf("raw read beyond the end: %+v, %v; want IDNF", got, err)
	}
}

func TestCommands(t *testing.T) {
	s := newStub(10)
	x := open(t, s, Options{})
	if err := x.Flush(); err != nil {
		t.Error(err)
	}
	if regs, err := x.Command(aoe.ATA{Command: 0xe5}, nil); err != nil || regs.Count != 0xff {
		t.Errorf("check power mode: %+v, %v", regs, err)
	}
	var ata *ATAError
	if _, err := x.Command(aoe.ATA{Command: 0x99}, nil); !errors.As(err, &ata) || ata.Reg != 4 || ata.Command != 0x99 {
		t.Errorf("unknown command: %v, want ABRT", err)
	}
}

func TestControlCommands(t *testing.T) {
	s := newStub(10)
	x := open(t, s, Options{Timeout: 20 * time.Millisecond})
	if c, err := x.Config(aoe.ConfigSet, "one"); err != nil || string(c.String) != "one" || c.Buffers != 16 {
		t.Errorf("set: %+v, %v", c, err)
	}
	var refused *AoEError
	c, err := x.Config(aoe.ConfigSet, "two")
	if !errors.As(err, &refused) || refused.Code != aoe.ErrConfigString || string(c.String) != "one" {
		t.Errorf("second set: %+v, %v; want error 4 and the present string", c, err)
	}
	if _, err := x.Config(aoe.ConfigTest, "two"); !errors.Is(err, ErrTimeout) {
		t.Errorf("test of another string: %v, want silence", err)
	}
	if list, err := x.MaskList(MaskEdit{aoe.MaskAdd, ourMAC}, MaskEdit{aoe.MaskAdd, otherMAC}); err != nil || len(list) != 2 || list[1] != otherMAC {
		t.Errorf("mask edit: %v, %v", list, err)
	}
	var bad *MaskError
	if _, err := x.MaskList(MaskEdit{aoe.MaskAdd, ourMAC}, MaskEdit{9, ourMAC}); !errors.As(err, &bad) || bad.Code != aoe.MaskBadDirective || bad.Done != 1 {
		t.Errorf("bad directive: %v", err)
	}
	if list, err := x.Reserve(aoe.ReserveSet, ourMAC); err != nil || len(list) != 1 || list[0] != ourMAC {
		t.Errorf("reserve: %v, %v", list, err)
	}
	if list, err := x.Reserve(aoe.ReserveSet); err != nil || len(list) != 0 {
		t.Errorf("release: %v, %v", list, err)
	}
}

func TestDiscover(t *testing.T) {
	s := newStub(10)
	s.answer = func(_ int, reply []byte) [][]byte { // twice, as over two of our interfaces, and a stranger's
		second := append([]byte(nil), reply...)
		second[18]++
		stranger := append([]byte(nil), reply...)
		stranger[23]++ // another tag
		return [][]byte{reply, append([]byte(nil), reply...), second, stranger, reply[:31]}
	}
	i, _ := New(s, Local{MAC: ourMAC, MTU: 1500})
	found, err := i.Discover(10 * time.Millisecond)
	if err != nil || len(found) != 2 || found[0].Addr != target || found[1].Addr.Slot != target.Slot+1 || found[0].Firmware != 0x4025 {
		t.Fatalf("found %+v, %v", found, err)
	}
}

func TestOpenNobody(t *testing.T) {
	i, _ := New(newStub(10), Local{MAC: ourMAC, MTU: 1500})
	_, err := i.Open(aoe.Addr{Shelf: 9}, Options{FindTimeout: 10 * time.Millisecond})
	if !errors.Is(err, ErrNoAnswer) {
		t.Fatalf("open of an export that is not there: %v", err)
	}
}

func TestExchange(t *testing.T) {
	i, _ := New(newStub(10), Local{MAC: ourMAC, MTU: 1500})
	frame := make([]byte, aoe.HeaderSize)
	aoe.Header{Dst: aoe.Broadcast, Src: ourMAC, Version: 1, Addr: target, Command: 9, Tag: 5}.Put(frame)
	got, err := i.Exchange(frame, 1, time.Second)
	if err != nil || len(got) != 1 || got[0][14] != 0x1c || got[0][15] != byte(aoe.ErrCommand) {
		t.Fatalf("reply % x, %v; want error 1", got, err)
	}
	if got, err := i.Exchange(nil, 0, time.Millisecond); err != nil || len(got) != 0 {
		t.Fatalf("nothing sent, got %x, %v", got, err)
	}
}

func TestIdentityErrors(t *testing.T) {
	good := identifyData(100)
	for name, spoil := range map[string]func([]byte) []byte{
		"short":       func(b []byte) []byte { return b[:511] },
		"checksum":    func(b []byte) []byte { b[100]++; return b },
		"no capacity": func([]byte) []byte { return identifyData(0) },
		"over 2^48":   func([]byte) []byte { return identifyData(1 << 48) },
	} {
		if id, err := ParseIdentity(spoil(bytes.Clone(good))); !errors.Is(err, ErrIdentify) || id != nil {
			t.Errorf("%s: %v, %v", name, id, err)
		}
	}
	if _, err := ParseIdentity(good); err != nil {
		t.Error(err)
	}
}
