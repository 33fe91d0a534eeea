package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vbladefs/target/aoe"
)

// The exports of the conformance table, on an interface of MTU 9000: what a row
// does is done to the first; 1.2 is its neighbour, 2.1 is read-only.
var (
	first, second, locked = aoe.Addr{Shelf: 1, Slot: 1}, aoe.Addr{Shelf: 1, Slot: 2}, aoe.Addr{Shelf: 2, Slot: 1}
	everyone              = aoe.Addr{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}
)

// conformSectors is the size of the first: so large that its end is beyond the
// 28-bit register of row 16.
const (
	conformSectors = 1<<24 + 64
	frameSectors   = 16 // at MTU 9000, as advertised
)

// TestConformance holds the daemon against PROTOCOL.md §8, row by row, by every kind of link.
func TestConformance(t *testing.T) {
	for _, flags := range [][]string{{"-workers", "1"}, {"-workers", "3"}, {"-link", "raw"}, {"-link", "xdp"}} {
		t.Run(strings.TrimPrefix(strings.Join(flags, " "), "-"), func(t *testing.T) {
			w := conformanceRig(t, rigOf(t), flags...)
			for _, row := range conformance {
				t.Run(row.name, func(t *testing.T) {
					w.t = t
					row.test(w)
				})
			}
		})
	}
}

func conformanceRig(t *testing.T, r *rig, flags ...string) *wire {
	t.Helper()
	if err := r.pair("c0", "t0", 9000); err != nil {
		t.Fatal(err)
	}
	d, err := r.serve(flags...)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range []struct {
		addr    aoe.Addr
		sectors int64
		flags   string
	}{{first, conformSectors, ""}, {second, 64, ""}, {locked, 64, " ro"}} {
		path := filepath.Join(r.dir, fmt.Sprintf("disk-%d", i))
		err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, e.sectors*aoe.SectorSize),
			d.echo(fmt.Sprintf("add d%d %s%s", i, path, e.flags), "vblade/drives"),
			d.echo(fmt.Sprintf("add t0 %d %d", e.addr.Shelf, e.addr.Slot), fmt.Sprintf("vblade/d%d/ports", i)))
		if err != nil {
			t.Fatal(err)
		}
	}
	if kind, err := d.read("interfaces/t0/link"); err != nil || flags[0] == "-link" && !strings.Contains(kind, flags[1]) {
		t.Fatalf("%v: the link is %q, %v", flags, kind, err)
	}
	return newWire(t, "c0", "t0", first)
}

func read(lba uint64, count uint8) aoe.ATA {
	return aoe.ATA{Flags: aoe.ATAExtended, Count: count, Command: 0x24, LBA: lbaBytes(lba)}
}

func write(lba uint64, count uint8) aoe.ATA {
	return aoe.ATA{Flags: aoe.ATAExtended | aoe.ATAWrite, Count: count, Command: 0x34, LBA: lbaBytes(lba)}
}

func sectorsOf(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n*aoe.SectorSize) }

// The status and error registers.
const (
	good, bad  = 0x40, 0x41
	abrt, idnf = 0x04, 0x10
	unc        = 0x40
)

// conformance is the table.
var conformance = []struct {
	name string
	test func(w *wire)
}{
	{"1 config read to 0xFFFF.0xFF, 32-byte frame: one 60-byte reply per export", func(w *wire) {
		w.addrs(toAll(w.config(everyone, aoe.Config{})), first, second, locked)
	}},
	{"2 same, partial wildcards: matching exports only", func(w *wire) {
		w.addrs(toAll(w.config(aoe.Addr{Shelf: 1, Slot: aoe.AnySlot}, aoe.Config{})), first, second)
		w.addrs(toAll(w.config(aoe.Addr{Shelf: aoe.AnyShelf, Slot: 1}, aoe.Config{})), first, locked)
		w.silent(toAll(w.config(aoe.Addr{Shelf: 3, Slot: aoe.AnySlot}, aoe.Config{})))
	}},
	{"3 config read exact address, broadcast MAC, length field 1024: reply", func(w *wire) {
		frame := toAll(w.config(first, aoe.Config{}))
		binary.BigEndian.PutUint16(frame[30:], 1024)
		w.addrs(frame, first)
	}},
	{"4 config test wrong, prefix wrong: silence", func(w *wire) {
		w.silent(w.config(first, aoe.Config{Command: aoe.ConfigTest, String: []byte("x")}),
			w.config(first, aoe.Config{Command: aoe.ConfigPrefix, String: []byte("x")}))
	}},
	{"5 config set twice same string, then different: ok, ok, error 4 with current string", func(w *wire) {
		for range 2 {
			h, reply := w.one(w.config(first, aoe.Config{Command: aoe.ConfigSet, String: []byte("one")}))
			if c, _ := aoe.DecodeConfig(reply); h.Failed || string(c.String) != "one" {
				w.t.Errorf("a set is answered by %+v", c)
			}
		}
		reply := w.wantError(4, w.config(first, aoe.Config{Command: aoe.ConfigSet, String: []byte("two")}))
		if c, _ := aoe.DecodeConfig(reply); string(c.String) != "one" {
			w.t.Errorf("the refusal says %q", c.String)
		}
		w.one(w.config(first, aoe.Config{Command: aoe.ConfigForceSet}))
	}},
	{"6 CCmd 7: error 2", func(w *wire) { w.wantError(2, w.config(first, aoe.Config{Command: 7})) }},
	{"7 command 9, 0xF3: error 1", func(w *wire) {
		w.wantError(1, w.request(first, 9, 60))
		w.wantError(1, w.request(first, 0xf3, 60))
	}},
	{"8 version nibble 2, exact address: error 5, nibble 1", func(w *wire) {
		frame := w.config(first, aoe.Config{})
		frame[14] = 0x20
		w.wantError(5, frame)
	}},
	{"9 R flag set; source MAC ff:…; wrong slot; 23-byte frame; 35-byte ATA: silence", func(w *wire) {
		reply := w.config(first, aoe.Config{})
		reply[14] |= 8
		w.silent(reply, from(aoe.Broadcast, w.config(first, aoe.Config{})), w.config(aoe.Addr{Shelf: 1, Slot: 9}, aoe.Config{}),
			w.config(first, aoe.Config{})[:23], w.ata(first, read(0, 1), nil)[:35])
	}},
	{"10 IDENTIFY with flags 0, 0x40, to 0xFFFF.0xFF, with 8192 trailing bytes; READ EXT with trailing bytes and W=0: normal reply", identified},
	{"11 READ EXT last sector; last+1; LBA 2^48-1 count 2: data; IDNF; IDNF", func(w *wire) {
		if _, data := w.wantATA(good, 0, w.ata(first, read(conformSectors-1, 1), nil)); len(data) != 512 {
			w.t.Errorf("%d bytes", len(data))
		}
		w.wantATA(bad, idnf, w.ata(first, read(conformSectors, 1), nil))
		w.wantATA(bad, idnf, w.ata(first, read(1<<48-1, 2), nil))
	}},
	{"12 READ count 0; advertised+1; 255: ABRT", func(w *wire) {
		for _, count := range []uint8{0, frameSectors + 1, 255} {
			w.wantATA(bad, abrt, w.ata(first, read(0, count), nil))
		}
	}},
	{"13 READ count = advertised: exactly 36+512n bytes", func(w *wire) {
		_, reply := w.one(w.config(first, aoe.Config{}))
		if c, _ := aoe.DecodeConfig(reply); c.Sectors != frameSectors {
			w.t.Errorf("%d sectors are advertised", c.Sectors)
		}
		if _, reply := w.one(w.ata(first, read(0, frameSectors), nil)); len(reply) != aoe.ATASize+512*frameSectors {
			w.t.Errorf("%d bytes", len(reply))
		}
	}},
	{"14 WRITE with short payload; W=0: ABRT, nothing written", func(w *wire) {
		w.wantATA(good, 0, w.ata(first, write(40, 2), sectorsOf(1, 2)))
		w.wantATA(bad, abrt, w.ata(first, write(40, 2), sectorsOf(2, 2)[:1023]))
		unflagged := write(40, 2)
		unflagged.Flags = aoe.ATAExtended
		w.wantATA(bad, abrt, w.ata(first, unflagged, sectorsOf(2, 2)))
		w.holds(40, sectorsOf(1, 2))
	}},
	{"15 WRITE to read-only export: ABRT 0x41, E=0", func(w *wire) {
		w.wantATA(bad, abrt, w.ata(locked, write(0, 1), sectorsOf(1, 1)))
	}},
	{"16 28-bit read with lba3 = 0xE1: LBA bit 24 set, high nibble ignored", func(w *wire) {
		w.wantATA(good, 0, w.ata(first, write(1<<24+5, 1), sectorsOf(16, 1)))
		_, data := w.wantATA(good, 0, w.ata(first, aoe.ATA{Count: 1, Command: 0x20, LBA: [6]byte{5, 0, 0, 0xe1}}, nil))
		if !bytes.Equal(data, sectorsOf(16, 1)) {
			w.t.Errorf("another sector")
		}
	}},
	{"17 E7, EA, E5, EF/02, E1: status 0x40 (E5: count 0xFF)", func(w *wire) {
		for _, command := range []uint8{0xe7, 0xea, 0xe5, 0xef, 0xe1} {
			a := aoe.ATA{Command: command}
			if command == 0xef {
				a.Feature = 2
			}
			if a, _ := w.wantATA(good, 0, w.ata(first, a, nil)); command == 0xe5 && a.Count != 255 {
				w.t.Errorf("E5: count %d", a.Count)
			}
		}
	}},
	{"18 0x00, 0xA1, 0xF5, 0x99: ABRT", func(w *wire) {
		for _, command := range []uint8{0, 0xa1, 0xf5, 0x99} {
			w.wantATA(bad, abrt, w.ata(first, aoe.ATA{Command: command}, nil))
		}
	}},
	{"19 same write sent twice with different tags, then another value: both answered; final value is the last", func(w *wire) {
		for _, value := range []byte{1, 1, 2} {
			w.wantATA(good, 0, w.ata(first, write(50, 3), sectorsOf(value, 3)))
		}
		w.holds(50, sectorsOf(2, 3))
	}},
	{"20 reserve set by A; READ, WRITE, IDENTIFY by B; set by B; force by B: 6, 6, ok, 6, ok", reserved},
	{"21 mask add A; any command from B: silence; add/add/delete idempotent; bad DCmd: MError 2 with count", masked},
	{"22 reserved AoE flag bits set (0x11, 0x13): processed normally, reply byte 0x18", func(w *wire) {
		for _, flags := range []byte{0x11, 0x13} {
			frame := w.ata(first, read(0, 1), nil)
			frame[14] = flags
			w.wantATA(good, 0, frame)
		}
	}},
	{"23 every reply: at least 60 bytes, zero padding, source = interface MAC, version nibble 1", func(w *wire) {
		// checkReply looks at every reply of this table. To all hosts, as a unicast would be answered:
		for _, frame := range [][]byte{w.config(first, aoe.Config{}), w.ata(first, aoe.ATA{Command: 0xe7}, nil),
			w.reserve(w.mac, first, aoe.ReserveRead), w.mask(w.mac, first)} {
			if _, reply := w.one(toAll(frame)); len(reply) != aoe.MinFrame {
				w.t.Errorf("%d bytes", len(reply))
			}
		}
	}},
}

// addrs checks which exports answer a config query.
func (w *wire) addrs(frame []byte, want ...aoe.Addr) {
	w.t.Helper()
	got := map[aoe.Addr]bool{}
	for _, reply := range w.ask(len(want), frame) {
		h, _ := aoe.DecodeHeader(reply)
		got[h.Addr] = true
		if len(reply) != aoe.MinFrame || h.Failed {
			w.t.Errorf("%v answers with %d bytes", h.Addr, len(reply))
		}
	}
	for _, addr := range want {
		if !got[addr] {
			w.t.Errorf("%v does not answer", addr)
		}
	}
}

// holds checks what is on the first export.
func (w *wire) holds(lba uint64, want []byte) {
	w.t.Helper()
	if _, data := w.wantATA(good, 0, w.ata(first, read(lba, uint8(len(want)/512)), nil)); !bytes.Equal(data, want) {
		w.t.Errorf("sector %d holds % x …, want % x …", lba, data[:4], want[:4])
	}
}
