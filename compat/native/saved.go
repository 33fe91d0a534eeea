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
	for _, l := range s.Limits {
		b.WriteString("targets/limits " + LimitCommand(l) + "\n")
	}
	for i := range s.Ports {
		savePort(&b, &s.Ports[i])
	}
	b.WriteString(EndLine(bytes.Count(b.Bytes(), []byte("\n"))-1) + "\n")
	return b.Bytes()
}

// DriveCommand is what adds d when it is written to vblade/drives.
func DriveCommand(d target.DriveInfo) string {
	command := "add " + d.Name + " " + d.Path
	switch {
	case d.Auto:
		command += " auto"
	case d.ReadOnly:
		command += " ro"
	}
	if d.Forced {
		command += " force"
	}
	if d.Cache != target.CacheDirect { // what a restored drive has that names none: target.Waiting
		command += " " + string(d.Cache)
	}
	if d.Thin {
		command += " thin"
	}
	if d.Offset != 0 {
		command += " offset=" + strconv.FormatUint(d.Offset, 10)
	}
	if d.Length != 0 {
		command += " length=" + strconv.FormatUint(d.Length, 10)
	}
	return command
}

// PortCommand is what adds p when it is written to targets/ports.
func PortCommand(p target.PortInfo) string { return portCommand("add", p) }

// SetPortCommand is what makes a port that is there like p when it is written to
// targets/ports. It cannot force.
func SetPortCommand(p target.PortInfo) string {
	p.Forced = false
	return portCommand("set", p)
}

func portCommand(verb string, p target.PortInfo) string {
	command := verb + " " + FolderName(p.Addr) + " " + p.Interface
	if p.Buffers != target.DefaultBuffers || p.Sectors != 0 {
		command += " " + strconv.Itoa(int(p.Buffers))
	}
	if p.Sectors != 0 {
		command += " " + strconv.Itoa(int(p.Sectors))
	}
	return command + portFlags(p)
}

// LimitCommand is what sets l when it is written to targets/limits.
func LimitCommand(l target.MTULimit) string { return "set " + l.Interface + " " + strconv.Itoa(l.MTU) }

// HostsCommand is what makes hosts of a list when it is written to that.
func HostsCommand(hosts []aoe.MAC) string {
	if len(hosts) == 0 {
		return "clear"
	}
	command := make([]byte, 0, len("set")+len(hosts)*len(" 00:00:00:00:00:00"))
	command = append(command, "set"...)
	for _, host := range hosts {
		command = host.Append(append(command, ' '))
	}
	return string(command)
}

// saveDrive compares with what vblade/drives makes of a name and a path.
func saveDrive(b *bytes.Buffer, d *target.DriveInfo) {
	b.WriteString("vblade/drives " + DriveCommand(*d) + "\n")
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
	if d.Auto && d.ReadOnly && !d.Unwritable { // else the word ro says it
		value("readonly", ReadOnlyText(*d))
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
		b.WriteString("targets/" + name + "/" + list.name + " " + HostsCommand(list.hosts) + "\n")
	}
	for point, list := range blade.Access {
		writeAccess(b, "targets/"+name+"/"+target.AccessPoint(point).String()+" ", list, rowsPerLine)
	}
	if blade.Loud {
		b.WriteString("targets/" + name + "/loud " + LoudText(*blade))
	}
	if len(blade.Config) > 0 {
		b.WriteString("targets/" + name + "/config " + ConfigText(*blade))
	}
}

func savePort(b *bytes.Buffer, p *target.PortInfo) {
	b.WriteString("targets/ports " + PortCommand(*p) + "\n")
}
