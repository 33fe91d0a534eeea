package native

import (
	"bytes"
	"fmt"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// ListBlades is the text of blades: address, drive, number of ports.
func ListBlades(s target.State) []byte {
	ports := make(map[aoe.Addr]int, len(s.Blades))
	for _, p := range s.Ports {
		ports[p.Addr]++
	}
	var b bytes.Buffer
	for _, blade := range s.Blades {
		fmt.Fprintf(&b, "%s %s %d\n", FolderName(blade.Addr), blade.Drive, ports[blade.Addr])
	}
	return b.Bytes()
}

// ListPorts is the text of ports: address, interface, buffers, sectors as
// configured (0: what the MTU allows) and as advertised, state, flags.
func ListPorts(ports []target.PortInfo) []byte {
	var b bytes.Buffer
	for _, p := range ports {
		state := "down"
		if p.Up {
			state = "up"
		}
		fmt.Fprintf(&b, "%s %s %d %d %d %s%s\n", FolderName(p.Addr), p.Interface, p.Buffers, p.Sectors, p.EffectiveSectors, state, portFlags(p))
	}
	return b.Bytes()
}

// portFlags are the flags of a port as they are written, each after a blank.
func portFlags(p target.PortInfo) string {
	flags := ""
	if p.Quiet {
		flags += " quiet"
	}
	if p.Forced {
		flags += " force"
	}
	return flags
}

// DriveName is the text of drive.
func DriveName(b target.BladeInfo) string { return text.Printable(b.Drive) + "\n" }
