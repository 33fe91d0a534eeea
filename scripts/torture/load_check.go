package main

import (
	"fmt"

	"vbladefs/target/aoe"
)

// readAll reads and checks the whole export by the first path.
func (l *load) readAll() error {
	buffer, floors := make([]byte, 128*aoe.SectorSize), make([]uint32, 128)
	x := l.exports[0]
	for lba := uint64(0); lba < uint64(len(l.free)); {
		n := min(len(floors), len(l.free)-int(lba))
		l.ledger.SendRead(lba, floors[:n])
		if _, err := x.ReadAt(buffer[:n*aoe.SectorSize], int64(lba)*aoe.SectorSize); err != nil {
			return fmt.Errorf("reading all: %w", err)
		}
		l.ledger.DidRead(lba, buffer[:n*aoe.SectorSize], floors[:n])
		lba += uint64(n)
	}
	return x.Flush()
}

// check compares a copy of what the export holds.
func (l *load) check(content []byte) {
	floors := make([]uint32, len(l.free))
	l.ledger.SendRead(0, floors)
	l.ledger.DidRead(0, content, floors)
}
