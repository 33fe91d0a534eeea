// Package aoeserver speaks the text of aoeserver's /proc/aoeserver: its four
// commands and its listing.
//
//	line written ─Parse─▶ target operation
//	snapshot of the engine ─List─▶ text read
//
// It is pure: the file, its mode and errno are fusectl's, the work is target's.
// Facts are those of the aoeserver sheet; where it recommends better than the
// original (any number of blanks, several commands in a write, numbers with
// junk refused, del without an interface meaning any), this package does that.
// A MAC address with groups over two digits or with junk behind it is refused
// too: the original cut it silently, and an access list must not guess.
package aoeserver

import (
	"fmt"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// How an export presents itself to initiators. The firmware version is the
// original's (sheet §5); its model and serial number were placeholders, so the
// model is ours and the serial number is the start of the device path.
const (
	Model    = "EtherDrive(R) aoeserver"
	Firmware = 0x4000
)

// Grammars are what the commands look like. Only the start of a verb counts
// (sheet §2), so "address" adds; none is the start of another. "force" is this
// project's.
var Grammars = []string{
	"add DEVICE SHELF SLOT [INTERFACE] [force]",
	"del DEVICE SHELF SLOT [INTERFACE]",
	"hostmask SHELF SLOT MAC [...]",
	"rmmask SHELF SLOT MAC [...]",
}

// Parse reads one command. A relative device path starts at cwd.
func Parse(line, cwd string) (target.Operation, error) {
	words := text.Fields(line, " \t\n") // a newline is left only in a write of nothing else
	c, err := text.MatchPrefix(words, Grammars...)
	if err != nil {
		return nil, err
	}
	switch c.Verb {
	case "add":
		return parseAdd(c, cwd)
	case "del":
		return parseDel(c)
	default:
		return parseMask(c)
	}
}

func parseAdd(c text.Command, cwd string) (target.Operation, error) {
	path, err := text.Path(c.Values[0], cwd)
	if err != nil {
		return nil, err
	}
	addr, netif, err := parsePlace(c.Values[1:], target.EveryInterface)
	if err != nil {
		return nil, err
	}
	return target.Export{
		Path: path, Addr: addr, Interface: netif, Access: target.AccessAuto, Force: c.Has("force"),
		Config: []byte(text.Cut(path, aoe.MaxConfigString)), Unique: true, Quiet: true,
		Identity: target.Identity{Model: Model, Serial: text.Label(path, target.MaxSerial), Firmware: Firmware},
	}, nil
}

// parseDel ignores the device, as the original does; finding nothing to delete
// is no error, scripts rely on it.
func parseDel(c text.Command) (target.Operation, error) {
	addr, netif, err := parsePlace(c.Values[1:], "")
	if err != nil {
		return nil, err
	}
	return target.RemovePort{Addr: addr, Interface: netif, MissingOK: true}, nil
}

// parsePlace reads SHELF SLOT [INTERFACE]. An export on every interface is
// written without any.
func parsePlace(words []text.Word, none string) (aoe.Addr, string, error) {
	addr, err := text.Addr(words[0], words[1])
	if err != nil || len(words) < 3 {
		return addr, none, err
	}
	if words[2].Text == target.EveryInterface {
		return addr, "", words[2].At(fmt.Errorf("%w: %s: leave the interface out to mean all of them",
			target.ErrNoInterface, words[2]))
	}
	netif, err := text.Interface(words[2])
	return addr, netif, err
}

func parseMask(c text.Command) (target.Operation, error) {
	addr, err := text.Addr(c.Values[0], c.Values[1])
	if err != nil {
		return nil, err
	}
	host, err := text.MAC(c.Values[2])
	if err != nil {
		return nil, err
	}
	return target.EditHosts{Addr: addr, List: target.AcceptList, Host: host, Remove: c.Verb == "rmmask"}, nil
}
