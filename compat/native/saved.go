package native

import (
	"bytes"
	"strconv"

	"vbladefs/compat/text"
	"vbladefs/compat/vbladekernel"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// Saved is s as the commands that make it again, a line each: the file, relative
// to the mount point, a blank, and what is to be written there. Only what differs
// from the defaults is in it. The order is one that restores: drives, addresses
// with what is kept for them, and at last ports, since a port answers.
func Saved(s target.State) []byte {
	var b bytes.Buffer
	b.WriteString(Header + "\n")
	for i := range s.Drives {
		saveDrive(&b, &s.Drives[i])
	}
	for i := range s.Blades {
		saveBlade(&b, &s.Blades[i])
	}
	for i := range s.Ports {
		savePort(&b, &s.Ports[i])
	}
	b.WriteString(EndLine(bytes.Count(b.Bytes(), []byte("\n"))-1) + "\n")
	return b.Bytes()
}

// saveDrive compares with what vblade/drives makes of a name and a path.
func saveDrive(b *bytes.Buffer, d *target.DriveInfo) {
	b.WriteString("vblade/drives add " + d.Name + " " + d.Path)
	switch {
	case d.Unwritable:
		b.WriteString(" auto")
	case d.ReadOnly:
		b.WriteString(" ro")
	}
	if d.Forced {
		b.WriteString(" force")
	}
	if d.Cache != target.CacheDirect { // what a restored drive has that names none: target.Waiting
		b.WriteString(" " + string(d.Cache))
	}
	if d.Offset != 0 {
		b.WriteString(" offset=" + strconv.FormatUint(d.Offset, 10))
	}
	if d.Length != 0 {
		b.WriteString(" length=" + strconv.FormatUint(d.Length, 10))
	}
	b.WriteByte('\n')
	value := func(name, text string) { b.WriteString("vblade/" + d.Name + "/" + name + " " + text) }
	if d.Model != vbladekernel.Model {
		value("model", ModelText(*d))
	}
	if d.Serial != text.Cut(d.Name, target.MaxSerial) {
		value("serial", SerialText(*d))
	}
	if d.Firmware != vbladekernel.Firmware {
		value("firmware", FirmwareText(*d))
	}
	if d.Implicit {
		value("keep", KeepText(*d))
	}
}

// rowsPerLine keeps the lines of an access list below text.MaxLine.
const rowsPerLine = 128

func saveBlade(b *bytes.Buffer, blade *target.BladeInfo) {
	name := FolderName(blade.Addr)
	b.WriteString("targets/blades add " + name + " " + blade.Drive + "\n")
	for _, list := range []struct {
		name  string
		hosts []aoe.MAC
	}{{"accept", blade.Accept}, {"deny", blade.Deny}, {"masks", blade.Masks}, {"reserve", blade.Reserve}} {
		if len(list.hosts) == 0 {
			continue
		}
		b.WriteString("targets/" + name + "/" + list.name + " set")
		for _, host := range list.hosts {
			b.WriteString(" " + host.String())
		}
		b.WriteByte('\n')
	}
	for point, list := range blade.Access {
		writeAccess(b, "targets/"+name+"/"+target.AccessPoint(point).String()+" ", list, rowsPerLine)
	}
	if len(blade.Config) > 0 {
		b.WriteString("targets/" + name + "/config " + ConfigText(*blade))
	}
}

func savePort(b *bytes.Buffer, p *target.PortInfo) {
	b.WriteString("targets/ports add " + FolderName(p.Addr) + " " + p.Interface)
	if p.Buffers != target.DefaultBuffers || p.Sectors != 0 {
		b.WriteString(" " + strconv.Itoa(int(p.Buffers)))
	}
	if p.Sectors != 0 {
		b.WriteString(" " + strconv.Itoa(int(p.Sectors)))
	}
	b.WriteString(portFlags(*p) + "\n")
}
