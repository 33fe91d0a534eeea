package fusectl

import (
	"vbladefs/compat/native"
	"vbladefs/compat/text"
	"vbladefs/compat/vbladekernel"
	"vbladefs/target"
)

// vbladeDir is vblade-kernel's /sys/vblade.
var vbladeDir = &dir{
	name:  "vblade",
	about: "as vblade-kernel's /sys/vblade",
	files: []*file{
		{
			name: "drives", about: "disks, by the name that you choose",
			takes: vbladekernel.DrivesGrammars,
			gives: "NAME PATH SECTORS rw|ro PORTS, a line a drive", dialect: vbladeDialect,
			long: true, maxWrite: vbladekernel.MaxWrite,
			parse: func(_ *tree, _ subject, line, _ string) (target.Operation, error) {
				return vbladekernel.ParseDrives(line)
			},
			read: func(t *tree, _ subject) ([]byte, bool) { return vbladekernel.ListDrives(t.engine.Drives()), true },
		},
		{
			name: "stats", gives: "counters of all exports: NAME VALUE, a line each", dialect: vbladeDialect,
			long: true,
			read: func(t *tree, _ subject) ([]byte, bool) {
				var total target.Stats
				for _, port := range t.engine.Ports() {
					total.Add(port.Stats)
				}
				return vbladekernel.ListStats(total), true
			},
		},
	},
	dirs: []*dir{driveDir},
}

var driveDir = &dir{
	name:  "<NAME>",
	about: "a drive",
	list: func(t *tree, _ subject) []subject {
		return folders(t.engine.Drives(), func(d target.DriveInfo) subject {
			return subject{name: d.Name, drive: d.Name}
		})
	},
	find: func(t *tree, _ subject, name string) (subject, bool) {
		_, ok := t.engine.Drive(name)
		return subject{name: name, drive: name}, ok
	},
	files: []*file{
		portsFile,
		unmeasured(driveFile("stats", "counters of the drive's exports: NAME VALUE, a line each", func(d target.DriveInfo) string {
			return string(vbladekernel.ListStats(d.Stats))
		})),
		driveFile("path", "path of the disk", vbladekernel.Path),
		driveFile("size", "size in sectors of 512 bytes", vbladekernel.Size),
		driveFile("offset", "sectors of the disk before the drive", vbladekernel.Offset),
		driveFile("length", "sectors that it has at most; 0: up to the end of the disk", vbladekernel.Length),
		driveValue("cache", "write policy", vbladekernel.Cache, vbladekernel.ParseCache, vbladekernel.CacheGrammar),
		driveValue("readonly", "1 or 0: whether writes are refused", native.ReadOnlyText, native.ParseReadOnly, native.SwitchGrammar),
		driveValue("model", "model; in quotes as a Go string if it begins with a blank", native.ModelText, native.ParseModel, text.ModelGrammar),
		driveValue("serial", "serial number, like model", native.SerialText, native.ParseSerial, text.SerialGrammar),
		driveValue("firmware", "firmware version of config replies", native.FirmwareText, native.ParseFirmware, native.FirmwareGrammar),
		driveValue("keep", "1 or 0: whether the drive stays when its last port goes", native.KeepText, native.ParseKeep, native.SwitchGrammar),
		driveValue("thin", "1 or 0: whether writing zeros gives blocks of the disk back", native.ThinText, native.ParseThin, native.SwitchGrammar),
		driveValue("pause", "1 or 0: whether requests wait, for a snapshot; not saved", native.PauseText, native.ParsePause, native.SwitchGrammar),
		driveValue("resize", "size in sectors; a write has it looked up again", vbladekernel.Size, native.ParseResize, native.ResizeGrammar),
		driveFile("state", "up, paused, or down and why", native.DriveState),
		driveFile("note", "what to know of a drive that is up, such as that its file was removed; empty: nothing", native.NoteText),
	},
}

var portsFile = &file{
	name:  "ports",
	about: "where the drive can be reached; INTERFACE may be * for all of them, now and later",
	takes: vbladekernel.PortsGrammars,
	gives: "INTERFACE SHELF SLOT BUFFERS SECTORS EFFECTIVE_SECTORS, a line a port", dialect: vbladeDialect,
	long: true, maxWrite: vbladekernel.MaxWrite,
	parse: func(_ *tree, s subject, line, _ string) (target.Operation, error) {
		return vbladekernel.ParsePorts(s.drive, line)
	},
	read: func(t *tree, s subject) ([]byte, bool) {
		_, ok := t.engine.Drive(s.drive)
		return vbladekernel.ListPorts(t.engine.DrivePorts(s.drive)), ok
	},
}

// driveFile is an attribute of a drive.
func driveFile(name, gives string, show func(target.DriveInfo) string) *file {
	return &file{name: name, gives: gives, dialect: vbladeDialect, read: func(t *tree, s subject) ([]byte, bool) {
		drive, ok := t.engine.Drive(s.drive)
		return []byte(show(drive)), ok
	}}
}

// driveValue is an attribute of a drive that can be written.
func driveValue(name, gives string, show func(target.DriveInfo) string,
	parse func(drive, value string) (target.Operation, error), takes string) *file {
	f := driveFile(name, gives, show)
	f.value, f.takes = true, []string{takes}
	f.parse = func(_ *tree, s subject, line, _ string) (target.Operation, error) { return parse(s.drive, line) }
	return f
}
