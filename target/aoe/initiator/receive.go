package initiator

import (
	"fmt"

	"vbladefs/target/aoe"
)

// Poll takes one batch of frames that have arrived, without waiting, and
// returns the IOs that are done: answered, failed or given up. The slice is
// valid until the next Poll. An error means that the link is broken.
func (e *Engine) Poll() ([]*IO, error) {
	e.done = e.done[:0]
	n, err := e.link.Receive(e.batch)
	e.now = e.clock() // once for the whole batch, which is here now
	if err != nil {
		return nil, fmt.Errorf("receiving from %v: %w", e.peers[0].mac, err)
	}
	for _, frame := range e.batch[:n] {
		e.receive(frame)
	}
	if n > 0 {
		e.link.Release()
	}
	if e.now >= e.nextTick {
		e.nextTick = e.now + e.pace.tick
		e.expire()
	}
	return e.done, nil
}

// receive finds the request that frame answers and completes it.
func (e *Engine) receive(frame []byte) {
	e.counters.Received++
	r, fault := parseReply(frame, e.local)
	switch {
	case fault == NotForUs && r.announcement():
		e.counters.Announcements++
		if e.opt.Follow {
			e.follow(&r)
		}
		return
	case fault != NoFault:
		e.counters.note(fault)
		return
	}
	i := e.tags.slot(r.Tag)
	if r.Tag&ownTag == 0 || i >= len(e.slots) {
		e.counters.note(ForeignTag)
		return
	}
	s := &e.slots[i]
	age := e.tags.age(r.Tag, s.past.current)
	if uint64(age) >= s.past.issued {
		e.counters.note(ForeignTag)
		return
	}
	if fault := e.stranger(s, age, &r); fault != NoFault {
		e.counters.note(fault)
		return
	}
	e.match(s, &r, age, frame)
}

// stranger finds replies that carry our tag and come from somewhere else. Where
// an older tag of a slot went is not known if there are several exports; its
// reply is late in any case.
func (e *Engine) stranger(s *slot, age uint32, r *reply) Fault {
	p := &e.peers[s.peer]
	switch {
	case age > 0 && len(e.peers) > 1:
	case r.Src != p.mac:
		return WrongSource
	case r.Addr != p.addr:
		return WrongAddr
	}
	return NoFault
}

// match decides whether r answers what slot s waits for now. Only the newest
// tag does, and only once (INITIATORS §2.7).
func (e *Engine) match(s *slot, r *reply, age uint32, frame []byte) {
	current := age == 0 && s.io != nil
	if current && r.Failed && e.opt.Retransmit == RetransmitLinux && s.io.Op != Control && r.Version == aoe.Version {
		e.countAoEError(r.Error) // Linux logs it and goes on trying (INITIATORS §2.8)
		return
	}
	_, again := s.past.answer(age)
	switch {
	case again:
		e.counters.Duplicate++
	case !current:
		e.counters.Late++
	default:
		e.pace.reply(e.now-s.sent, e.Outstanding()-e.deferred)
		e.complete(s, r, frame)
	}
}

// complete ends the frame in slot s with what r says.
func (e *Engine) complete(s *slot, r *reply, frame []byte) {
	io := s.io
	v := r.judge(io.Op, s.command(), s.dataIn(), frame)
	e.counters.note(v.deviation)
	switch {
	case v.fault != NoFault:
		e.counters.note(v.fault)
		e.finish(s, &ReplyError{LBA: s.lba, Fault: v.fault, Got: v.got, Want: v.want})
		return
	case v.failed:
		e.countAoEError(r.Error)
		io.Reply = append(io.Reply[:0], frame...)
		e.finish(s, &AoEError{Addr: r.Addr, Command: r.Command, Code: r.Error})
		return
	case v.badStatus:
		e.counters.ATAErrors++
		io.Regs = r.ata
		e.finish(s, &ATAError{LBA: s.lba, Command: s.ata, Status: r.ata.Command, Reg: r.ata.Feature})
		return
	}
	switch n := s.dataIn(); {
	case io.Op == Control:
		io.Reply = append(io.Reply[:0], frame...)
	case n > 0:
		copy(s.body, r.data[:n])
	}
	if io.Op == ATA {
		io.Regs = r.ata
	}
	e.counters.Completed++
	e.finish(s, nil)
}

func (e *Engine) countAoEError(code aoe.ErrorCode) {
	if int(code) < len(e.counters.AoEErrors) {
		e.counters.AoEErrors[code]++
		return
	}
	e.counters.OtherAoE++
}

// finish frees slot s and, with its last frame, its IO.
func (e *Engine) finish(s *slot, err error) {
	io := s.io
	if s.deferred {
		s.deferred = false
		e.deferred--
	}
	s.io, s.head, s.body = nil, nil, nil
	e.free = append(e.free, e.tags.slot(s.tag))
	io.frames--
	if err != nil && io.Err == nil {
		io.Err = err
		e.cancel(io)
	}
	if io.frames == 0 && (!io.more() || io.Err != nil) {
		io.active, io.Done = false, e.now
		e.done = append(e.done, io)
	}
}

// cancel takes an IO that has failed off the pending queue, so that the rest
// of it is never sent.
func (e *Engine) cancel(io *IO) {
	var before *IO
	for p := e.pending; p != nil; before, p = p, p.waiting {
		if p != io {
			continue
		}
		if before == nil {
			e.pending = p.waiting
		} else {
			before.waiting = p.waiting
		}
		if e.pendingLast == p {
			e.pendingLast = before
		}
		p.waiting = nil
		return
	}
}
