package aoe

import (
	"bytes"
	"testing"
)

// The fuzz targets hold, for any frame: decoding does not panic, nothing is
// valid that the frame does not hold, and what was decoded, put into a frame
// and decoded again, is the same.

// addFrames seeds f with a good frame of every command.
func addFrames(f *testing.F) {
	for command, put := range map[Command]func([]byte){
		CmdATA:      func(b []byte) { ATA{Flags: ATAWrite, Count: 1, Command: 0x34}.Put(b) },
		CmdConfig:   func(b []byte) { Config{Command: ConfigSet, String: []byte("hello")}.Put(b) },
		CmdMaskList: func(b []byte) { MaskList{Command: MaskEdit, Count: 2}.Put(b); PutDirective(b, 1, MaskAdd, client) },
		CmdReserve:  func(b []byte) { Reserve{Command: ReserveSet, Count: 2}.Put(b); PutReserved(b, 1, client) },
	} {
		frame := make([]byte, MinFrame)
		Header{Dst: Broadcast, Src: client, Version: 1, Command: command}.Put(frame)
		put(frame)
		f.Add(frame)
		f.Add(frame[:40])
		f.Add(frame[:HeaderSize+1])
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 1514))
}

func FuzzDecodeHeader(f *testing.F) {
	addFrames(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, ok := DecodeHeader(frame)
		if peeked, long := PeekAddr(frame); long != (len(frame) >= HeaderSize) || ok && peeked != h.Addr {
			t.Fatalf("PeekAddr says %v %v, DecodeHeader %v", peeked, long, h.Addr)
		}
		if !ok {
			if h != (Header{}) {
				t.Fatalf("refused, but decoded %+v", h)
			}
			return
		}
		again := stale(HeaderSize)
		h.Put(again)
		if got, ok := DecodeHeader(again); !ok || got != h {
			t.Fatalf("%+v became %+v", h, got)
		}
		if again[14] &= 0xfc; !bytes.Equal(again[:14], frame[:14]) || again[14] != frame[14]&0xfc || !bytes.Equal(again[15:], frame[15:24]) {
			t.Fatalf("% x became % x", frame[:24], again)
		}
	})
}

func FuzzDecodeATA(f *testing.F) {
	addFrames(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		a, data, ok := DecodeATA(frame)
		if ok != (len(frame) >= ATASize) || ok && len(data) != len(frame)-ATASize || !ok && data != nil {
			t.Fatalf("%d bytes: %v, %d bytes of data", len(frame), ok, len(data))
		}
		if !ok {
			return
		}
		again := stale(ATASize)
		a.Put(again)
		if got, _, ok := DecodeATA(again); !ok || got != a || !bytes.Equal(again[24:34], frame[24:34]) {
			t.Fatalf("%+v became %+v", a, got)
		}
	})
}

func FuzzDecodeConfig(f *testing.F) {
	addFrames(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		c, ok := DecodeConfig(frame)
		if honest := ok && c.Length <= 1024 && 32+c.Length <= len(frame); ok != (len(frame) >= 32) || c.Valid() != honest {
			t.Fatalf("%d bytes: %v, %+v", len(frame), ok, c)
		}
		if !c.Valid() {
			return
		}
		if len(c.String) != c.Length || cap(c.String) != c.Length || c.Command > 15 {
			t.Fatalf("%+v", c)
		}
		again := stale(ConfigSize + MaxConfigString)
		end := c.Put(again)
		got, ok := DecodeConfig(again[:end])
		if !ok || !got.Valid() || !bytes.Equal(got.String, c.String) || !bytes.Equal(again[24:29], frame[24:29]) ||
			again[29] != 0x10|frame[29]&0x0f || !bytes.Equal(again[30:end], frame[30:end]) {
			t.Fatalf("%+v became %+v", c, got)
		}
	})
}

func FuzzDecodeMaskList(f *testing.F) {
	addFrames(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, ok := DecodeMaskList(frame)
		if honest := ok && 28+8*int(m.Count) <= len(frame); ok != (len(frame) >= 28) || m.Valid() != honest {
			t.Fatalf("%d bytes: %v, %+v", len(frame), ok, m)
		}
		if !m.Valid() {
			return
		}
		again := stale(MaskListSize + 255*DirectiveSize)
		m.Put(again)
		end := MaskListSize
		for i := range int(m.Count) {
			d, mac := m.Directive(i)
			end = PutDirective(again, i, d, mac)
			if at := end - 7; !bytes.Equal(again[at:end], frame[at:end]) {
				t.Fatalf("directive %d: % x became % x", i, frame[at:end], again[at:end])
			}
		}
		if got, ok := DecodeMaskList(again[:end]); !ok || !got.Valid() || got.Command != m.Command || got.Error != m.Error || got.Count != m.Count {
			t.Fatalf("%+v became %+v", m, got)
		}
	})
}

func FuzzDecodeReserve(f *testing.F) {
	addFrames(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, ok := DecodeReserve(frame)
		if honest := ok && 26+6*int(r.Count) <= len(frame); ok != (len(frame) >= 26) || r.Valid() != honest {
			t.Fatalf("%d bytes: %v, %+v", len(frame), ok, r)
		}
		if !r.Valid() {
			return
		}
		again := stale(ReserveSize + 255*6)
		r.Put(again)
		end := ReserveSize
		for i := range int(r.Count) {
			end = PutReserved(again, i, r.MAC(i))
		}
		got, ok := DecodeReserve(again[:end])
		if !ok || !got.Valid() || got.Command != r.Command || got.Count != r.Count || !bytes.Equal(again[24:end], frame[24:end]) {
			t.Fatalf("%+v became %+v", r, got)
		}
	})
}
