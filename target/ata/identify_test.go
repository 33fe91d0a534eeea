package ata

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// words are the 256 words of block, whose checksum is right.
func words(t *testing.T, block []byte) (w [256]uint16) {
	t.Helper()
	var sum byte
	for _, v := range block[:512] {
		sum += v
	}
	if sum != 0 || block[510] != 0xa5 {
		t.Fatalf("checksum: sum %#02x, signature %#02x", sum, block[510])
	}
	for i := range w {
		w[i] = binary.LittleEndian.Uint16(block[2*i:])
	}
	return w
}

// Every word of §3.4; a word that is not named here is 0.
func TestIdentifyWords(t *testing.T) {
	want := map[int]uint16{
		0: 0x0040, 1: 0x3fff, 2: 0xc837, 3: 16, 6: 63, 47: 0x8001, 48: 0x4000, 49: 0x0f00, 50: 0x4000, 53: 0x0007,
		54: 0x3fff, 55: 16, 56: 63, 57: 0xfc10, 58: 0x00fb, 59: 0x0101, 60: 0xffff, 61: 0x0fff, 63: 0x0007, 64: 0x0003,
		65: 0x0078, 66: 0x0078, 67: 0x0078, 68: 0x0078, 80: 0x01f0, 82: 0x0069, 83: 0x7400, 84: 0x4140, 85: 0x0069,
		86: 0x3400, 87: 0x4140, 88: 0x203f, 93: 0x400b, 100: 0x5678, 101: 0x1234, 102: 0x0001, 105: 0x0001, 106: 0x6003,
		108: 0x5001, 109: 0x0203, 110: 0x0405, 111: 0x0607, 119: 0x4000, 120: 0x4000, 169: 0x0001, 209: 0x4000, 217: 7200,
		// "serial 1", "1.0", "disk", padded with spaces, first character high.
		10: 0x7365, 11: 0x7269, 12: 0x616c, 13: 0x2031, 23: 0x312e, 24: 0x3020, 25: 0x2020, 26: 0x2020,
		27: 0x6469, 28: 0x736b,
	}
	for _, space := range [][2]int{{14, 19}, {29, 46}} {
		for i := space[0]; i <= space[1]; i++ {
			want[i] = 0x2020
		}
	}
	id := Identity{Sectors: 0x112345678, Serial: "serial 1", Firmware: "1.0", Model: "disk", WriteCache: true,
		PhysicalSectorBytes: 4096, RotationRate: 7200, WorldWideName: 0x5001020304050607}
	block := bytes.Repeat([]byte{0xee}, 512) // stale memory must not show
	id.Put(block)
	for i, got := range words(t, block) {
		if i != 255 && got != want[i] {
			t.Errorf("word %d: %#04x, want %#04x", i, got, want[i])
		}
	}
}

// The words that tell the features of one drive from another's.
func TestIdentifyVariants(t *testing.T) {
	tests := []struct {
		name string
		id   Identity
		want map[int]uint16
	}{
		{"write through", Identity{}, map[int]uint16{82: 0x0069, 85: 0x0049}},
		{"write back", Identity{WriteCache: true}, map[int]uint16{82: 0x0069, 85: 0x0069}},
		{"no name", Identity{}, map[int]uint16{84: 0x4040, 87: 0x4040, 108: 0, 111: 0}},
		{"no capacity", Identity{}, map[int]uint16{1: 0, 54: 0, 57: 0, 60: 0, 61: 0, 100: 0, 103: 0}},
		{"one sector", Identity{Sectors: 1}, map[int]uint16{1: 0, 57: 0, 60: 1, 100: 1}},
		{"a cylinder", Identity{Sectors: 1008}, map[int]uint16{1: 1, 54: 1, 57: 1008, 60: 1008, 100: 1008}},
		{"below 28 bits", Identity{Sectors: 0x0ffffffe}, map[int]uint16{60: 0xfffe, 61: 0x0fff, 100: 0xfffe, 101: 0x0fff}},
		{"at 28 bits", Identity{Sectors: 1 << 28}, map[int]uint16{60: 0xffff, 61: 0x0fff, 100: 0, 101: 0x1000}},
		{"largest", Identity{Sectors: 1<<48 - 1}, map[int]uint16{1: 16383, 60: 0xffff, 61: 0x0fff, 100: 0xffff, 101: 0xffff, 102: 0xffff, 103: 0}},
		{"beyond", Identity{Sectors: 1 << 48}, map[int]uint16{100: 0xffff, 101: 0xffff, 102: 0xffff, 103: 0}},
		{"512 byte blocks", Identity{PhysicalSectorBytes: 512}, map[int]uint16{106: 0x4000}},
		{"unknown blocks", Identity{}, map[int]uint16{106: 0x4000}},
		{"8 KiB blocks", Identity{PhysicalSectorBytes: 8192}, map[int]uint16{106: 0x6004}},
		{"solid state", Identity{RotationRate: 1}, map[int]uint16{217: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			block := make([]byte, 512)
			tt.id.Put(block)
			w := words(t, block)
			for i, want := range tt.want {
				if w[i] != want {
					t.Errorf("word %d: %#04x, want %#04x", i, w[i], want)
				}
			}
		})
	}
}

func TestIdentifyStrings(t *testing.T) {
	tests := []struct{ serial, want string }{
		{"", "                    "},
		{"abc", "abc                 "},
		{"0123456789abcdefghijklmnop", "0123456789abcdefghij"},
		{"a\x00b\nc\x7f", "a?b?c?              "},
		{"gr\u00f6\u00dfe", "gr??e               "},
		{"\xff\xfe!", "??!                 "},
	}
	for _, tt := range tests {
		block := make([]byte, 512)
		id := Identity{Serial: tt.serial, Firmware: "firmware-too-long", Model: "m"}
		id.Put(block)
		if got := readString(block[20:40]); got != tt.want {
			t.Errorf("serial %q reads %q, want %q", tt.serial, got, tt.want)
		}
		if got := readString(block[46:54]); got != "firmware" {
			t.Errorf("firmware reads %q", got)
		}
		if got := readString(block[54:94]); got != "m                                       " {
			t.Errorf("model reads %q", got)
		}
	}
}

// readString undoes the order of the bytes in a string field.
func readString(field []byte) string {
	s := make([]byte, len(field))
	for i := range field {
		s[i] = field[i^1]
	}
	return string(s)
}

func TestSmartData(t *testing.T) {
	block := bytes.Repeat([]byte{0xee}, 600)
	PutSmartData(block)
	var sum byte
	for _, v := range block[:512] {
		sum += v
	}
	if sum != 0 {
		t.Errorf("the page sums to %#02x, want 0", sum)
	}
	if !bytes.Equal(block[512:], bytes.Repeat([]byte{0xee}, 88)) {
		t.Error("wrote behind the page")
	}
	for i, v := range block[:511] {
		want := map[int]byte{0: 16, 367: 1, 368: 2}[i]
		if v != want {
			t.Errorf("byte %d: %#02x, want %#02x", i, v, want)
		}
	}
}
