package netio

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// maxSteered is how many addresses may be steered away from a group's first link: twice the drives that a
// target may have. It costs 2 MiB of kernel memory for the map's buckets; an entry costs some 64 bytes more.
const maxSteered = 1 << 17

// steering says which member of a fanout group takes a frame: a program that the kernel runs for each
// frame, and the map of AoE addresses to members that it looks the frame's address up in.
type steering struct {
	members *ebpf.Map // steerKey to the index of a member, both uint32
	program *ebpf.Program
}

// steerKey is an AoE address as the program makes it of a frame.
func steerKey(shelf uint16, slot uint8) uint32 { return uint32(shelf)<<8 | uint32(slot) }

func newSteering() (*steering, error) {
	members, err := ebpf.NewMap(&ebpf.MapSpec{Name: "aoe_members", Type: ebpf.Hash, KeySize: 4, ValueSize: 4,
		MaxEntries: maxSteered, Flags: unix.BPF_F_NO_PREALLOC})
	if err != nil {
		return nil, fmt.Errorf("making the map of addresses (needs root or CAP_BPF): %w", err)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "aoe_steer", Type: ebpf.SocketFilter,
		Instructions: steerInstructions(members.FD()), License: "Dual MIT/GPL"})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("loading the program that spreads frames: %w", err), members.Close())
	}
	return &steering{members, program}, nil
}

// networkOffset makes an offset count from the network header, behind the Ethernet header and any tag
// (linux/filter.h SKF_NET_OFF): where the frame's data begins differs along the kernel's packet path.
const networkOffset = -0x100000

// steerInstructions return the member for a frame's shelf.slot; 0 for what is not in the map, or too short
// to have an address, for which the load itself returns 0 (Documentation/bpf/instruction-set, legacy loads).
func steerInstructions(members int) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),            // the loads take the frame from R6
		asm.LoadAbs(networkOffset+2, asm.Word), // shelf, slot and command (AoEr11 §2), in host order
		asm.RSh.Imm(asm.R0, 8),                 // the command goes: steerKey
		asm.StoreMem(asm.RFP, -4, asm.R0, asm.Word),
		asm.LoadMapPtr(asm.R1, members),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "first"),
		asm.LoadMem(asm.R0, asm.R0, 0, asm.Word),
		asm.Return(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("first"),
		asm.Return(),
	}
}

// set steers an address; member 0 is where all go that nobody steers.
func (s *steering) set(shelf uint16, slot uint8, member int) error {
	key := steerKey(shelf, slot)
	if member == 0 {
		if err := s.members.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("steering %d.%d: %w", shelf, slot, err)
		}
		return nil
	}
	err := s.members.Put(key, uint32(member))
	if errors.Is(err, unix.E2BIG) {
		return fmt.Errorf("steering %d.%d: %d addresses are steered already, and no more can be", shelf, slot, maxSteered)
	}
	if err != nil {
		return fmt.Errorf("steering %d.%d: %w", shelf, slot, err)
	}
	return nil
}

// install gives the program to the fanout group of a member. When the group had it already, the kernel
// returns only when no frame is on its way through what was before (net/packet/af_packet.c
// __fanout_set_data_bpf waits for that before it lets the old program go).
func (s *steering) install(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, s.program.FD()); err != nil {
		return fmt.Errorf("PACKET_FANOUT_DATA: %w", err)
	}
	return nil
}

func (s *steering) close() error { return errors.Join(s.program.Close(), s.members.Close()) }
