// Package kvblade speaks the text of kvblade's /sys/kvblade: the commands of
// add, del, readd and announce, and the attributes of an export.
//
//	line written to a command file ─Parse…─▶ target operation
//	snapshot of the engine ─Export.…─▶ text of an attribute
//
// It is pure: files, permissions and errno are fusectl's, the work is target's.
// An export is the triple of shelf, slot and interface; a folder
// "<shelf>.<slot>@<interface>" stands for it. Facts are those of the kvblade
// sheet, generation C with the names of A beside its own; where the sheet
// recommends better than the original (numbers with junk, several records in a
// write, a newline in a model), this package does that.
package kvblade

import (
	"fmt"
	"strings"

	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// How an export presents itself to initiators, sheet §3 and §5.
const (
	Model    = "EtherDrive(R) kvblade"
	Serial   = "SN HERE"
	Firmware = 0x0002
)

// How many words the records have.
const (
	AddFields = 4 // SHELF SLOT IFNAME PATH, of add and readd
	DelFields = 3 // SHELF SLOT IFNAME
)

// whiteSpace separates the words of a record, newlines among it (sheet §2).
const whiteSpace = " \t\n\v\f\r"

// Split returns a splitter of writes into records of the given number of
// words. The original took a write for one record and a newline for a blank,
// so a write of just so many words is one record; else every line is one.
func Split(fields int) func(data string) []text.Line {
	return func(data string) []text.Line {
		if len(text.Fields(data, whiteSpace)) == fields {
			return text.Whole(data)
		}
		return text.Commands(data)
	}
}

// ParseAdd reads a record of add: SHELF SLOT IFNAME PATH. A relative PATH
// starts at cwd.
func ParseAdd(record, cwd string) (target.Operation, error) {
	r, err := parse(record, AddFields, "SHELF SLOT INTERFACE PATH")
	if err != nil {
		return nil, err
	}
	path, err := text.Path(r.path, cwd)
	if err != nil {
		return nil, err
	}
	return target.Export{
		Path: path, Addr: r.addr, Interface: r.netif, Access: target.AccessReadWrite,
		Identity: target.Identity{Model: Model, Serial: Serial, Firmware: Firmware},
	}, nil
}

// ParseDel reads a record of del: SHELF SLOT IFNAME.
func ParseDel(record string) (target.Operation, error) {
	r, err := parse(record, DelFields, "SHELF SLOT INTERFACE")
	if err != nil {
		return nil, err
	}
	return target.RemovePort{Addr: r.addr, Interface: r.netif}, nil
}

// ParseReadd reads a record of readd, which swaps the device under an export:
// SHELF SLOT IFNAME PATH. A relative PATH starts at cwd.
func ParseReadd(record, cwd string) (target.Operation, error) {
	r, err := parse(record, AddFields, "SHELF SLOT INTERFACE PATH")
	if err != nil {
		return nil, err
	}
	path, err := text.Path(r.path, cwd)
	if err != nil {
		return nil, err
	}
	return target.Rebind{Addr: r.addr, Interface: r.netif, Path: path}, nil
}

// ParseAnnounce reads what is written to announce: anything at all.
func ParseAnnounce(string) (target.Operation, error) { return target.Announce{}, nil }

// record is a parsed record; path is empty where none is taken.
type record struct {
	addr        aoe.Addr
	netif, path string
}

func parse(line string, fields int, grammar string) (record, error) {
	words := text.Fields(line, whiteSpace)
	if len(words) != fields {
		return record{}, text.Malformed("%d words: want %s", len(words), grammar)
	}
	addr, err := text.Addr(words[0], words[1])
	if err != nil {
		return record{}, fmt.Errorf("%w; the order is %s", err, grammar)
	}
	netif, err := text.Interface(words[2])
	if err != nil {
		return record{}, err
	}
	return record{addr: addr, netif: netif, path: strings.Join(words[3:], "")}, nil
}
