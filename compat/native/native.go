// Package native speaks the text of this project's own files: the folder targets
// with an address each, and the files beside vblade-kernel's in a drive's folder.
//
//	line or value written ─Parse…─▶ target operation
//	snapshot of the engine ─List…, …Text─▶ text read
//	snapshot of the engine ─Saved─▶ the commands that make it again
//
// It is pure: files, permissions and errno are fusectl's, the work is target's.
// What a file gives can be written to it again: a value as it is, a list with
// `set` before it, a line of blades or ports with `add` before its first words.
// An address is written as the Linux initiator names it, e<shelf>.<slot>, and so
// are the folders.
package native

import (
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// What the commands look like.
var (
	BladesGrammars = []string{"add ADDRESS DRIVE", "del ADDRESS"}
	PortsGrammars  = []string{"add ADDRESS INTERFACE [BUFFERS [SECTORS]] [quiet] [force]", "set ADDRESS INTERFACE [BUFFERS [SECTORS]] [quiet]", "del ADDRESS [INTERFACE]"}
)

// FolderName is the name of the folder of an address.
func FolderName(addr aoe.Addr) string { return "e" + addr.String() }

// ParseFolderName reads the name of a folder. It is false for a name that
// FolderName would not have given.
func ParseFolderName(name string) (aoe.Addr, bool) {
	addr, err := aoe.ParseAddr(name)
	return addr, err == nil && FolderName(addr) == name
}

// ParseBlades reads a line written to blades. A blank line or a comment is no
// operation and no error.
func ParseBlades(line string) (target.Operation, error) {
	c, found, err := text.MatchLine(line, BladesGrammars...)
	if !found {
		return nil, err
	}
	addr, err := address(c.Values[0])
	switch {
	case err != nil:
		return nil, err
	case c.Verb == "del":
		return target.RemoveBlade{Addr: addr}, nil
	default:
		return target.AddBlade{Addr: addr, Drive: c.Values[1].Text}, nil
	}
}

// ParsePorts reads a line written to ports. A blank line or a comment is no
// operation and no error.
func ParsePorts(line string) (target.Operation, error) {
	c, found, err := text.MatchLine(line, PortsGrammars...)
	if !found {
		return nil, err
	}
	addr, err := address(c.Values[0])
	if err != nil {
		return nil, err
	}
	if c.Verb == "del" {
		if comment := len(c.Values) == 1 && strings.Contains(line, "#"); comment {
			return nil, ambiguous(line)
		}
		return parseDelPort(addr, c.Values[1:])
	}
	p, err := parsePort(c.Values[1:])
	switch {
	case err != nil:
		return nil, err
	case c.Verb == "set":
		return target.SetPort{Addr: addr, Interface: p.Interface, Buffers: p.Buffers, Sectors: p.Sectors, Quiet: c.Has("quiet")}, nil
	}
	p.Addr, p.Quiet, p.Force = addr, c.Has("quiet"), c.Has("force")
	return p, nil
}

// parsePort reads INTERFACE [BUFFERS [SECTORS]].
func parsePort(words []text.Word) (op target.AddPort, err error) {
	if op.Interface, err = text.Interface(words[0]); err != nil {
		return op, err
	}
	op.Buffers = target.DefaultBuffers
	if len(words) > 1 {
		buffers, err := text.Number("buffer count", words[1], 1, maxBuffers)
		if err != nil {
			return op, err
		}
		op.Buffers = uint16(buffers)
	}
	if len(words) > 2 {
		sectors, err := text.Number("sector count", words[2], 0, aoe.MaxFrameSectors)
		if err != nil {
			return op, err
		}
		op.Sectors = uint8(sectors)
	}
	return op, nil
}

// ambiguous refuses a comment that takes the place of the interface: left out,
// that stands for all of them, and what begins with # might be meant as one.
func ambiguous(line string) error {
	return text.At{Column: strings.IndexByte(line, '#') + 1, Err: text.Malformed(
		"a comment in the place of INTERFACE, without which the address goes from all interfaces: write it on a line of its own: want %s", PortsGrammars[2])}
}

// parseDelPort reads [INTERFACE]; none stands for all of them.
func parseDelPort(addr aoe.Addr, words []text.Word) (target.Operation, error) {
	if len(words) == 0 {
		return target.RemovePort{Addr: addr}, nil
	}
	netif, err := text.Interface(words[0])
	if err != nil {
		return nil, err
	}
	return target.RemovePort{Addr: addr, Interface: netif}, nil
}

// maxBuffers is what a buffer count can be on the wire, PROTOCOL.md §4.
const maxBuffers = 65535

// address reads e<shelf>.<slot>.
func address(w text.Word) (aoe.Addr, error) {
	addr, ok := ParseFolderName(w.Text)
	if !ok {
		return addr, w.Malformed("address %s: want e<shelf>.<slot> with shelf 0-%d and slot 0-%d, such as e0.1",
			w, target.MaxShelf, target.MaxSlot)
	}
	return addr, nil
}
