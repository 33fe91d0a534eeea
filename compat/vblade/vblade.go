// Package vblade speaks vblade's command line, vbladed's, and the persistence
// files that Debian and contrib start them from.
//
//	arguments ─Parse─▶ Command: a plan.Export, checks of what it meets, its start line
//	vbladed's arguments ─Background─▶ vblade's
//	*.conf ─ParseConf─▶ Conf ─Plan─▶ plan.Plan
//
// It is pure: whoever runs a Command opens, binds and sends, and tells it how
// that went; messages and exit codes are here. Facts are those of the vblade
// sheet. Where it recommends better than the original, this package does that:
// an address that nobody could reach and a bad -m are refused, since the
// original ran on, open to all.
package vblade

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"syscall"

	"vbladefs/compat/plan"
	"vbladefs/compat/text"
	"vbladefs/target"
	"vbladefs/target/aoe"
)

// How an export presents itself, sheet §3.2: as release 25.
const (
	Model          = "Coraid EtherDrive vblade"
	Firmware       = 0x4000 + 25
	DefaultBuffers = 16
	maxSerial      = 19 // the original cuts one short of what there is room for
)

// Env is what a command line means besides its words.
type Env struct {
	Argv0    string // as it is called, for messages
	Hostname string // for the serial number
	Dir      string // where a relative file name begins; absolute
	Posix    bool   // POSIXLY_CORRECT is set: no option behind the first other word
}

// Command is a command line that is right as far as words can be. Its export has
// one interface, a plain name.
type Command struct{ Export plan.Export }

// Parse reads the arguments behind argv[0]. Every error is an *Exit.
func Parse(args []string, env Env) (Command, error) {
	o := options{buffers: DefaultBuffers}
	rest, err := o.take(args, env)
	switch {
	case err != nil:
		return Command{}, err
	case len(rest) != 4:
		return Command{}, usage(env, "").in("options", "%d words that are no options: want only options here", len(rest)-4)
	case o.buffers <= 0:
		return Command{}, usage(env, "").in("options", "-b: want 1 to %d buffers", math.MaxUint16)
	}
	e, err := o.export(rest, env)
	return Command{e}, err
}

// export is what shelf, slot, interface and file name make of o.
func (o *options) export(words []string, env Env) (plan.Export, error) {
	addr, err := address(words[0], words[1], env)
	if err != nil {
		return plan.Export{}, err
	}
	netif, file := words[2], words[3]
	if !plan.PlainInterface(netif) {
		return plan.Export{}, NoInterface(netif)
	}
	if file == "" || strings.ContainsRune(file, 0) {
		return plan.Export{}, NotOpened(syscall.ENOENT).in("filename", "%s: want a file or a device", text.Quote(file))
	}
	if !target.IsBacking(file) {
		file = filepath.Join(env.Dir, file)
	}
	return plan.Export{
		Name:       "e" + addr.String(),
		Drive:      plan.DriveNames([]string{target.BaseName(file)})[0],
		Path:       file,
		Offset:     uint64(o.offset),
		Length:     uint64(o.length),
		Addr:       addr,
		Interfaces: []string{netif},
		Buffers:    uint16(min(o.buffers, math.MaxUint16)),
		Access:     o.access(),
		Cache:      o.cache(),
		Masks:      o.masks,
		Identity: target.Identity{Model: Model, Firmware: Firmware,
			Serial: text.Label(fmt.Sprintf("%s:%s", addr, env.Hostname), maxSerial)},
	}, nil
}

// address reads shelf and slot as the original does, junk and all, but takes only
// what an initiator can ask for.
func address(shelf, slot string, env Env) (aoe.Addr, error) {
	for _, n := range []struct {
		name, text string
		most       int64
	}{{"shelf", shelf, target.MaxShelf}, {"slot", slot, target.MaxSlot}} {
		if v, _ := leadingNumber(n.text, 10); v < 0 || v > n.most {
			reason := fmt.Sprintf("%s: want 0 to %d", text.Quote(n.text), n.most)
			return aoe.Addr{}, usage(env, n.name+" "+reason).in(n.name, "%s", reason)
		}
	}
	major, _ := leadingNumber(shelf, 10)
	minor, _ := leadingNumber(slot, 10)
	return aoe.Addr{Shelf: uint16(major), Slot: uint8(minor)}, nil
}
