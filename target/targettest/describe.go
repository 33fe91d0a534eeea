package targettest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// describe puts a frame in words that mostly say all of it.
func (n notation) describe(frame []byte) (text string, ok bool) {
	h, ok := aoe.DecodeHeader(frame)
	if !ok {
		return "", false
	}
	text = fmt.Sprintf("%s > %s %s %08x", n.host(h.Src), n.host(h.Dst), formatAddr(h.Addr), h.Tag)
	if h.Failed {
		text += fmt.Sprintf(" error %d", h.Error)
	}
	if h.Failed && len(bytes.Trim(frame[aoe.HeaderSize:], "\x00")) == 0 {
		for word, code := range commands {
			if code == h.Command {
				return text + " " + word, true
			}
		}
	}
	argument := ""
	switch h.Command {
	case aoe.CmdATA:
		argument, ok = describeATA(frame, h.Response)
	case aoe.CmdConfig:
		argument, ok = describeConfig(frame)
	case aoe.CmdMaskList:
		argument, ok = n.describeMask(frame)
	case aoe.CmdReserve:
		argument, ok = n.describeReserve(frame)
	default:
		argument = fmt.Sprintf(" command %d", h.Command)
	}
	return text + argument, ok
}

func formatAddr(a aoe.Addr) string {
	shelf, slot := fmt.Sprint(a.Shelf), fmt.Sprint(a.Slot)
	if a.Shelf == aoe.AnyShelf {
		shelf = "*"
	}
	if a.Slot == aoe.AnySlot {
		slot = "*"
	}
	return shelf + "." + slot
}

// optional is " name value" unless the value is zero.
func optional(name, verb string, value uint64) string {
	if value == 0 {
		return ""
	}
	return fmt.Sprintf(" %s "+verb, name, value)
}

func describeATA(frame []byte, reply bool) (string, bool) {
	a, data, ok := aoe.DecodeATA(frame)
	if !ok {
		return "", false
	}
	word, feature := "ata", "feature"
	if reply {
		word, feature = "status", "error"
	}
	var lba [8]byte
	copy(lba[:], a.LBA[:])
	text := fmt.Sprintf(" %s %02x", word, a.Command) + optional("flags", "%02x", uint64(a.Flags)) +
		optional(feature, "%02x", uint64(a.Feature)) + optional("count", "%d", uint64(a.Count))
	if n := binary.LittleEndian.Uint64(lba[:]); n < 1<<24 {
		text += optional("lba", "%d", n)
	} else {
		text += optional("lba", "%#x", n)
	}
	if reply && len(frame) > aoe.MinFrame {
		text += describeData(data)
	}
	return text, true
}

func describeData(data []byte) string {
	smart := make([]byte, ata.SectorSize)
	ata.PutSmartData(smart)
	if string(data) == string(smart) {
		return " smart-data"
	}
	if len(data) == ata.SectorSize && data[510] == 0xa5 {
		id := ata.Identity{Sectors: binary.LittleEndian.Uint64(data[200:]), Serial: identifyString(data[20:40]),
			Model: identifyString(data[54:94]), Firmware: identifyString(data[46:54]), WriteCache: data[170]&0x20 != 0}
		again := make([]byte, ata.SectorSize)
		if id.Put(again); string(again) == string(data) {
			text := fmt.Sprintf(" identify %d %q %q", id.Sectors, id.Model, id.Serial)
			if id.WriteCache {
				text += " cache"
			}
			return text
		}
	}
	return " data " + formatBytes(data)
}

// identifyString undoes the swapping and padding of IDENTIFY's strings.
func identifyString(b []byte) string {
	s := make([]byte, len(b))
	for i := range b {
		s[i] = b[i^1]
	}
	return strings.TrimRight(string(s), " ")
}

func describeConfig(frame []byte) (string, bool) {
	c, ok := aoe.DecodeConfig(frame)
	if !ok {
		return "", false
	}
	text := " config " + name(uint8(c.Command), configNames) + optional("buffers", "%d", uint64(c.Buffers)) +
		optional("firmware", "%04x", uint64(c.Firmware)) + optional("sectors", "%d", uint64(c.Sectors))
	if len(c.String) > 0 {
		text += " " + formatText(c.String)
	}
	return text, true
}

func (n notation) describeMask(frame []byte) (string, bool) {
	m, ok := aoe.DecodeMaskList(frame)
	if !ok {
		return "", false
	}
	text := " mask " + name(uint8(m.Command), maskNames) + optional("error", "%d", uint64(m.Error))
	if m.Error != 0 {
		return text + fmt.Sprintf(" claims %d", m.Count), true
	}
	if !m.Valid() {
		return "", false
	}
	for i := range int(m.Count) {
		directive, mac := m.Directive(i)
		text += " "
		if directive != 0 {
			text += name(uint8(directive), directiveNames) + " "
		}
		text += n.host(mac)
	}
	return text, true
}

func (n notation) describeReserve(frame []byte) (string, bool) {
	r, ok := aoe.DecodeReserve(frame)
	if !ok || !r.Valid() {
		return "", false
	}
	text := " reserve " + name(uint8(r.Command), reserveNames)
	for i := range int(r.Count) {
		text += " " + n.host(r.MAC(i))
	}
	return text, true
}
