package target

import (
	"slices"

	"vbladefs/target/aoe"
)

// maskCommand serves command 2, the MAC mask list, and reports false for a
// frame to ignore.
func (w *worker) maskCommand(p *port, reply aoe.Header, frame []byte) bool {
	m, _ := aoe.DecodeMaskList(frame)
	if m.Command > aoe.MaskEdit || m.Command == aoe.MaskEdit && !m.Valid() {
		w.fail(p, reply, aoe.ErrArgument)
		return true
	}
	if m.Command == aoe.MaskEdit && !w.mayEdit() {
		return false
	}
	w.fate.outcome = TraceDone
	b := w.reply()
	reply.Put(b)
	now := p.rules.Load()
	if m.Command == aoe.MaskEdit {
		var done int
		var failure aoe.MaskError
		if done, failure, now = p.blade.editMasks(w.target.keeper, m); failure != 0 {
			aoe.MaskList{Command: m.Command, Error: failure, Count: uint8(done)}.Put(b)
			w.queueReply(b[:aoe.MinFrame], nil, nil)
			w.answerKept(p, now, &p.counts.errors) // what was done before stays
			return true
		}
	}
	masks, end := now.masks, aoe.MaskListSize
	masks = masks[:min(len(masks), max(w.room-end, 0)/aoe.DirectiveSize)]
	aoe.MaskList{Command: m.Command, Count: uint8(len(masks))}.Put(b)
	for i, mac := range masks {
		end = aoe.PutDirective(b, i, aoe.MaskNone, mac)
	}
	w.queueReply(padded(b, end), nil, nil)
	if m.Command == aoe.MaskRead {
		p.counts.others.Add(1)
	} else {
		w.answerKept(p, now, &p.counts.others)
	}
	return true
}

// editMasks carries the directives of m out in order. At the first bad one it
// stops: what was done before stays, done says how many (PROTOCOL.md §5).
func (b *blade) editMasks(keeper Keeper, m aoe.MaskList) (done int, failure aoe.MaskError, now *rules) {
	now = b.edit(keeper, func(r *rules) {
		list := slices.Clone(r.masks)
		for done < int(m.Count) && failure == 0 {
			list, failure = applyDirective(list, m, done)
			if failure == 0 {
				done++
			}
		}
		r.masks = list
	})
	return done, failure, now
}

func applyDirective(list []aoe.MAC, m aoe.MaskList, i int) ([]aoe.MAC, aoe.MaskError) {
	directive, mac := m.Directive(i)
	at := slices.Index(list, mac)
	switch {
	case directive > aoe.MaskDelete:
		return list, aoe.MaskBadDirective
	case directive == aoe.MaskAdd && at < 0 && len(list) == aoe.MaxListed:
		return list, aoe.MaskFull
	case directive == aoe.MaskAdd && at < 0:
		return append(list, mac), 0
	case directive == aoe.MaskDelete && at >= 0:
		return slices.Delete(list, at, at+1), 0
	}
	return list, 0
}

// reserveCommand serves command 3, reserve and release, and reports false for
// a frame to ignore.
func (w *worker) reserveCommand(p *port, h, reply aoe.Header, frame []byte) bool {
	v, _ := aoe.DecodeReserve(frame)
	if v.Command > aoe.ReserveForceSet || v.Command != aoe.ReserveRead && (!v.Valid() || int(v.Count) > aoe.MaxListed) {
		w.fail(p, reply, aoe.ErrArgument)
		return true
	}
	if v.Command != aoe.ReserveRead && !w.mayEdit() {
		return false
	}
	now := p.rules.Load()
	if v.Command != aoe.ReserveRead {
		var allowed bool
		if allowed, now = p.blade.setReserve(w.target.keeper, v, h.Src); !allowed {
			b := w.reply()
			reply.Fail(aoe.ErrReserved).Put(b)
			w.queueReply(b[:aoe.MinFrame], nil, nil)
			w.fate = fate{TraceAoEError, uint8(aoe.ErrReserved)}
			w.answerKept(p, now, &p.counts.errors)
			return true
		}
	}
	w.fate.outcome = TraceDone
	b := w.reply()
	reply.Put(b)
	list, end := now.reserve, aoe.ReserveSize
	list = list[:min(len(list), max(w.room-end, 0)/len(aoe.MAC{}))]
	aoe.Reserve{Command: v.Command, Count: uint8(len(list))}.Put(b)
	for i, mac := range list {
		end = aoe.PutReserved(b, i, mac)
	}
	w.queueReply(padded(b, end), nil, nil)
	if v.Command == aoe.ReserveRead {
		p.counts.others.Add(1)
	} else {
		w.answerKept(p, now, &p.counts.others)
	}
	return true
}

// setReserve replaces the reserve list by that of v, if src may: the list is
// empty, or src on it, or v forces it (PROTOCOL.md §6). Asking gate would not do:
// two hosts may set it at once, and only the first may have it.
func (b *blade) setReserve(keeper Keeper, v aoe.Reserve, src aoe.MAC) (allowed bool, now *rules) {
	now = b.edit(keeper, func(r *rules) {
		allowed = v.Command == aoe.ReserveForceSet || r.reservedFor(src)
		if !allowed {
			return
		}
		list := make([]aoe.MAC, 0, v.Count)
		for i := range int(v.Count) {
			list = append(list, v.MAC(i))
		}
		r.reserve = list
	})
	return allowed, now
}
