package aoe

import (
	"bytes"
	"testing"
)

var (
	client = MAC{0x52, 0x54, 0x00, 0xaa, 0x00, 0x01}
	server = MAC{0x9a, 0xf3, 0xf3, 0x96, 0x67, 0xfe}
)

// stale is a frame of n bytes with something in every one of them.
func stale(n int) []byte { return bytes.Repeat([]byte{0xee}, n) }

func TestHeaderRoundTrip(t *testing.T) {
	for _, h := range []Header{
		{},
		{Dst: Broadcast, Src: client, Version: 1, Addr: Addr{AnyShelf, AnySlot}, Command: CmdConfig},
		{Dst: client, Src: server, Version: 1, Response: true, Addr: Addr{65534, 254}, Command: CmdATA, Tag: 0x89abcdef},
		{Dst: client, Src: server, Version: 15, Response: true, Failed: true, Error: ErrReserved, Command: 0xff, Tag: 1},
	} {
		frame := stale(HeaderSize)
		h.Put(frame)
		if got, ok := DecodeHeader(frame); !ok || got != h {
			t.Errorf("put %+v, got %+v, %v", h, got, ok)
		}
	}
}

func TestReply(t *testing.T) {
	own := Addr{3, 5}
	request := Header{Dst: Broadcast, Src: client, Version: 2, Addr: Addr{AnyShelf, AnySlot}, Command: CmdReserve, Tag: 0x80000001}
	want := Header{Dst: client, Src: server, Version: 1, Response: true, Addr: own, Command: CmdReserve, Tag: 0x80000001}
	if got := request.Reply(own, server); got != want {
		t.Errorf("reply %+v, want %+v", got, want)
	}
	want.Failed, want.Error = true, ErrVersion
	failed := request.Reply(own, server).Fail(ErrVersion)
	if failed != want {
		t.Errorf("error reply %+v, want %+v", failed, want)
	}
	frame := stale(MinFrame)
	failed.Put(frame)
	if frame[14] != 0x1c || frame[15] != 5 {
		t.Errorf("flags and error are %#02x %#02x, want 0x1c 0x05", frame[14], frame[15])
	}
}

func TestArgumentsRoundTrip(t *testing.T) {
	frame := stale(1200)
	a := ATA{Flags: ATAExtended | ATAAsync | ATAWrite, Feature: 1, Count: 2, Command: 3, LBA: [6]byte{4, 5, 6, 7, 8, 9}}
	a.Put(frame)
	if got, data, ok := DecodeATA(frame); !ok || got != a || len(data) != 1200-ATASize || &data[0] != &frame[ATASize] {
		t.Errorf("ata %+v with %d bytes, want %+v", got, len(data), a)
	}

	for _, s := range []string{"", "x", string(stale(MaxConfigString))} {
		c := Config{Buffers: 0x1234, Firmware: 0x5678, Sectors: 0x9a, Command: ConfigForceSet, Length: len(s), String: []byte(s)}
		end := c.Put(frame)
		got, ok := DecodeConfig(frame[:end])
		if !ok || !got.Valid() || end != ConfigSize+len(s) || string(got.String) != s || frame[29] != 0x14 {
			t.Errorf("config %+v, end %d, want %+v", got, end, c)
		}
		if got.String = c.String; got.Buffers != c.Buffers || got.Firmware != c.Firmware || got.Sectors != c.Sectors ||
			got.Command != c.Command || got.Length != c.Length {
			t.Errorf("config %+v, want %+v", got, c)
		}
	}
}

func TestListsRoundTrip(t *testing.T) {
	frame := stale(MaskListSize + 255*DirectiveSize)
	for _, n := range []int{0, 1, 2, MaxListed, 255} {
		MaskList{Command: MaskEdit, Error: MaskFull, Count: uint8(n)}.Put(frame)
		end := MaskListSize
		for i := range n {
			end = PutDirective(frame, i, MaskDelete, MAC{byte(i)})
		}
		m, ok := DecodeMaskList(frame[:end])
		if !ok || !m.Valid() || m.Command != MaskEdit || m.Error != MaskFull || int(m.Count) != n || end != 28+8*n {
			t.Fatalf("mask list of %d: %+v, end %d", n, m, end)
		}
		for i := range n {
			if d, mac := m.Directive(i); d != MaskDelete || mac != (MAC{byte(i)}) {
				t.Errorf("directive %d of %d: %d %v", i, n, d, mac)
			}
		}
	}
	for _, n := range []int{0, 1, 2, MaxListed, 255} {
		Reserve{Command: ReserveForceSet, Count: uint8(n)}.Put(frame)
		end := ReserveSize
		for i := range n {
			end = PutReserved(frame, i, MAC{byte(i), 1})
		}
		r, ok := DecodeReserve(frame[:end])
		if !ok || !r.Valid() || r.Command != ReserveForceSet || int(r.Count) != n || end != 26+6*n {
			t.Fatalf("reserve list of %d: %+v, end %d", n, r, end)
		}
		for i := range n {
			if r.MAC(i) != (MAC{byte(i), 1}) {
				t.Errorf("address %d of %d: %v", i, n, r.MAC(i))
			}
		}
	}
}

// A full list fits the reply on the smallest usual MTU.
func TestListsFitAFrame(t *testing.T) {
	if n := MaskListSize + MaxListed*DirectiveSize; n > 1514 || n+DirectiveSize <= 1514 {
		t.Errorf("a full mask list is %d bytes; want the most that 1514 hold", n)
	}
	if n := ReserveSize + MaxListed*macSize; n > 1514 {
		t.Errorf("a full reserve list is %d bytes", n)
	}
}

// Every structure, cut at every length: what is not there is not decoded.
func TestTruncated(t *testing.T) {
	whole := make([]byte, 100)
	Header{Src: client, Version: 1}.Put(whole)
	with := func(put func(b []byte)) []byte {
		b := bytes.Clone(whole)
		put(b)
		return b
	}
	ata := with(func(b []byte) { ATA{Command: 0x24}.Put(b) })
	config := with(func(b []byte) { Config{Command: ConfigSet, String: []byte("0123456789")}.Put(b) })
	masks := with(func(b []byte) { MaskList{Command: MaskEdit, Count: 5}.Put(b) })
	reserve := with(func(b []byte) { Reserve{Command: ReserveSet, Count: 5}.Put(b) })
	for n := range len(whole) + 1 {
		cut := func(b []byte) []byte { return bytes.Clone(b[:n]) } // so that reading on would panic
		if _, ok := DecodeHeader(cut(whole)); ok != (n >= 24) {
			t.Errorf("a header of %d bytes: %v", n, ok)
		}
		if _, data, ok := DecodeATA(cut(ata)); ok != (n >= 36) || ok && len(data) != n-36 {
			t.Errorf("ATA in %d bytes: %v, %d bytes of data", n, ok, len(data))
		}
		if c, ok := DecodeConfig(cut(config)); ok != (n >= 32) || c.Valid() != (n >= 42) {
			t.Errorf("config in %d bytes: %v, valid %v", n, ok, c.Valid())
		}
		if m, ok := DecodeMaskList(cut(masks)); ok != (n >= 28) || m.Valid() != (n >= 68) {
			t.Errorf("mask list in %d bytes: %v, valid %v", n, ok, m.Valid())
		}
		if r, ok := DecodeReserve(cut(reserve)); ok != (n >= 26) || r.Valid() != (n >= 56) {
			t.Errorf("reserve list in %d bytes: %v, valid %v", n, ok, r.Valid())
		}
	}
}

// §1.2: the sectors that initiators expect of an MTU.
func TestSectors(t *testing.T) {
	for mtu, want := range map[int]int{-1: 0, 0: 0, 35: 0, 36: 0, 534: 0, 547: 0, 548: 1, 1500: 2, 1558: 2, 1571: 2, 1572: 3,
		4118: 7, 4131: 7, 4132: 8, 4200: 8, 8228: 16, 9000: 17, 9216: 17, 16110: 31, 65535: 127, 65536: 127, 1 << 30: 255} {
		if got := Sectors(mtu); got != want {
			t.Errorf("MTU %d: %d sectors, want %d", mtu, got, want)
		}
	}
}

func TestMatches(t *testing.T) {
	own := Addr{3, 5}
	for _, tt := range []struct {
		asked              Addr
		matches, wildcards bool
	}{
		{Addr{3, 5}, true, false}, {Addr{AnyShelf, AnySlot}, true, true}, {Addr{AnyShelf, 5}, true, true}, {Addr{3, AnySlot}, true, true},
		{Addr{4, 5}, false, false}, {Addr{3, 4}, false, false}, {Addr{AnyShelf, 4}, false, true}, {Addr{4, AnySlot}, false, true},
		{Addr{0x0503, 5}, false, false}, {Addr{0x00ff, 5}, false, false},
	} {
		if tt.asked.Matches(own) != tt.matches || tt.asked.Wildcard() != tt.wildcards {
			t.Errorf("%v asked of %v: matches %v, wildcard %v", tt.asked, own, tt.asked.Matches(own), tt.asked.Wildcard())
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	frame := make([]byte, 1514)
	text := []byte("config string")
	valid := 0
	n := testing.AllocsPerRun(100, func() {
		h, _ := DecodeHeader(frame)
		h.Reply(Addr{3, 5}, server).Fail(ErrArgument).Put(frame)
		a, data, _ := DecodeATA(frame)
		a.Put(frame)
		Config{Command: ConfigSet, String: text}.Put(frame)
		c, _ := DecodeConfig(frame)
		MaskList{Count: 1}.Put(frame)
		PutDirective(frame, 0, MaskAdd, client)
		m, _ := DecodeMaskList(frame)
		d, mac := m.Directive(0)
		Reserve{Count: 1}.Put(frame)
		PutReserved(frame, 0, client)
		r, _ := DecodeReserve(frame)
		if c.Valid() && d == MaskAdd && mac == client && r.MAC(0) == client && len(data) == 1514-36 {
			valid++
		}
	})
	if n != 0 || valid == 0 {
		t.Errorf("%v allocations a run, %d good runs", n, valid)
	}
}

func BenchmarkDecode(b *testing.B) {
	frame := make([]byte, MinFrame)
	Header{Src: client, Version: Version, Addr: Addr{3, 5}}.Put(frame)
	ATA{Flags: ATAExtended, Count: 8, Command: 0x24}.Put(frame)
	b.ReportAllocs()
	for b.Loop() {
		h, ok := DecodeHeader(frame)
		a, _, ok2 := DecodeATA(frame)
		if !ok || !ok2 || h.Addr.Shelf != 3 || a.Count != 8 {
			b.Fatal("not decoded")
		}
	}
}

// BenchmarkEncode is the reply to a read, but for its data.
func BenchmarkEncode(b *testing.B) {
	frame := make([]byte, MinFrame)
	request := Header{Src: client, Version: Version, Addr: Addr{3, 5}, Tag: 7}
	b.ReportAllocs()
	for b.Loop() {
		request.Reply(request.Addr, client).Put(frame)
		ATA{Flags: ATAExtended, Command: 0x40}.Put(frame)
	}
	if h, ok := DecodeHeader(frame); !ok || !h.Response || h.Tag != 7 {
		b.Fatal("not encoded")
	}
}
