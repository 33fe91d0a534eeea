package initiator

import "vbladefs/target/aoe"

// follow has the frames of an export go to whoever announces its address: another
// host that serves the disk from now on, as INITIATORS §2.9 has Linux take any
// config reply for a way to the export. What is in flight is sent there at once.
// The answers of the host before are from a stranger then.
func (e *Engine) follow(r *reply) {
	for n := range e.peers {
		p := &e.peers[n]
		if r.Addr != p.addr || r.Src == p.mac || r.Src.Group() || r.Failed || r.Version != aoe.Version {
			continue
		}
		p.mac = r.Src
		e.counters.Moves++
		e.resend(n)
	}
}

// resend has all that is in flight to a peer sent to where it is now.
func (e *Engine) resend(peer int) {
	for i := range e.slots {
		s := &e.slots[i]
		if s.io == nil || s.peer != peer {
			continue
		}
		copy(s.head, e.peers[peer].mac[:]) // the destination comes first
		s.rto = e.pace.firstRTO
		if !s.deferred {
			s.deferred = true
			e.deferred++
		}
	}
}
