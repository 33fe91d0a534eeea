package target

import (
	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// This file is the one place that lets a request pass or not: whatever lists,
// masks, reservations, access lists, wildcards and read-only drives forbid is
// decided here, before a command looks at its argument and before any disk access.
//
//	frame ─▶ admits ─▶ asks ─▶ gate ─┬▶ the command
//	            └▶ silence           └▶ silence, ABRT or error 6
//
// What a command decides itself is not about who asks: whether the argument makes
// sense, whether sectors are in range, whether there is room. One exception has to
// be decided together with the change that it forbids: RESERVE, see setReserve.

// act is what a request would do, as far as access goes.
type act uint8

const (
	actNothing     act = iota // is answered with an AoE error, whoever asks
	actPlain                  // an ATA command that touches neither data nor the state of the drive, or is refused anyway
	actIdentify               // tells of the drive
	actRead                   // reads data
	actWrite                  // writes data
	actSync                   // flushes, or changes the write cache
	actAskConfig              // asks for the config string
	actStoreConfig            // changes it
	actAskList                // asks for the mask list or the reserve list
	actStoreList              // changes one
)

// acts are those of ATA commands, by what they ask of the target.
var acts = [...]act{ata.Abort: actPlain, ata.NoOperation: actPlain, ata.CheckPower: actPlain, ata.Read: actRead,
	ata.Verify: actRead, ata.Write: actWrite, ata.Flush: actSync, ata.SetWriteCache: actSync, ata.Identify: actIdentify,
	ata.SmartData: actRead, ata.Trim: actWrite}

// gates are the rules of each act.
var gates = [...]struct {
	list    bool        // the access list at point is asked
	point   AccessPoint //
	refused verdict     // if it says no
	all     bool        // may name exports by a wildcard: nobody needs more, and one stray frame would hit every export (PROTOCOL.md §2.3)
	fenced  bool        // a reservation for others forbids it (PROTOCOL.md §6)
}{
	actNothing:     {all: true},
	actPlain:       {fenced: true},
	actIdentify:    {list: true, point: ReadData, refused: abort, all: true},
	actRead:        {list: true, point: ReadData, refused: abort, fenced: true},
	actWrite:       {list: true, point: WriteData, refused: abort, fenced: true},
	actSync:        {list: true, point: WriteData, refused: abort, fenced: true},
	actAskConfig:   {list: true, point: ReadConfig, refused: silence, all: true},
	actStoreConfig: {list: true, point: StoreConfig, refused: silence, all: true},
	actAskList:     {list: true, point: ReadConfig, refused: silence, all: true},
	actStoreList:   {list: true, point: StoreConfig, refused: silence},
}

// verdict is what becomes of a request.
type verdict uint8

const (
	pass     verdict = iota
	silence          // it is not answered
	abort            // ATA: ABRT
	reserved         // AoE error 6
)

// asks says what a request would do, and of an ATA command q in full. It is not ok
// if the request is shorter than the fixed part of its command.
func asks(h aoe.Header, frame []byte) (what act, q ata.Request, ok bool) {
	switch h.Command {
	case aoe.CmdATA:
		var a aoe.ATA
		if a, _, ok = aoe.DecodeATA(frame); ok {
			q = ata.Decode(registers(a), a.Flags&aoe.ATAWrite != 0)
			what = acts[q.Action]
		}
	case aoe.CmdConfig:
		var c aoe.Config
		c, ok = aoe.DecodeConfig(frame)
		what = either(c.Command >= aoe.ConfigSet, actStoreConfig, actAskConfig)
	case aoe.CmdMaskList:
		var m aoe.MaskList
		m, ok = aoe.DecodeMaskList(frame)
		what = either(m.Command != aoe.MaskRead, actStoreList, actAskList)
	case aoe.CmdReserve:
		var v aoe.Reserve
		v, ok = aoe.DecodeReserve(frame)
		what = either(v.Command != aoe.ReserveRead, actStoreList, actAskList)
	default:
		ok = true
	}
	return what, q, ok
}

func either(stores bool, yes, no act) act {
	if stores {
		return yes
	}
	return no
}

// gate says what becomes of a request to p, which leads to d, that would do what.
// It comes from a host that r admits.
func (w *worker) gate(p *port, d *device, r *rules, h aoe.Header, what act) verdict {
	g := &gates[what]
	switch {
	case !g.all && h.Addr.Wildcard():
		return silence
	case h.Command == aoe.CmdATA && d.paused.Load():
		return silence
	case g.list && !w.permits(r, g.point, h.Src):
		return g.refused
	case g.fenced && !r.reservedFor(h.Src):
		return reserved
	case what == actWrite && p.readOnly(d):
		return abort
	}
	return pass
}
