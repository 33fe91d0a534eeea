package target

import (
	"bytes"

	"vbladefs/target/aoe"
)

// configCommand serves command 1, and reports false for a frame to ignore.
func (w *worker) configCommand(p *port, reply aoe.Header, frame []byte) bool {
	c, _ := aoe.DecodeConfig(frame)
	if c.Command > aoe.ConfigForceSet || c.Command != aoe.ConfigRead && !c.Valid() {
		w.fail(p, reply, aoe.ErrArgument)
		return true
	}
	if c.Command >= aoe.ConfigSet && !w.mayEdit() {
		return false
	}
	stored := p.rules.Load().config
	switch c.Command {
	case aoe.ConfigTest:
		if !bytes.Equal(c.String, stored) {
			p.counts.others.Add(1) // silence is the answer
			return true
		}
	case aoe.ConfigPrefix:
		if !bytes.HasPrefix(stored, c.String) {
			p.counts.others.Add(1)
			return true
		}
	case aoe.ConfigSet, aoe.ConfigForceSet:
		stored, r := p.blade.setConfig(w.target.keeper, c.String, c.Command == aoe.ConfigForceSet)
		if stored {
			w.config(p, reply, c.Command, r.config)
			w.answerKept(p, r, &p.counts.others)
			return true
		}
		w.config(p, reply.Fail(aoe.ErrConfigString), c.Command, r.config)
		w.fate = fate{TraceAoEError, uint8(aoe.ErrConfigString)}
		w.answerKept(p, r, &p.counts.errors)
		return true
	}
	p.counts.others.Add(1)
	w.config(p, reply, c.Command, stored)
	return true
}

// setConfig stores a config string. Without force it does so only where none
// is stored; storing the same again succeeds, as the request may be a repeat.
func (b *blade) setConfig(keeper Keeper, s []byte, force bool) (stored bool, now *rules) {
	now = b.edit(keeper, func(r *rules) {
		stored = force || len(r.config) == 0 || bytes.Equal(r.config, s)
		if stored {
			r.config = bytes.Clone(s)
		}
	})
	return stored, now
}

// config queues a config reply of p with the string text: what answers a query, and what announces.
func (w *worker) config(p *port, header aoe.Header, command aoe.ConfigCommand, text []byte) {
	b := w.reply()
	header.Put(b)
	text = text[:min(len(text), max(w.room-aoe.ConfigSize, 0))] // it may have come over an interface with larger frames
	end := aoe.Config{
		Buffers:  uint16(p.buffers.Load()),
		Firmware: p.blade.drive.identity.Load().Firmware,
		Sectors:  uint8(p.sectors.Load()),
		Command:  command,
		String:   text,
	}.Put(b)
	w.queueReply(padded(b, end), nil, nil)
	w.fate.outcome = TraceDone
}

// announce tells the segment of p with a config reply that nobody asked for:
// to all, or where lists say who may know of it, to those. Tag 0 is what the
// Linux and Plan 9 initiators accept (PROTOCOL.md §4.1).
func (w *worker) announce(p *port) {
	if w.link == nil || p.sectors.Load() == 0 {
		return
	}
	header := aoe.Header{Dst: aoe.Broadcast, Src: w.mac, Version: aoe.Version,
		Response: true, Addr: p.blade.addr, Command: aoe.CmdConfig}
	rules := p.rules.Load()
	listed, all := rules.announceTo()
	if !all && listed == nil { // those that ask are known; the others find it when they ask
		for _, i := range p.initiators() {
			listed = append(listed, i.Host)
		}
	}
	if !all && len(listed) == 0 {
		return
	}
	p.counts.announces.Add(1)
	if all {
		w.config(p, header, aoe.ConfigRead, rules.config)
		return
	}
	for _, mac := range listed {
		if rules.admits(mac) {
			header.Dst = mac
			w.config(p, header, aoe.ConfigRead, rules.config)
		}
	}
}
