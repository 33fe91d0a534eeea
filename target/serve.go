package target

import (
	"bytes"

	"vbladefs/target/aoe"
	"vbladefs/target/ata"
)

// frame serves one frame from the link. What PROTOCOL.md §2.4 says to ignore
// is ignored; what names a port of this interface is counted there.
func (w *worker) frame(t *table, frame []byte) {
	h, ok := aoe.DecodeHeader(frame)
	if !ok || h.Response || h.Src.Group() || h.Src == (aoe.MAC{}) || h.Src == w.mac {
		w.netif.ignored.Add(1)
		if ok && h.Response {
			w.netif.neighbours.hear(h, frame)
		}
		return
	}
	if h.Addr.Wildcard() {
		if h.Version != aoe.Version || h.Tag == w.target.tag || !w.wildcard(t, h, frame) { // the tag: it is our own
			w.netif.ignored.Add(1)
		}
		return
	}
	switch p := t.get(h.Addr); {
	case p == nil:
		w.netif.foreign.Add(1)
	case p.home.Load() != w: // the link of another should have had it: its order is lost
		p.counts.dropped.Add(1)
	default:
		w.request(p, h, frame)
	}
}

// request serves a frame that names p, from the header on. Whether it may is for
// admits, which a host that lists shut out does not pass, and for gate, see there.
func (w *worker) request(p *port, h aoe.Header, frame []byte) {
	rules := p.rules.Load()
	if rules.trace != nil && !w.tracing {
		w.traced(p, rules, h, frame)
		return
	}
	if !rules.admits(h.Src) || p.sectors.Load() == 0 {
		p.counts.dropped.Add(1)
		return
	}
	if !h.Addr.Wildcard() {
		w.heard(p, hostKey(h.Src))
	}
	reply := h.Reply(p.addr, w.mac)
	if h.Version != aoe.Version {
		w.fail(p, reply, aoe.ErrVersion)
		return
	}
	what, q, ok := asks(h, frame)
	if !ok {
		p.counts.dropped.Add(1)
		return
	}
	device := p.device.Load()
	switch w.gate(p, device, rules, h, what) {
	case pass:
		w.command(p, device, h, reply, frame, q)
	case silence:
		p.counts.dropped.Add(1)
	case abort:
		a, _, _ := aoe.DecodeATA(frame)
		w.abort(p, reply, a, q)
	case reserved:
		w.fail(p, reply, aoe.ErrReserved)
	}
}

// command carries out a request that gate has let pass, and that is as long as its
// command wants.
func (w *worker) command(p *port, d *device, h, reply aoe.Header, frame []byte, q ata.Request) {
	served := true
	switch h.Command {
	case aoe.CmdATA:
		w.ataCommand(p, d, reply, frame, q)
	case aoe.CmdConfig:
		served = w.configCommand(p, reply, frame)
	case aoe.CmdMaskList:
		served = w.maskCommand(p, reply, frame)
	case aoe.CmdReserve:
		served = w.reserveCommand(p, h, reply, frame)
	default:
		w.fail(p, reply, aoe.ErrCommand)
	}
	if !served {
		p.counts.dropped.Add(1)
	}
}

// fail answers with an AoE error.
func (w *worker) fail(p *port, reply aoe.Header, code aoe.ErrorCode) {
	b := w.reply()
	reply.Fail(code).Put(b)
	w.queueReply(b[:aoe.MinFrame], nil, nil)
	p.counts.errors.Add(1)
	w.fate = fate{TraceAoEError, uint8(code)}
}

// ataCommand serves command 0, which asks for q.
func (w *worker) ataCommand(p *port, device *device, reply aoe.Header, frame []byte, q ata.Request) {
	a, payload, _ := aoe.DecodeATA(frame)
	regs := registers(a)
	if result, done := regs.Answer(q, p.capacity(device)); done {
		w.result(p, reply, a, q, result)
		return
	}
	switch q.Action {
	case ata.Read:
		if q.Sectors > int(p.most.Load()) {
			w.abort(p, reply, a, q)
			return
		}
		w.transfer(p, device, reply, a, OpRead, q, nil)
	case ata.Write:
		w.write(p, device, reply, a, q, payload)
	case ata.Trim:
		w.trim(p, device, reply, a, q, payload)
	case ata.Flush:
		w.transfer(p, device, reply, a, OpFlush, q, nil)
	case ata.SetWriteCache:
		w.setWriteCache(p, device, reply, a, q)
	case ata.Verify:
		w.result(p, reply, a, q, regs.Done())
	case ata.Identify:
		w.identify(p, device, reply, a)
	case ata.SmartData:
		b := w.reply()
		ata.PutSmartData(b[aoe.ATASize:])
		w.dataReply(p, b, reply, a)
	default:
		w.abort(p, reply, a, q)
	}
}

// write checks what only a write has, and starts it.
func (w *worker) write(p *port, d *device, reply aoe.Header, a aoe.ATA, q ata.Request, payload []byte) {
	n := q.Sectors * aoe.SectorSize
	if q.Sectors > int(p.most.Load()) || len(payload) < n {
		w.abort(p, reply, a, q)
		return
	}
	op := OpWrite
	switch {
	case q.Durable:
		op = OpWriteDurable
	case p.thin.Load() && bytes.Equal(payload[:n], zeros[:n]):
		op = OpPunch
	}
	w.transfer(p, d, reply, a, op, q, payload[:n])
}

// setWriteCache turns write-through on or off. What was acknowledged before
// write-through is durable when the reply comes: a flush that takes its turn
// behind every write in flight sees to that.
func (w *worker) setWriteCache(p *port, d *device, reply aoe.Header, a aoe.ATA, q ata.Request) {
	d.initiatorCache.set(!q.WriteCache)
	if q.WriteCache {
		w.result(p, reply, a, q, registers(a).Done())
		return
	}
	w.transfer(p, d, reply, a, opBarrier, q, nil)
}

// abort refuses an ATA command.
func (w *worker) abort(p *port, reply aoe.Header, a aoe.ATA, q ata.Request) {
	w.result(p, reply, a, q, registers(a).Failed(ata.ABRT, a.Count))
}

// result answers an ATA command with registers alone.
func (w *worker) result(p *port, reply aoe.Header, a aoe.ATA, q ata.Request, g ata.Registers) {
	b := w.reply()
	reply.Put(b)
	argument(a, g).Put(b)
	end := aoe.MinFrame
	if q.Smart {
		end = aoe.ATASize + ata.SectorSize // or aoeping discards it, §3.6
		clear(b[aoe.ATASize:end])
	}
	w.queueReply(b[:end], nil, nil)
	if g.Command&ata.ERR != 0 {
		p.counts.ataErrors.Add(1)
		p.counts.errors.Add(1)
		w.fate = fate{TraceATAError, g.Feature}
	} else {
		p.counts.others.Add(1)
		w.fate.outcome = TraceDone
	}
}

// identify answers IDENTIFY DEVICE.
func (w *worker) identify(p *port, d *device, reply aoe.Header, a aoe.ATA) {
	id := p.blade.drive.identity.Load()
	b := w.reply()
	data := ata.Identity{Sectors: p.capacity(d), Serial: id.Serial, Firmware: firmwareRevision, Model: id.Model,
		WriteCache: d.volatileCache()}
	data.Put(b[aoe.ATASize:])
	w.dataReply(p, b, reply, a)
}

// dataReply completes and queues a reply that carries one sector, which is in
// b already.
func (w *worker) dataReply(p *port, b []byte, reply aoe.Header, a aoe.ATA) {
	reply.Put(b)
	argument(a, registers(a).Done()).Put(b)
	w.queueReply(b[:aoe.ATASize+ata.SectorSize], nil, nil)
	p.counts.others.Add(1)
	w.fate.outcome = TraceDone
}
