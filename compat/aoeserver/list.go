package aoeserver

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// The headings of the listing, sheet §3; the last one ends in two blanks.
const (
	exportHeading = "#<device>              <shelf>     <slot>     <interface>\n"
	accessHeading = "\n# access lists\n#<shelf>     <slot>       <allowed host>  \n"
)

// maxDeviceShown is how much of a device path is listed.
const maxDeviceShown = 30

// State is what the listing shows: everything the engine serves, in creation
// order, and whether it ever served anything.
type State target.State

// List is the text of the file: exports newest first, then their access lists.
func List(s State) []byte {
	var b bytes.Buffer
	b.WriteString(exportHeading)
	s.listExports(&b)
	if s.Served {
		b.WriteString(accessHeading)
		s.listAccess(&b)
	}
	return b.Bytes()
}

func (s State) listExports(b *bytes.Buffer) {
	paths := make(map[string]string, len(s.Drives))
	for _, d := range s.Drives {
		paths[d.Name] = d.Path
	}
	for _, p := range slices.Backward(s.Ports) {
		netif := p.Interface
		if netif == target.EveryInterface {
			netif = ""
		}
		device := text.Printable(text.Cut(paths[p.Drive], maxDeviceShown))
		fmt.Fprintf(b, "%-25s %-10d %-10d%s\n", device, p.Addr.Shelf, p.Addr.Slot, netif)
	}
}

// listAccess lists an address once, however many interfaces it is on.
func (s State) listAccess(b *bytes.Buffer) {
	hosts := make(map[aoe.Addr][]aoe.MAC)
	for _, blade := range s.Blades {
		if len(blade.Accept) > 0 {
			hosts[blade.Addr] = blade.Accept
		}
	}
	for _, p := range slices.Backward(s.Ports) {
		for _, host := range hosts[p.Addr] {
			fmt.Fprintf(b, "%-14d %-10d%s\n", p.Addr.Shelf, p.Addr.Slot, strings.ToUpper(host.String()))
		}
		delete(hosts, p.Addr)
	}
}
