package targettest

import (
	"encoding/binary"
	"strings"

	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// The words for the codes of the wire.
var (
	configNames    = []string{"read", "test", "prefix", "set", "force"}
	maskNames      = []string{"read", "edit"}
	directiveNames = []string{"none", "add", "del"}
	reserveNames   = []string{"read", "set", "force"}
)

// commands are the commands with an argument.
var commands = map[string]aoe.Command{"ata": aoe.CmdATA, "config": aoe.CmdConfig, "mask": aoe.CmdMaskList, "reserve": aoe.CmdReserve}

// hosts are the initiators of a conversation, by one letter, and the special
// addresses.
var hosts = map[string]aoe.MAC{"*": aoe.Broadcast, "zero": {}, "multicast": {0x01, 0, 0x5e, 0, 0, 1},
	"A": {2, 0, 0, 0, 0, 0xa}, "B": {2, 0, 0, 0, 0, 0xb}, "C": {2, 0, 0, 0, 0, 0xc}, "D": {2, 0, 0, 0, 0, 0xd}}

// notation turns text into frames and back; netifs are the target's
// interfaces.
type notation struct{ netifs map[string]aoe.MAC }

func (n notation) mac(w *words) aoe.MAC {
	s := w.next("host")
	if mac, ok := hosts[s]; ok {
		return mac
	}
	if mac, ok := n.netifs[s]; ok {
		return mac
	}
	mac, err := aoe.ParseMAC(s)
	if err != nil {
		w.fail("host %q: want A, B, C, D, *, zero, multicast, an interface of this conversation or a MAC address", s)
	}
	return mac
}

func (n notation) host(mac aoe.MAC) string {
	for name, m := range hosts {
		if m == mac {
			return name
		}
	}
	for name, m := range n.netifs {
		if m == mac {
			return name
		}
	}
	return mac.String()
}

// parse reads a frame: what an initiator transmits, or a reply, which is
// padded and of version 1.
//
//	A > eth0 0.1 00000007 [flags xx] [error n] COMMAND … [cut n] [pad n] [tail bytes]
//	hex bytes
func (n notation) parse(w *words, reply bool) []byte {
	if w.accept("hex") {
		return w.bytes()
	}
	h := aoe.Header{Version: aoe.Version, Response: reply}
	h.Src = n.mac(w)
	if !w.accept(">") {
		w.fail("want >")
	}
	h.Dst, h.Addr = n.mac(w), w.addr()
	h.Tag = uint32(w.number("tag", 16, 32))
	flags := -1
	if w.accept("flags") {
		flags = int(w.number("flags", 16, 8))
	}
	h.Error = aoe.ErrorCode(w.option("error", 10, 8, 0))
	h.Failed = h.Error != 0
	frame := make([]byte, aoe.HeaderSize)
	command := w.next("command")
	if code, ok := commands[command]; ok && h.Failed && !w.more() { // most error replies have no argument
		h.Command = code
		h.Put(frame)
		return finishFrame(w, frame, reply)
	}
	switch command {
	case "ata", "status":
		frame = n.parseATA(w, command == "status")
	case "config":
		frame = parseConfig(w, reply)
	case "mask":
		frame = n.parseMask(w)
	case "reserve":
		frame = n.parseReserve(w)
	case "command":
		h.Command = aoe.Command(w.number("command", 0, 8))
	default:
		w.fail("command %q: want ata, config, mask, reserve or command", command)
	}
	if code, ok := commands[command]; ok {
		h.Command = code
	}
	h.Put(frame)
	if flags >= 0 {
		frame[14] = byte(flags)
	}
	return finishFrame(w, frame, reply)
}

func finishFrame(w *words, frame []byte, reply bool) []byte {
	if w.accept("cut") {
		frame = frame[:min(int(w.number("cut", 10, 16)), len(frame))]
	}
	pad := 0
	if reply {
		pad = aoe.MinFrame
	}
	pad = int(w.option("pad", 10, 16, uint64(pad)))
	frame = append(frame, make([]byte, max(pad-len(frame), 0))...)
	if w.accept("tail") {
		frame = append(frame, w.bytes()...)
	}
	if w.more() {
		w.fail("%q is left over", w.list)
	}
	return frame
}

// parseATA reads: code [flags xx] [feature xx | error xx] [count n] [lba n] and
// then data bytes, identify sectors "model" "serial" [cache], or smart-data.
// The code of a reply is the status.
func (n notation) parseATA(w *words, status bool) []byte {
	a := aoe.ATA{Command: uint8(w.number("code", 16, 8))}
	a.Flags = uint8(w.option("flags", 16, 8, 0))
	feature := "feature"
	if status {
		feature = "error"
	}
	a.Feature = uint8(w.option(feature, 16, 8, 0))
	a.Count = uint8(w.option("count", 10, 8, 0))
	lba := w.option("lba", 0, 48, 0)
	var six [8]byte
	binary.LittleEndian.PutUint64(six[:], lba)
	copy(a.LBA[:], six[:])
	frame := make([]byte, aoe.ATASize)
	a.Put(frame)
	switch {
	case w.accept("data"):
		frame = append(frame, w.bytes()...)
	case w.accept("identify"):
		id := ata.Identity{Sectors: w.number("sectors", 10, 64), Firmware: "vbladefs"}
		id.Model, id.Serial = string(w.text()), string(w.text())
		id.WriteCache = w.accept("cache")
		frame = append(frame, make([]byte, ata.SectorSize)...)
		id.Put(frame[aoe.ATASize:])
	case w.accept("smart-data"):
		frame = append(frame, make([]byte, ata.SectorSize)...)
		ata.PutSmartData(frame[aoe.ATASize:])
	}
	return frame
}

// parseConfig reads: code [buffers n] [firmware xxxx] [sectors n] [version n]
// ["string"] [claims n].
func parseConfig(w *words, reply bool) []byte {
	c := aoe.Config{Command: aoe.ConfigCommand(w.code("config", configNames))}
	c.Buffers = uint16(w.option("buffers", 10, 16, 0))
	c.Firmware = uint16(w.option("firmware", 16, 16, 0))
	c.Sectors = uint8(w.option("sectors", 10, 8, 0))
	version := uint64(0) // what initiators send
	if reply {
		version = aoe.Version
	}
	version = w.option("version", 10, 4, version)
	if w.more() && strings.HasPrefix(w.list[0], `"`) {
		c.String = w.text()
	}
	frame := make([]byte, aoe.ConfigSize+len(c.String))
	c.Put(frame)
	frame[29] = byte(version)<<4 | byte(c.Command)
	binary.BigEndian.PutUint16(frame[30:], uint16(w.option("claims", 10, 16, uint64(len(c.String)))))
	return frame
}

// parseMask reads: code [error n] [claims n] and directives: [none | add | del
// | n] host.
func (n notation) parseMask(w *words) []byte {
	m := aoe.MaskList{Command: aoe.MaskCommand(w.code("mask", maskNames))}
	m.Error = aoe.MaskError(w.option("error", 10, 8, 0))
	claims := w.option("claims", 10, 8, 1<<8)
	frame := make([]byte, aoe.MaskListSize)
	count := 0
	for w.more() && !isModifier(w.list[0]) {
		directive := uint8(0)
		if _, err := aoe.ParseMAC(w.list[0]); err != nil && hosts[w.list[0]] == (aoe.MAC{}) {
			directive = w.code("directive", directiveNames)
		}
		frame = append(frame, make([]byte, aoe.DirectiveSize)...)
		aoe.PutDirective(frame, count, aoe.MaskDirective(directive), n.mac(w))
		count++
	}
	if claims == 1<<8 {
		claims = uint64(count)
	}
	m.Count = uint8(claims)
	m.Put(frame)
	return frame
}

// parseReserve reads: code [claims n] and hosts.
func (n notation) parseReserve(w *words) []byte {
	r := aoe.Reserve{Command: aoe.ReserveCommand(w.code("reserve", reserveNames))}
	claims := w.option("claims", 10, 8, 1<<8)
	frame := make([]byte, aoe.ReserveSize)
	count := 0
	for w.more() && !isModifier(w.list[0]) {
		mac := n.mac(w)
		frame = append(frame, mac[:]...)
		count++
	}
	if claims == 1<<8 {
		claims = uint64(count)
	}
	r.Count = uint8(claims)
	r.Put(frame)
	return frame
}

func isModifier(s string) bool { return s == "cut" || s == "pad" || s == "tail" }

// format is what parse reads: in words if they say all, else in hex.
func (n notation) format(frame []byte, reply bool) string {
	if text, ok := n.describe(frame); ok {
		w := splitWords(text)
		if again := n.parse(w, reply); w.err == nil && string(again) == string(frame) {
			return text
		}
	}
	return "hex " + formatBytes(frame)
}
