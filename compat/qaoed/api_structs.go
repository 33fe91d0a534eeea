package qaoed

import (
	"bytes"
	"encoding/binary"

	"vbladefs/target"
	"vbladefs/target/aoe"
)

// The sizes of the structures, with their padding.
const (
	statusSize           = 12
	interfaceCommandSize = 24
	interfaceInfoSize    = 32
	targetSize           = 152
	detailSize           = 1284
	listInfoSize         = 128
	rowSize              = 7
)

// The sizes of texts in them, with the NUL at their end.
const (
	netifText = 20
	pathText  = 120
	nameText  = 20
)

// ownMTU stands for the MTU that an interface has by itself.
const ownMTU = -1

// Status is how much there is.
type Status struct{ Targets, Interfaces, Threads uint32 }

// Append writes s behind b.
func (s Status) Append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, s.Targets)
	b = binary.NativeEndian.AppendUint32(b, s.Interfaces)
	return binary.NativeEndian.AppendUint32(b, s.Threads)
}

// DecodeStatus reads a Status.
func DecodeStatus(b []byte) (Status, error) {
	r := newReader(b, statusSize)
	s := Status{r.uint32(), r.uint32(), r.uint32()}
	return s, r.err
}

// InterfaceCommand is what is asked of an interface.
type InterfaceCommand struct {
	Name string
	MTU  int32
}

// Append writes c behind b.
func (c InterfaceCommand) Append(b []byte) []byte {
	return binary.NativeEndian.AppendUint32(appendText(b, c.Name, netifText), uint32(c.MTU))
}

// DecodeInterfaceCommand reads an InterfaceCommand.
func DecodeInterfaceCommand(b []byte) (InterfaceCommand, error) {
	r := newReader(b, interfaceCommandSize)
	c := InterfaceCommand{r.text("interface", netifText), int32(r.uint32())}
	return c, r.err
}

// InterfaceInfo is an interface as it is.
type InterfaceInfo struct {
	Name string
	MAC  aoe.MAC
	MTU  int32
}

// Append writes i behind b.
func (i InterfaceInfo) Append(b []byte) []byte {
	b = append(appendText(b, i.Name, netifText), i.MAC[:]...)
	return binary.NativeEndian.AppendUint32(append(b, 0, 0), uint32(i.MTU))
}

// DecodeInterfaceInfo reads an InterfaceInfo.
func DecodeInterfaceInfo(b []byte) (InterfaceInfo, error) {
	r := newReader(b, interfaceInfoSize)
	i := InterfaceInfo{Name: r.text("interface", netifText)}
	copy(i.MAC[:], r.next(6))
	r.next(2)
	i.MTU = int32(r.uint32())
	return i, r.err
}

// Append writes t behind b, its texts cut to what there is room for.
func (t Target) Append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint16(appendText(b, t.Path, pathText), t.Shelf)
	b = append(appendText(append(b, t.Slot), t.Interface, netifText), 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(t.Writecache))
	return binary.NativeEndian.AppendUint32(b, uint32(t.Broadcast))
}

// DecodeTarget reads a Target. Its switches may be anything: some requests do not
// fill them.
func DecodeTarget(b []byte) (Target, error) {
	r := newReader(b, targetSize)
	t := r.target()
	return t, r.err
}

// Detail is all about a target.
type Detail struct {
	Target
	Lists  [target.AccessPoints]string // names of access lists; empty: everyone may
	Log    string
	Level  uint32
	Config []byte // at most 1024 bytes
}

// detailLists are the access points in the order of the structure.
var detailLists = [...]target.AccessPoint{target.WriteData, target.ReadData, target.StoreConfig, target.ReadConfig}

// Append writes d behind b, its texts cut to what there is room for.
func (d Detail) Append(b []byte) []byte {
	b = d.Target.Append(b)
	for _, point := range detailLists {
		b = appendText(b, d.Lists[point], nameText)
	}
	b = binary.NativeEndian.AppendUint32(appendText(b, d.Log, nameText), d.Level)
	var config [aoe.MaxConfigString]byte
	n := copy(config[:], d.Config)
	return append(binary.NativeEndian.AppendUint32(b, uint32(n)), config[:]...)
}

// DecodeDetail reads a Detail.
func DecodeDetail(b []byte) (Detail, error) {
	r := newReader(b, detailSize)
	d := Detail{Target: r.target()}
	for _, point := range detailLists {
		d.Lists[point] = r.text("access list", nameText)
	}
	d.Log = r.text("log", nameText)
	d.Level = r.uint32()
	length := r.uint32()
	config := r.next(aoe.MaxConfigString)
	if length > aoe.MaxConfigString {
		r.fail("a config string of %d bytes: want at most %d", length, aoe.MaxConfigString)
		length = 0
	}
	d.Config = bytes.Clone(config[:length])
	return d, r.err
}

// Policies and rules of access lists.
const (
	ruleAccept = 1
	ruleReject = 2
)

func rule(accept bool) byte {
	if accept {
		return ruleAccept
	}
	return ruleReject
}

// ListInfo is an access list without its rows.
type ListInfo struct {
	Name   string
	Number uint32 // its place among the lists, from 0
	Accept bool   // what it decides of hosts in no row
}

// Append writes l behind b, its name cut to what there is room for.
func (l ListInfo) Append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint32(appendText(b, l.Name, pathText), l.Number)
	return binary.NativeEndian.AppendUint32(b, uint32(rule(l.Accept)))
}

// DecodeListInfo reads a ListInfo. As in the original, what does not accept
// rejects.
func DecodeListInfo(b []byte) (ListInfo, error) {
	r := newReader(b, listInfoSize)
	l := ListInfo{r.text("access list", pathText), r.uint32(), r.uint32() == ruleAccept}
	return l, r.err
}

// AppendRow writes a row of an access list behind b.
func AppendRow(b []byte, row target.AccessRow) []byte {
	return append(append(b, rule(row.Accept)), row.Host[:]...)
}

// DecodeRow reads a row of an access list.
func DecodeRow(b []byte) (target.AccessRow, error) {
	r := newReader(b, rowSize)
	row := target.AccessRow{Accept: r.next(1)[0] == ruleAccept}
	copy(row.Host[:], r.next(6))
	return row, r.err
}
