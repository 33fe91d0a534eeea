package kvblade

import (
	"fmt"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// maxPathShown is where bpath is cut, sheet §1.2.
const maxPathShown = 255

// ExportName is the name of the folder of an export.
func ExportName(addr aoe.Addr, netif string) string {
	return fmt.Sprintf("%d.%d@%s", addr.Shelf, addr.Slot, netif)
}

// ParseExportName reads the name of a folder. It is false for a name that
// ExportName would not have given.
func ParseExportName(name string) (addr aoe.Addr, netif string, ok bool) {
	digits, netif, _ := strings.Cut(name, "@")
	addr, err := aoe.ParseAddr(digits)
	if err != nil || netif == "" || ExportName(addr, netif) != name {
		return aoe.Addr{}, "", false
	}
	return addr, netif, true
}

// Export is an export at one moment; its methods are the attributes in its
// folder, each the text of a file.
type Export struct {
	Port  target.PortInfo
	Drive target.DriveInfo
}

// Size is the text of scnt and scst: the size in sectors of 512 bytes.
func (e Export) Size() string { return fmt.Sprintf("%d\n", e.Drive.Sectors) }

// Device is the text of bdev: the number of the block device, 0:0 for a file.
func (e Export) Device() string { return fmt.Sprintf("%d:%d\n", e.Drive.Major, e.Drive.Minor) }

// Path is the text of bpath.
func (e Export) Path() string { return text.Printable(text.Cut(e.Drive.Path, maxPathShown)) + "\n" }

// Model is the text of model: 40 characters.
func (e Export) Model() string { return padded(e.Drive.Model, target.MaxModel) }

// Serial is the text of sn: 20 characters.
func (e Export) Serial() string { return padded(e.Drive.Serial, target.MaxSerial) }

// Busy is the text of busy: how many requests are in flight.
func (e Export) Busy() string { return fmt.Sprintf("%d\n", e.Port.Stats.InFlight) }

// MTU is the text of mtu: the bytes of data in a frame, not the interface's MTU.
func (e Export) MTU() string { return fmt.Sprintf("%d\n", e.Port.EffectiveSectors*aoe.SectorSize) }

func padded(s string, width int) string {
	return fmt.Sprintf("%-*s\n", width, text.Printable(text.Cut(s, width)))
}
