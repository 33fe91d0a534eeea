package target_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"vbladefs/target/aoe"
)

// question is a request of a property test. Its frame is made when it is asked, as
// what is much depends on the MTU then.
type question struct {
	netif   string
	src     aoe.MAC
	addr    aoe.Addr
	command aoe.Command
	sub     uint8 // of the command: config, mask and reserve command, or ATA command
	lba, n  int
	fill    byte
	text    string
	hosts   []aoe.MAC
}

// modelReply is what the model answers for one address; nil: nothing.
type modelReply struct {
	code    aoe.ErrorCode // of AoE
	failed  uint8         // ATA error register; 0: success
	content []byte        // behind the fixed part: data, config string, hosts
}

func drawFrame(rnd *rand.Rand, did map[string]int) step {
	q := question{netif: pick(rnd, netifNames), src: host(rnd.IntN(3)), addr: drawAddr(rnd), fill: byte(1 + rnd.IntN(255))}
	if rnd.IntN(8) == 0 {
		q.addr = pick(rnd, []aoe.Addr{{Shelf: aoe.AnyShelf, Slot: aoe.AnySlot}, {Shelf: aoe.AnyShelf, Slot: 1}, {Shelf: 2, Slot: aoe.AnySlot}})
	}
	switch rnd.IntN(10) {
	case 0:
		q.command, q.sub, q.text = aoe.CmdConfig, uint8(rnd.IntN(6)), pick(rnd, []string{"", "text", "te", "other"})
	case 1:
		q.command, q.sub = aoe.CmdMaskList, uint8(rnd.IntN(3)*rnd.IntN(2))
		q.hosts = []aoe.MAC{host(rnd.IntN(3))}
	case 2:
		q.command, q.sub = aoe.CmdReserve, uint8(rnd.IntN(4))
		for range rnd.IntN(3) {
			q.hosts = append(q.hosts, host(rnd.IntN(3)))
		}
	default:
		q.command, q.sub = aoe.CmdATA, pick(rnd, []uint8{0x24, 0x24, 0x34, 0x34, 0x34, 0x20, 0x30, 0xe7, 0xec, 0x42, 0x99})
		q.lba, q.n = rnd.IntN(70), pick(rnd, []int{1, 1, 2, 3, 8})
	}
	return step{fmt.Sprintf("%+v", q), func(w *world) string { return w.ask(q, did) }}
}

// ask has the target and the model answer a question.
func (w *world) ask(q question, did map[string]int) (wrong string) {
	if !w.netifs[q.netif].up {
		return ""
	}
	if most := aoe.Sectors(w.netifs[q.netif].mtu); q.command == aoe.CmdATA && q.n > most {
		q.n = most
	}
	w.tag++
	want, answered := map[aoe.Addr]*modelReply{}, 0
	for a, b := range w.blades {
		if p, ok := b.on(q.netif); ok && q.addr.Matches(a) {
			if reply := w.reply(q, b, p); reply != nil {
				want[a] = reply
			}
		}
	}
	w.rig.Send(q.netif, q.frame(w.tag))
	for _, r := range w.rig.Collect(q.netif, len(want)) {
		h, _ := aoe.DecodeHeader(r)
		if h.Tag != w.tag {
			continue // an announcement
		}
		expected := want[h.Addr]
		if expected == nil {
			return fmt.Sprintf("an answer of %v that there should not be, or a second one: % x", h.Addr, r[:60])
		}
		if wrong := expected.compare(q, h, r); wrong != "" {
			return fmt.Sprintf("%v answers % x: %s", h.Addr, r[:60], wrong)
		}
		delete(want, h.Addr)
		answered++
	}
	for a, missing := range want {
		return fmt.Sprintf("no answer of %v: want %+v", a, *missing)
	}
	did[map[bool]string{true: "frame-silent", false: "frame-answered"}[answered == 0]]++
	return ""
}

func (q question) frame(tag uint32) []byte {
	var f []byte
	switch q.command {
	case aoe.CmdConfig:
		f = frameOf(q.addr, q.command, tag, aoe.ConfigSize+len(q.text))
		aoe.Config{Command: aoe.ConfigCommand(q.sub), String: []byte(q.text)}.Put(f)
	case aoe.CmdMaskList:
		f = frameOf(q.addr, q.command, tag, aoe.MaskListSize+aoe.DirectiveSize)
		aoe.MaskList{Command: aoe.MaskCommand(q.sub), Count: 1}.Put(f)
		aoe.PutDirective(f, 0, q.directive(), q.hosts[0])
	case aoe.CmdReserve:
		f = frameOf(q.addr, q.command, tag, aoe.ReserveSize+6*len(q.hosts))
		aoe.Reserve{Command: aoe.ReserveCommand(q.sub), Count: uint8(len(q.hosts))}.Put(f)
		for i, h := range q.hosts {
			aoe.PutReserved(f, i, h)
		}
	default:
		a := aoe.ATA{Flags: aoe.ATAExtended, Count: uint8(q.n), Command: q.sub}
		if q.writes() {
			a.Flags |= aoe.ATAWrite
		}
		f = ataFrame(q.addr, tag, a, q.lba, q.data())
	}
	copy(f[6:12], q.src[:])
	return f
}

func (q question) writes() bool { return q.sub == 0x34 || q.sub == 0x30 }

// directive is drawn with the fill: to delete more often, as masks lock out.
func (q question) directive() aoe.MaskDirective { return aoe.MaskDirective(1 + min(q.fill%3, 1)) }

// data is what a write brings: every sector another, and another than before.
func (q question) data() []byte {
	if !q.writes() {
		return nil
	}
	data := bytes.Repeat([]byte{q.fill}, q.n*aoe.SectorSize)
	for i := range q.n {
		data[i*aoe.SectorSize] = byte(q.lba + i)
	}
	return data
}

// compare says what is wrong with a reply.
func (want *modelReply) compare(q question, h aoe.Header, r []byte) string {
	if h.Error != want.code || h.Failed != (want.code != 0) {
		return fmt.Sprintf("AoE error %d, want %d", h.Error, want.code)
	}
	at := map[aoe.Command]int{aoe.CmdATA: aoe.ATASize, aoe.CmdConfig: aoe.ConfigSize, aoe.CmdMaskList: aoe.MaskListSize, aoe.CmdReserve: aoe.ReserveSize}[q.command]
	content := want.content
	switch {
	case q.command == aoe.CmdATA && want.code == 0:
		a, _, _ := aoe.DecodeATA(r)
		if failed := a.Command&1 != 0; failed != (want.failed != 0) || failed && a.Feature != want.failed {
			return fmt.Sprintf("ATA status %#x, error %#x, want error %#x", a.Command, a.Feature, want.failed)
		}
		if q.sub == 0xec && want.failed == 0 {
			at += 200 // words 100 to 103: the capacity
		}
	case q.command == aoe.CmdConfig && (want.code == 0 || want.code == aoe.ErrConfigString):
		if c, _ := aoe.DecodeConfig(r); c.Length != len(content) {
			return fmt.Sprintf("a config string of %d bytes, want %q", c.Length, content)
		}
	case q.command == aoe.CmdMaskList && want.code == 0:
		if l, _ := aoe.DecodeMaskList(r); int(l.Count)*8 != len(content) {
			return fmt.Sprintf("%d masks, want % x", l.Count, content)
		}
	case q.command == aoe.CmdReserve && want.code == 0:
		if l, _ := aoe.DecodeReserve(r); int(l.Count)*6 != len(content) {
			return fmt.Sprintf("%d hosts, want % x", l.Count, content)
		}
	}
	if len(r) < at+len(content) || !bytes.Equal(r[at:at+len(content)], content) {
		return fmt.Sprintf("from byte %d on want % x", at, content[:min(len(content), 60)])
	}
	return ""
}
