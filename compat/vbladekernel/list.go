package vbladekernel

import (
	"bytes"
	"fmt"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// ListDrives is the text of drives, sheet §2.3: name, path, sectors, rw or ro,
// number of ports.
func ListDrives(drives []target.DriveInfo) []byte {
	var b bytes.Buffer
	for _, d := range drives {
		access := "rw"
		if d.ReadOnly {
			access = "ro"
		}
		fmt.Fprintf(&b, "%s %s %d %s %d\n", d.Name, text.Printable(d.Path), d.Sectors, access, d.Ports)
	}
	return b.Bytes()
}

// ListPorts is the text of a drive's ports, sheet §2.3: interface, shelf, slot,
// buffers, sectors as configured (0: what the MTU allows), sectors as
// advertised.
func ListPorts(ports []target.PortInfo) []byte {
	var b bytes.Buffer
	for _, p := range ports {
		fmt.Fprintf(&b, "%s %d %d %d %d %d\n",
			p.Interface, p.Addr.Shelf, p.Addr.Slot, p.Buffers, p.Sectors, p.EffectiveSectors)
	}
	return b.Bytes()
}

// ListStats is the text of a stats file, sheet §2.5. Its keys keep their order,
// new ones go to the end.
func ListStats(s target.Stats) []byte {
	var b bytes.Buffer
	for _, row := range []struct {
		key   string
		value uint64
	}{
		{"reads", s.Reads},
		{"read_sectors", s.ReadSectors},
		{"writes", s.Writes},
		{"write_sectors", s.WriteSectors},
		{"others", s.Others},
		{"errors", s.Errors},
		{"dropped", s.Dropped},
		{"in_flight", s.InFlight},
		{"announces", s.Announces},
		{"ata_errors", s.ATAErrors},
		{"full", s.Full},
		{"depth", s.Depth},
		{"read_ns", uint64(s.ReadTime)},
		{"write_ns", uint64(s.WriteTime)},
		{"other_ns", uint64(s.OtherTime)},
	} {
		fmt.Fprintf(&b, "%s %d\n", row.key, row.value)
	}
	return b.Bytes()
}
