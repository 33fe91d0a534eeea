package targettest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"vbladefs/target/aoe"
)

// ask answers a line of a conversation that asks about the target, with the
// line as it should be:
//
//	S d0 0+8 @0+8                 what sectors 0 to 7 of the disk hold
//	P 0.1 eth0 up sectors 2 …     the port: what is not zero
//	B 0.1 config "…" masks A …    the blade: what is not empty
//	H read 0+8, write 3+1         transfers that are held (memory only)
//	L d0 write 0+1, flush         transfers since the last L (memory only)
func (p *player) ask(w *words) (answer string, ok bool) {
	switch {
	case w.accept("S"):
		return p.askSectors(w), true
	case w.accept("P"):
		return p.askPort(w), true
	case w.accept("B"):
		return p.askBlade(w), true
	case w.accept("H"):
		return strings.TrimSpace("H " + p.held(w)), true
	case w.accept("L"):
		return p.askLog(w), true
	}
	return "", false
}

func (p *player) askSectors(w *words) string {
	name, sectors := w.next("disk"), w.next("sectors")
	lba, n, ok := span(sectors)
	if !ok || p.disks[name] == "" {
		w.fail("S %s %s: want a disk and lba+n", name, sectors)
		return ""
	}
	w.list = nil
	return fmt.Sprintf("S %s %s %s", name, sectors, formatBytes(p.rig.Sectors(p.disks[name], lba, n)))
}

func (p *player) askPort(w *words) string {
	addr, netif := w.addr(), w.next("interface")
	expected := announcesIn(w.list)
	w.list = nil
	info, ok := p.rig.Target().Port(addr, netif)
	text := fmt.Sprintf("P %s %s", addr, netif)
	if !ok {
		return text + " none"
	}
	if info.Up {
		text += " up"
	}
	s := info.Stats
	if expected > 0 { // one that is repeated a second later has come or has not, see Run
		s.Announces = min(s.Announces, expected)
	}
	return text + optional("sectors", "%d", uint64(info.EffectiveSectors)) + optional("reads", "%d", s.Reads) +
		optional("read-sectors", "%d", s.ReadSectors) + optional("writes", "%d", s.Writes) +
		optional("write-sectors", "%d", s.WriteSectors) + optional("others", "%d", s.Others) +
		optional("errors", "%d", s.Errors) + optional("dropped", "%d", s.Dropped) +
		optional("in-flight", "%d", s.InFlight) + optional("announces", "%d", s.Announces)
}

// announcesIn is the number behind the word announces; 0: there is none.
func announcesIn(words []string) uint64 {
	i := slices.Index(words, "announces")
	if i < 0 || i+1 == len(words) {
		return 0
	}
	n, _ := strconv.ParseUint(words[i+1], 10, 64)
	return n
}

func (p *player) askBlade(w *words) string {
	addr := w.addr()
	w.list = nil
	info, ok := p.rig.Target().Blade(addr)
	text := fmt.Sprintf("B %s", addr)
	if !ok {
		return text + " none"
	}
	if len(info.Config) > 0 {
		text += " config " + formatText(info.Config)
	}
	return text + p.list("masks", info.Masks) + p.list("reserve", info.Reserve) + p.list("accept", info.Accept)
}

func (p *player) list(name string, macs []aoe.MAC) string {
	text := ""
	for _, mac := range macs {
		text += " " + p.host(mac)
	}
	if text != "" {
		text = " " + name + text
	}
	return text
}

func (p *player) machine(w *words) *Machine {
	w.list = nil
	if f, ok := p.rig.(Faults); ok {
		return f.Machine()
	}
	p.t.Fatalf("%s:%d: this rig is not in memory", p.file, p.line)
	return nil
}

func (p *player) held(w *words) string {
	m := p.machine(w)
	m.Quiesce()
	var list []string
	for _, x := range m.Pending() {
		list = append(list, x.String())
	}
	return strings.Join(list, ", ")
}

func (p *player) askLog(w *words) string {
	disk := w.next("disk")
	m := p.machine(w)
	m.Quiesce()
	d := m.media[p.disks[disk]]
	if d == nil {
		w.fail("L %s: no such disk", disk)
		return ""
	}
	return strings.TrimSpace("L " + disk + " " + strings.Join(d.Log(), ", "))
}
