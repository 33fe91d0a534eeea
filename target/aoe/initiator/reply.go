package initiator

import (
	"vbladefs/target/aoe"
)

// failedStatus are the bits of the status register that mean failure: BSY, DF,
// DRQ and ERR, as Linux and Plan 9 test them (PROTOCOL §3.2).
const failedStatus = 0xa9

// reply is a frame taken apart; its slices alias the frame.
type reply struct {
	aoe.Header
	ata  aoe.ATA
	data []byte // behind the ATA registers
	size int    // of the frame
}

// parseReply reads a frame as a reply to local. The argument of a command other
// than ATA is left to whoever asked.
func parseReply(frame []byte, local aoe.MAC) (reply, Fault) {
	h, ok := aoe.DecodeHeader(frame)
	if !ok {
		return reply{}, ShortFrame
	}
	r := reply{Header: h, size: len(frame)}
	if !h.Response {
		return r, NotReply
	}
	if h.Dst != local {
		return r, NotForUs
	}
	if h.Command == aoe.CmdATA && !h.Failed {
		r.ata, r.data, _ = aoe.DecodeATA(frame) // too short is found by judge, which knows the request
	}
	return r, NoFault
}

// announcement reports whether r is a broadcast config reply that nobody asked
// for (PROTOCOL §4.1).
func (r *reply) announcement() bool {
	return r.Dst == aoe.Broadcast && r.Command == aoe.CmdConfig && r.Tag&ownTag == 0
}

// verdict is what a reply means for its request. Only one of fault, failed and
// status is set.
type verdict struct {
	fault     Fault // why the reply is not to be trusted
	got, want int   // of the fault
	failed    bool  // an AoE error
	badStatus bool  // an ATA error
	deviation Fault // accepted, but not quite right
}

// judge compares a reply that has the tag, source and address of its request
// with what the request asked for: op, its AoE command and, for data-in
// commands, the bytes expected. frame is the whole reply.
func (r *reply) judge(op Op, command aoe.Command, dataIn int, frame []byte) verdict {
	switch {
	case r.Version != aoe.Version:
		return verdict{fault: WrongVersion, got: int(r.Version), want: aoe.Version}
	case r.Command != command:
		return verdict{fault: WrongCommand, got: int(r.Command), want: int(command)}
	case r.Failed:
		return verdict{failed: true}
	case command != aoe.CmdATA:
		return verdict{deviation: unpadded(r.size)}
	case r.size < aoe.ATASize:
		return verdict{fault: ShortReply, got: r.size, want: aoe.ATASize}
	case r.ata.Command&failedStatus != 0:
		return verdict{badStatus: true, deviation: padding(frame, aoe.ATASize)}
	case len(r.data) < dataIn:
		return verdict{fault: RuntData, got: len(r.data), want: dataIn}
	case op != ATA && r.ata.Count != 0:
		return verdict{fault: Remainder, got: int(r.ata.Count), want: 0}
	}
	return verdict{deviation: padding(frame, aoe.ATASize+dataIn)}
}

func unpadded(size int) Fault {
	if size < aoe.MinFrame {
		return Unpadded
	}
	return NoFault
}

// padding checks what follows the first size bytes of frame: nothing, or zeros
// up to the least size of a frame.
func padding(frame []byte, size int) Fault {
	switch {
	case len(frame) < aoe.MinFrame:
		return Unpadded
	case len(frame) > max(size, aoe.MinFrame):
		return LongReply
	}
	for _, b := range frame[size:] {
		if b != 0 {
			return DirtyPadding
		}
	}
	return NoFault
}
