package netio

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// Values of skb->pkt_type, linux/if_packet.h. The kernel compares the destination MAC with the
// interface's, so an interface in promiscuous mode needs no code of ours.
const packetBroadcast = 1 // PACKET_HOST is 0; multicast, other host and outgoing are above

// acceptBytes is more than any frame: the filter passes frames whole or not at all.
const acceptBytes = 1 << 18

// aoeFlagsOffset is the byte of version and flags, aoeResponse the flag of a reply (AoEr11 §2).
const (
	aoeFlagsOffset = 14
	aoeResponse    = 0x08
)

// filterProgram assembles the kernel's filter for the interface of that index.
//
// The interface is checked although the socket is bound to it: a socket on the parent of a VLAN,
// macvlan or bond also gets the frames that the kernel handed up to those
// (net/core/dev.c __netif_receive_skb_core delivers to the original device's ptype_specific too).
func filterProgram(index int, replies bool) ([]bpf.RawInstruction, error) {
	reject := bpf.RetConstant{Val: 0}
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtInterfaceIndex},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(index), SkipTrue: 1},
		reject,
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: packetBroadcast, SkipTrue: 1},
		reject,
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherTypeAoE, SkipTrue: 1},
		reject,
		// A tag with VID 0 carries a priority only; any other VID is a VLAN we do not serve here.
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtVLANTag},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x0fff, SkipTrue: 1},
		reject,
	}
	if replies {
		// A frame too short to have the byte is rejected by the load itself.
		program = append(program,
			bpf.LoadAbsolute{Off: aoeFlagsOffset, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: aoeResponse, SkipTrue: 1},
			reject)
	}
	program = append(program, bpf.RetConstant{Val: acceptBytes})
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("assembling the AoE frame filter: %w", err)
	}
	return raw, nil
}
