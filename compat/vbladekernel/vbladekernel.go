// Package vbladekernel speaks the text of vblade-kernel's /sys/vblade: drives
// are added to the file drives, and ports to the file ports of each drive.
//
//	line written ─ParseDrives, ParsePorts─▶ target operation
//	snapshot of the engine ─ListDrives, ListPorts, ListStats─▶ text read
//
// It is pure: files, permissions and errno are fusectl's, the work is target's.
// No source of vblade-kernel survives: its two commands are known from an
// article, all the rest is the design of the vblade-kernel sheet. "force", which
// takes a device that someone else has claimed, "auto", which has a drive that
// cannot be written be read-only, the write policies, and "*", every interface,
// are this project's.
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
var (
	DrivesGrammars = []string{"add NAME PATH [ro|auto] [force] [writeback|direct|durable] [offset=SECTORS] [length=SECTORS] [thin] [size=BYTES]", "del NAME"}
	PortsGrammars  = []string{"add INTERFACE SHELF SLOT [BUFFERS [SECTORS]] [force]", "del INTERFACE SHELF SLOT"}
)

// ParseDrives reads a line written to drives. A blank line or a comment is no
// operation and no error. What a drive may be called is target's to say.
func ParseDrives(line string) (target.Operation, error) {
	c, found, err := text.MatchLine(line, DrivesGrammars...)
	if !found {
		return nil, err
	}
	name := c.Values[0].Text
	if c.Verb == "del" {
		return target.RemoveDrive{Name: name}, nil
	}
	path, err := text.Path(c.Values[1], "")
	if err != nil {
		return nil, err
	}
	op := target.AddDrive{
		Name: name, Path: path, Access: target.AccessReadWrite, Force: c.Has("force"),
		Identity: target.Identity{Model: Model, Serial: text.Cut(name, target.MaxSerial), Firmware: Firmware},
	}
	switch {
	case c.Has("ro"):
		op.Access = target.AccessReadOnly
	case c.Has("auto"):
		op.Access = target.AccessAuto
	}
	for _, cache := range []target.Cache{target.CacheWriteback, target.CacheDirect, target.CacheDurable} {
		if c.Has(string(cache)) {
			op.Cache = cache
		}
	}
	if err := parseSize(&op, c); err != nil {
		return nil, err
	}
	return parseWindow(op, c)
}

// parseSize reads of what size a file is made. What is made sparse stays so.
func parseSize(op *target.AddDrive, c text.Command) error {
	op.Thin = c.Has("thin")
	word, given := c.Value("size")
	if !given {
		return nil
	}
	n, err := text.Bytes("size", word, 512, maxSectors*512)
	if err == nil && n%512 != 0 {
		err = word.Malformed("size %s is no whole number of sectors: want a multiple of 512", word)
	}
	op.Create, op.Thin = int64(n), true
	return err
}

// maxSectors is what the largest file of Linux has.
const maxSectors = 1<<54 - 1

// parseWindow reads which part of the store is the drive.
func parseWindow(op target.AddDrive, c text.Command) (target.Operation, error) {
	for _, flag := range []struct {
		name  string
		least uint64
		n     *uint64
	}{{"offset", 0, &op.Offset}, {"length", 1, &op.Length}} {
		word, given := c.Value(flag.name)
		if !given {
			continue
		}
		var err error
		if *flag.n, err = text.Number(flag.name, word, flag.least, maxSectors); err != nil {
			return nil, err
		}
	}
	return op, nil
}

// ParsePorts reads a line written to the ports of drive. A blank line or a
// comment is no operation and no error.
func ParsePorts(drive, line string) (target.Operation, error) {
	c, found, err := text.MatchLine(line, PortsGrammars...)
	if !found {
		return nil, err
	}
	addr, err := text.Addr(c.Values[1], c.Values[2])
	if err != nil {
		return nil, fmt.Errorf("%w; the order is INTERFACE SHELF SLOT", err)
	}
	if c.Verb == "del" {
		return target.RemovePort{Drive: drive, Addr: addr, Interface: c.Values[0].Text}, nil
	}
	op := target.AddPort{Drive: drive, Addr: addr, Buffers: target.DefaultBuffers, Force: c.Has("force")}
	if op.Interface, err = text.Interface(c.Values[0]); err != nil {
		return nil, err
	}
	return parseLimits(op, c.Values[3:])
}

// parseLimits reads [BUFFERS [SECTORS]].
func parseLimits(op target.AddPort, words []text.Word) (target.Operation, error) {
	if len(words) > 0 {
		buffers, err := text.Number("buffer count", words[0], 1, 65535)
		if err != nil {
			return nil, err
		}
		op.Buffers = uint16(buffers)
	}
	if len(words) > 1 {
		sectors, err := text.Number("sector count", words[1], 0, 255)
		if err != nil {
			return nil, err
		}
		op.Sectors = uint8(sectors)
	}
	return op, nil
}
