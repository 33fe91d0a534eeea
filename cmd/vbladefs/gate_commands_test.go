package main_test

import (
	"encoding/binary"
	"fmt"

	"vbladefs/target/aoe"
)

// gateKind is what a command is, for the lists.
type gateKind int

const (
	kindNone      gateKind = iota // is answered with an AoE error
	kindAsk                       // asks for the config string
	kindStore                     // changes it
	kindAskList                   // asks for the mask or reserve list
	kindStoreList                 // changes one
	kindPlain                     // ATA, from here on: neither data nor the state of the drive
	kindIdentify
	kindRead
	kindWrite
	kindSync
)

// gateCommand is a row of the table.
type gateCommand struct {
	name string
	kind gateKind
	// frame is the command. If it passes it changes nothing that is not as it would
	// make it; if it does not, it would.
	frame func(g *gateRig, s gateState, src aoe.MAC, addr aoe.Addr, passes bool) []byte
	said  string // if it passes
	// reserves has it answered with error 6 while another holds the reservation.
	reserves bool
	exactly  bool // wildcards get no answer, as the protocol says
}

// answer is what the export says when it comes to o.
func (c gateCommand) answer(s gateState, host string, o outcome, wildcard bool) string {
	switch {
	case o == unanswered || c.exactly && wildcard:
		return ""
	case o == aborted:
		return "41/04"
	case o == fenced || c.reserves && s["reserve"] != "" && s["reserve"] != host:
		return "error 6"
	}
	return c.said
}

// servedATA are the ATA commands that are served, by the direction of their data
// (PROTOCOL.md §3.3). All others are refused, whoever sends them.
var servedATA = map[uint8]struct {
	kind gateKind
	out  bool
}{
	0x20: {kindRead, false}, 0x24: {kindRead, false}, 0x25: {kindRead, false}, 0x29: {kindRead, false}, 0xc4: {kindRead, false},
	0xc8: {kindRead, false}, 0x40: {kindRead, false}, 0x42: {kindRead, false},
	0x30: {kindWrite, true}, 0x34: {kindWrite, true}, 0x35: {kindWrite, true}, 0x39: {kindWrite, true}, 0x3d: {kindWrite, true},
	0xc5: {kindWrite, true}, 0xca: {kindWrite, true}, 0xce: {kindWrite, true},
	0xe0: {kindSync, false}, 0xe2: {kindSync, false}, 0xe6: {kindSync, false}, 0xe7: {kindSync, false}, 0xea: {kindSync, false},
	0xc6: {kindPlain, false}, 0xe1: {kindPlain, false}, 0xe3: {kindPlain, false}, 0xe5: {kindPlain, false},
}

// gateSector is where the commands of the table read and write.
const gateSector = 3

// ataRow is an ATA command with a count of 1.
func ataRow(kind gateKind, said string, a aoe.ATA) gateCommand {
	a.Count = 1
	return gateCommand{name: fmt.Sprintf("ATA %02x, flags %02x, feature %02x", a.Command, a.Flags, a.Feature), kind: kind, said: said,
		frame: func(g *gateRig, _ gateState, src aoe.MAC, addr aoe.Addr, passes bool) []byte {
			data := append([]byte(nil), g.content[gateSector*512:][:512]...)
			if !passes {
				data[0]++
			}
			return g.raw.ata(src, addr, a, data)
		}}
}

// ataRows are all ATA commands, with and without the write flag, and all
// sub-commands of SET FEATURES and SMART.
func ataRows() (rows []gateCommand) {
	for c := range 256 {
		for flags := range uint8(2) {
			a := aoe.ATA{Command: uint8(c), Flags: flags | aoe.ATAExtended, LBA: lba48(gateSector)}
			switch served, ok := servedATA[uint8(c)]; {
			case c == 0xec:
				rows = append(rows, ataRow(kindIdentify, "40/00", a))
			case ok && served.out == (flags == aoe.ATAWrite):
				rows = append(rows, ataRow(served.kind, "40/00", a))
			default:
				rows = append(rows, ataRow(kindPlain, "41/04", a))
			}
		}
	}
	features := map[int]gateKind{0x02: kindSync, 0x82: kindSync, 0x03: kindPlain, 0x55: kindPlain, 0x66: kindPlain, 0xaa: kindPlain, 0xcc: kindPlain}
	smart := map[int]gateKind{0xd0: kindRead, 0xd2: kindPlain, 0xd4: kindPlain, 0xd8: kindPlain, 0xd9: kindPlain, 0xda: kindPlain}
	for command, kinds := range map[uint8]map[int]gateKind{0xef: features, 0xb0: smart} {
		for f := range 256 {
			kind, said := kindPlain, "41/04"
			if k, ok := kinds[f]; ok {
				kind, said = k, "40/00"
			}
			rows = append(rows, ataRow(kind, said, aoe.ATA{Command: command, Feature: uint8(f), LBA: lba48(0xc24f00)}))
		}
	}
	return rows
}

// DATA SET MANAGEMENT with the feature TRIM, whose payload lists ranges: ATA8-ACS.
const trimCommand, trimFeature = 0x06, 0x01

// trimRange is one of them.
func trimRange(lba uint64, sectors int) []byte {
	return binary.LittleEndian.AppendUint64(nil, lba|uint64(sectors)<<48)
}

// trimRow gives up nothing if it passes, else a sector.
func trimRow() gateCommand {
	return gateCommand{name: "TRIM", kind: kindWrite, said: "40/00",
		frame: func(g *gateRig, _ gateState, src aoe.MAC, addr aoe.Addr, passes bool) []byte {
			data := make([]byte, aoe.SectorSize)
			if !passes {
				copy(data, trimRange(gateSector&^7, 16)) // a page of the file at least
			}
			a := aoe.ATA{Flags: aoe.ATAWrite | aoe.ATAExtended, Feature: trimFeature, Count: 1, Command: trimCommand}
			return g.raw.ata(src, addr, a, data)
		}}
}

// configRow is a config sub-command: with text if it passes, else with another.
func configRow(command int, kind gateKind, text, other, said string) gateCommand {
	return gateCommand{name: fmt.Sprintf("config %d %q", command, text), kind: kind, said: said,
		frame: func(g *gateRig, _ gateState, src aoe.MAC, addr aoe.Addr, passes bool) []byte {
			argument := text
			if !passes {
				argument = other
			}
			frame := g.raw.request(src, addr, aoe.CmdConfig, aoe.ConfigSize+len(argument))
			aoe.Config{Command: aoe.ConfigCommand(command), String: []byte(argument)}.Put(frame)
			return frame
		}}
}

// maskRow is a mask sub-command: if it passes with no directive, else with one.
func maskRow(command uint8, kind gateKind, said string) gateCommand {
	return gateCommand{name: fmt.Sprintf("mask %d", command), kind: kind, said: said,
		frame: func(g *gateRig, _ gateState, src aoe.MAC, addr aoe.Addr, passes bool) []byte {
			frame := g.raw.request(src, addr, aoe.CmdMaskList, aoe.MaskListSize+aoe.DirectiveSize)
			m := aoe.MaskList{Command: aoe.MaskCommand(command)}
			if !passes {
				m.Count = 1
			}
			m.Put(frame)
			aoe.PutDirective(frame, 0, aoe.MaskAdd, stranger)
			return frame
		}}
}

// reserveRow is a reserve sub-command: if it passes for those who hold the
// reservation already, else for a stranger.
func reserveRow(command uint8, kind gateKind, said string) gateCommand {
	return gateCommand{name: fmt.Sprintf("reserve %d", command), kind: kind, said: said, reserves: command == uint8(aoe.ReserveSet),
		frame: func(g *gateRig, s gateState, src aoe.MAC, addr aoe.Addr, passes bool) []byte {
			frame := g.raw.request(src, addr, aoe.CmdReserve, aoe.MinFrame)
			holder, held := gateHosts[s["reserve"]]
			v := aoe.Reserve{Command: aoe.ReserveCommand(command), Count: 1}
			switch {
			case !passes || held && command == uint8(aoe.ReserveSet) && src != holder:
				holder = stranger
			case !held:
				v.Count = 0
			}
			v.Put(frame)
			aoe.PutReserved(frame, 0, holder)
			return frame
		}}
}

// controlRows are all commands that are not ATA, and all their sub-commands.
func controlRows() []gateCommand {
	const wrong = "stolen"
	rows := []gateCommand{
		configRow(0, kindAsk, "", wrong, "ok"), configRow(1, kindAsk, storedConfig, wrong, "ok"), configRow(1, kindAsk, "x", wrong, ""),
		configRow(2, kindAsk, storedConfig[:2], wrong, "ok"), configRow(2, kindAsk, "x", wrong, ""),
		configRow(3, kindStore, storedConfig, wrong, "ok"), configRow(3, kindStore, "x", wrong, "error 4"),
		configRow(4, kindStore, storedConfig, wrong, "ok"),
		maskRow(0, kindAskList, "ok"), maskRow(1, kindStoreList, "ok"),
		reserveRow(0, kindAskList, "ok"), reserveRow(1, kindStoreList, "ok"), reserveRow(2, kindStoreList, "ok"),
	}
	for command := 5; command < 16; command++ {
		rows = append(rows, configRow(command, kindStore, "x", wrong, "error 2"))
	}
	for command := 2; command < 256; command++ {
		rows = append(rows, maskRow(uint8(command), kindStoreList, "error 2"))
	}
	for command := 3; command < 256; command++ {
		rows = append(rows, reserveRow(uint8(command), kindStoreList, "error 2"))
	}
	for command := 4; command < 256; command++ {
		rows = append(rows, bare(aoe.Command(command), aoe.Version, "error 1"))
	}
	for version := range uint8(16) {
		if version != aoe.Version {
			row := bare(aoe.CmdATA, version, "error 5")
			row.exactly = true
			rows = append(rows, row)
		}
	}
	return rows
}

// bare is a command without argument.
func bare(command aoe.Command, version uint8, said string) gateCommand {
	return gateCommand{name: fmt.Sprintf("command %d, version %d", command, version), kind: kindNone, said: said,
		frame: func(g *gateRig, _ gateState, src aoe.MAC, addr aoe.Addr, _ bool) []byte {
			frame := g.raw.request(src, addr, command, aoe.MinFrame)
			frame[14] = version << 4
			return frame
		}}
}

// gateCommands are all of them.
func gateCommands() []gateCommand { return append(append(ataRows(), trimRow()), controlRows()...) }

// fewGateCommands are some of each kind: all of the ATA commands that are served,
// and the sub-commands that are.
func fewGateCommands() (few []gateCommand) {
	of := map[string]int{}
	for _, c := range gateCommands() {
		key := fmt.Sprint(c.kind, c.said)
		if of[key]++; of[key] <= 4 || c.kind == kindWrite || c.kind == kindSync {
			few = append(few, c)
		}
	}
	return few
}
