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

// What the commands look like; those of add and readd are the same to the eye of
// the original. "force" is this project's.
const (
	AddGrammar      = "SHELF SLOT INTERFACE PATH [force]"
	DelGrammar      = "SHELF SLOT INTERFACE"
	ReaddGrammar    = "SHELF SLOT INTERFACE PATH"
	AnnounceGrammar = "(anything)"
)

// whiteSpace separates the words of a record, newlines among it (sheet §2).
const whiteSpace = " \t\n\v\f\r"

// Split returns a splitter of writes into records of a grammar. The original
// took a write for one record and a newline for a blank, so a write of just so
// many words is one record; else every line is one.
func Split(grammar string) func(data string) []text.Line {
	return func(data string) []text.Line {
		if text.CountFits(text.Fields(data, whiteSpace), grammar) {
			return text.Whole(data)
		}
		return text.Commands(data)
	}
}

// ParseAdd reads a record of add. A relative PATH starts at cwd.
func ParseAdd(record, cwd string) (target.Operation, error) {
	c, p, err := parse(record, AddGrammar)
	if err != nil {
		return nil, err
	}
	path, err := text.Path(c.Values[3], cwd)
	if err != nil {
		return nil, err
	}
	return target.Export{
		Path: path, Addr: p.addr, Interface: p.netif, Access: target.AccessReadWrite, Force: c.Has("force"),
		Identity: target.Identity{Model: Model, Serial: Serial, Firmware: Firmware},
	}, nil
}

// ParseDel reads a record of del.
func ParseDel(record string) (target.Operation, error) {
	_, p, err := parse(record, DelGrammar)
	if err != nil {
		return nil, err
	}
	return target.RemovePort{Addr: p.addr, Interface: p.netif}, nil
}

// ParseReadd reads a record of readd, which swaps the device under an export. A
// relative PATH starts at cwd.
func ParseReadd(record, cwd string) (target.Operation, error) {
	c, p, err := parse(record, ReaddGrammar)
	if err != nil {
		return nil, err
	}
	path, err := text.Path(c.Values[3], cwd)
	if err != nil {
		return nil, err
	}
	return target.Rebind{Addr: p.addr, Interface: p.netif, Path: path}, nil
}

// ParseAnnounce reads what is written to announce: anything at all.
func ParseAnnounce(string) (target.Operation, error) { return target.Announce{}, nil }

// place is where an export is.
type place struct {
	addr  aoe.Addr
	netif string
}

// parse reads the words that all records begin with.
func parse(line, grammar string) (text.Command, place, error) {
	c, err := text.Match(text.Fields(line, whiteSpace), grammar)
	if err != nil {
		return c, place{}, err
	}
	addr, err := text.Addr(c.Values[0], c.Values[1])
	if err != nil {
		return c, place{}, fmt.Errorf("%w; the order is %s", err, grammar)
	}
	netif, err := text.Interface(c.Values[2])
	return c, place{addr, netif}, err
}
