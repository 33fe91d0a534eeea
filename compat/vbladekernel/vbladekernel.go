// Package vbladekernel speaks the text of vblade-kernel's /sys/vblade: drives
// are added to the file drives, and ports to the file ports of each drive.
//
//	line written ─ParseDrives, ParsePorts─▶ target operation
//	snapshot of the engine ─ListDrives, ListPorts, ListStats─▶ text read
//
// It is pure: files, permissions and errno are fusectl's, the work is target's.
// No source of vblade-kernel survives: its two commands are known from an
// article, all the rest is the design of the vblade-kernel sheet. "force", which
// takes a device that someone else has claimed, and "*", every interface, are
// this project's.
package vbladekernel

import (
	"fmt"

	"vbladefs/compat/text"
	"vbladefs/target"
)

// How a drive presents itself to initiators, sheet §2.6; its serial number is
// its name.
const (
	Model    = "EtherDrive(R) vblade-kernel"
	Firmware = 0x0003
)

// MaxWrite is how many bytes a write may have, sheet §2.2.
const MaxWrite = 4096

// What the commands look like.
const (
	drivesGrammar = "add NAME PATH [ro] [force], or del NAME"
	portsGrammar  = "add INTERFACE SHELF SLOT [BUFFERS [SECTORS]], or del INTERFACE SHELF SLOT"
)

// ParseDrives reads a line written to drives. A blank line or a comment is no
// operation and no error. What a drive may be called is target's to say.
func ParseDrives(line string) (target.Operation, error) {
	words := fields(line)
	switch {
	case len(words) == 0:
		return nil, nil
	case words[0] == "add" && len(words) >= 3:
		return parseAddDrive(words[1], words[2], words[3:])
	case words[0] == "del" && len(words) == 2:
		return target.RemoveDrive{Name: words[1]}, nil
	}
	return nil, badCommand(words, drivesGrammar)
}

func parseAddDrive(name, path string, flags []string) (target.Operation, error) {
	path, err := text.Path(path, "")
	if err != nil {
		return nil, err
	}
	op := target.AddDrive{
		Name: name, Path: path, Access: target.AccessReadWrite,
		Identity: target.Identity{Model: Model, Serial: text.Cut(name, target.MaxSerial), Firmware: Firmware},
	}
	for _, flag := range flags {
		switch {
		case flag == "ro" && op.Access != target.AccessReadOnly:
			op.Access = target.AccessReadOnly
		case flag == "force" && !op.Force:
			op.Force = true
		default:
			return nil, text.Malformed("%q after the path: want %s", flag, drivesGrammar)
		}
	}
	return op, nil
}

// ParsePorts reads a line written to the ports of drive. A blank line or a
// comment is no operation and no error.
func ParsePorts(drive, line string) (target.Operation, error) {
	words := fields(line)
	switch {
	case len(words) == 0:
		return nil, nil
	case words[0] == "add" && len(words) >= 4 && len(words) <= 6:
		return parseAddPort(drive, words[1:])
	case words[0] == "del" && len(words) == 4:
		addr, err := text.Addr(words[2], words[3])
		if err != nil {
			return nil, err
		}
		return target.RemovePort{Drive: drive, Addr: addr, Interface: words[1]}, nil
	}
	return nil, badCommand(words, portsGrammar)
}

func parseAddPort(drive string, words []string) (target.Operation, error) {
	addr, err := text.Addr(words[1], words[2])
	if err != nil {
		return nil, fmt.Errorf("%w; the order is INTERFACE SHELF SLOT", err)
	}
	op := target.AddPort{Drive: drive, Addr: addr, Buffers: target.DefaultBuffers}
	if op.Interface, err = text.Interface(words[0]); err != nil {
		return nil, err
	}
	if len(words) > 3 {
		buffers, err := text.Number("buffer count", words[3], 1, 65535)
		if err != nil {
			return nil, err
		}
		op.Buffers = uint16(buffers)
	}
	if len(words) > 4 {
		sectors, err := text.Number("sector count", words[4], 0, 255)
		if err != nil {
			return nil, err
		}
		op.Sectors = uint8(sectors)
	}
	return op, nil
}

// fields splits a line into words and drops the comment: from the first word
// that begins with #, so that a path may have one inside.
func fields(line string) []string {
	words := text.Fields(line, " \t")
	for i, word := range words {
		if word[0] == '#' {
			return words[:i]
		}
	}
	return words
}

func badCommand(words []string, grammar string) error {
	return text.Malformed("command %q with %d more words: want %s", words[0], len(words)-1, grammar)
}
