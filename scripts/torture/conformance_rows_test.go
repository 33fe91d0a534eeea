package main

import (
	"vbladefs/target/aoe"
)

// Rows of the conformance table that take more than a few lines.

func identified(w *wire) {
	identify := aoe.ATA{Count: 1, Command: 0xec}
	extended := identify
	extended.Flags = aoe.ATAExtended
	for _, frame := range [][]byte{w.ata(first, identify, nil), w.ata(first, extended, nil), w.ata(first, identify, make([]byte, 8192))} {
		_, reply := w.one(frame)
		w.checkIdentity(reply)
	}
	for _, reply := range w.ask(3, toAll(w.ata(everyone, identify, nil))) {
		if h, _ := aoe.DecodeHeader(reply); h.Addr == first {
			w.checkIdentity(reply)
		}
	}
	plain, probing := w.ata(first, read(0, frameSectors), nil), w.ata(first, read(0, frameSectors), make([]byte, 512*frameSectors))
	for _, frame := range [][]byte{plain, probing} {
		if _, data := w.wantATA(good, 0, frame); len(data) != 512*frameSectors {
			w.t.Errorf("a read brings %d bytes", len(data))
		}
	}
}

func (w *wire) checkIdentity(reply []byte) {
	w.t.Helper()
	a, data, _ := aoe.DecodeATA(reply)
	if len(reply) != 548 || a.Command != good {
		w.t.Fatalf("IDENTIFY: %d bytes, status %#02x", len(reply), a.Command)
	}
	sectors := uint64(word(data, 100)) | uint64(word(data, 101))<<16 | uint64(word(data, 102))<<32 | uint64(word(data, 103))<<48
	var sum byte
	for _, b := range data {
		sum += b
	}
	if sectors != conformSectors || sum != 0 || data[510] != 0xa5 {
		w.t.Errorf("IDENTIFY: %d sectors, bytes add up to %d, word 255 %#04x", sectors, sum, word(data, 255))
	}
}

func (w *wire) reserve(by aoe.MAC, addr aoe.Addr, command aoe.ReserveCommand, macs ...aoe.MAC) []byte {
	frame := w.request(addr, aoe.CmdReserve, aoe.ReserveSize+6*len(macs))
	aoe.Reserve{Command: command, Count: uint8(len(macs))}.Put(frame)
	for i, mac := range macs {
		aoe.PutReserved(frame, i, mac)
	}
	return from(by, frame)
}

func reserved(w *wire) {
	ok := func(frame []byte) {
		w.t.Helper()
		if h, _ := w.one(frame); h.Failed {
			w.t.Errorf("error %d", h.Error)
		}
	}
	ok(w.reserve(w.mac, first, aoe.ReserveSet, w.mac))
	w.wantError(6, from(other, w.ata(first, read(0, 1), nil)))
	w.wantError(6, from(other, w.ata(first, write(0, 1), sectorsOf(1, 1))))
	w.wantATA(good, 0, from(other, w.ata(first, aoe.ATA{Count: 1, Command: 0xec}, nil)))
	w.wantError(6, w.reserve(other, first, aoe.ReserveSet, other))
	ok(w.reserve(other, first, aoe.ReserveForceSet, other))
	w.wantError(6, w.ata(first, read(0, 1), nil))
	ok(w.reserve(other, first, aoe.ReserveSet)) // released
	w.wantATA(good, 0, w.ata(first, read(0, 1), nil))
}

// edit is a directive of a mask list edit.
type edit struct {
	do  aoe.MaskDirective
	mac aoe.MAC
}

func (w *wire) mask(by aoe.MAC, addr aoe.Addr, edits ...edit) []byte {
	frame := w.request(addr, aoe.CmdMaskList, aoe.MaskListSize+8*len(edits))
	command := aoe.MaskRead
	if len(edits) > 0 {
		command = aoe.MaskEdit
	}
	aoe.MaskList{Command: command, Count: uint8(len(edits))}.Put(frame)
	for i, e := range edits {
		aoe.PutDirective(frame, i, e.do, e.mac)
	}
	return from(by, frame)
}

func masked(w *wire) {
	listed := func(want int, code aoe.MaskError, frame []byte) {
		w.t.Helper()
		h, reply := w.one(frame)
		if m, ok := aoe.DecodeMaskList(reply); h.Failed || !ok || int(m.Count) != want || m.Error != code {
			w.t.Errorf("the list has %d entries, error %d; want %d and %d", m.Count, m.Error, want, code)
		}
	}
	add, del := edit{aoe.MaskAdd, w.mac}, edit{aoe.MaskDelete, w.mac}
	listed(1, 0, w.mask(w.mac, first, add))
	listed(1, 0, w.mask(w.mac, first, add))
	w.silent(from(other, w.config(first, aoe.Config{})), from(other, w.ata(first, read(0, 1), nil)),
		from(other, w.ata(first, aoe.ATA{Count: 1, Command: 0xec}, nil)), w.mask(other, first), w.reserve(other, first, aoe.ReserveRead),
		from(other, w.request(first, 9, 60)))
	listed(1, aoe.MaskBadDirective, w.mask(w.mac, first, add, edit{9, w.mac}, del))
	listed(0, 0, w.mask(w.mac, first, del))
	listed(0, 0, w.mask(w.mac, first, del))
	w.one(from(other, w.config(first, aoe.Config{})))
}
