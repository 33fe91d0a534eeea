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
	"strings"

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

// commands are the verbs with what they take. Only the start of a verb counts
// (sheet §2), so "address" adds; none is the start of another.
var commands = []struct {
	verb, grammar string
	least, most   int // words after the verb; most 0: no limit, the rest is ignored
	parse         func(words []string, cwd string) (target.Operation, error)
}{
	{"add", "DEVICE SHELF SLOT [INTERFACE]", 3, 4, parseAdd},
	{"del", "DEVICE SHELF SLOT [INTERFACE]", 3, 4, parseDel},
	{"hostmask", "SHELF SLOT MAC", 3, 0, parseHostmask},
	{"rmmask", "SHELF SLOT MAC", 3, 0, parseRmmask},
}

// Parse reads one command. A relative device path starts at cwd.
func Parse(line, cwd string) (target.Operation, error) {
	words := text.Fields(line, " \t\n") // a newline is left only in a write of nothing else
	if len(words) == 0 {
		return nil, text.Malformed("nothing written: want add, del, hostmask or rmmask")
	}
	for _, c := range commands {
		if !strings.HasPrefix(words[0], c.verb) {
			continue
		}
		if n := len(words) - 1; n < c.least || c.most > 0 && n > c.most {
			return nil, text.Malformed("%d words after %s: want %s %s", n, c.verb, c.verb, c.grammar)
		}
		return c.parse(words[1:], cwd)
	}
	return nil, text.Malformed("command %q: want add, del, hostmask or rmmask", words[0])
}

func parseAdd(words []string, cwd string) (target.Operation, error) {
	path, err := text.Path(words[0], cwd)
	if err != nil {
		return nil, err
	}
	addr, err := text.Addr(words[1], words[2])
	if err != nil {
		return nil, err
	}
	netif := target.EveryInterface
	if len(words) == 4 {
		if netif, err = boundInterface(words[3]); err != nil {
			return nil, err
		}
	}
	return target.Export{
		Path: path, Addr: addr, Interface: netif, Access: target.AccessAuto,
		Config: []byte(text.Cut(path, aoe.MaxConfigString)), Unique: true, Quiet: true,
		Identity: target.Identity{Model: Model, Serial: text.Cut(path, target.MaxSerial), Firmware: Firmware},
	}, nil
}

// parseDel ignores the device, as the original does; finding nothing to delete
// is no error, scripts rely on it.
func parseDel(words []string, _ string) (target.Operation, error) {
	addr, err := text.Addr(words[1], words[2])
	if err != nil {
		return nil, err
	}
	netif := ""
	if len(words) == 4 {
		if netif, err = boundInterface(words[3]); err != nil {
			return nil, err
		}
	}
	return target.RemovePort{Addr: addr, Interface: netif, MissingOK: true}, nil
}

// boundInterface reads the interface of an export that is bound to one; an
// export on every interface is written without any.
func boundInterface(word string) (string, error) {
	if word == target.EveryInterface {
		return "", fmt.Errorf("%w: %q: leave the interface out to mean all of them", target.ErrNoInterface, word)
	}
	return text.Interface(word)
}

func parseHostmask(words []string, _ string) (target.Operation, error) {
	return parseMask(words, false)
}

func parseRmmask(words []string, _ string) (target.Operation, error) { return parseMask(words, true) }

func parseMask(words []string, remove bool) (target.Operation, error) {
	addr, err := text.Addr(words[0], words[1])
	if err != nil {
		return nil, err
	}
	host, err := aoe.ParseMAC(words[2])
	if err != nil {
		return nil, text.Malformed("%v", err)
	}
	return target.EditHosts{Addr: addr, List: target.AcceptList, Host: host, Remove: remove}, nil
}
