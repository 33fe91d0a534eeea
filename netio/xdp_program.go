package netio

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// Offsets in struct xdp_md (linux/bpf.h).
const (
	xdpData       = 0
	xdpDataEnd    = 4
	xdpDataMeta   = 8
	xdpQueueIndex = 16
)

// xdpTagged is where the program keeps, on its stack, whether the frame has a tag: the difference of two pointers
// would say so too, but takes CAP_PERFMON.
const xdpTagged = -16

// xdpPass is XDP_PASS: the frame goes on to the kernel's network stack.
const xdpPass = 2

// xdpFrags is BPF_F_XDP_HAS_FRAGS: frames may be larger than a page (Linux 5.18).
const xdpFrags = unix.BPF_F_XDP_HAS_FRAGS

// vlanTagFunction asks the driver for the tag that the interface has stripped from a frame (Linux 6.8).
const vlanTagFunction = "bpf_xdp_metadata_rx_vlan_tag"

// xdpProgram is the program that takes our frames out of an interface's traffic, with its maps: the sockets by
// receive queue, and the interface's MAC.
type xdpProgram struct {
	program *ebpf.Program
	sockets *ebpf.Map
	mac     *ebpf.Map
}

// newXDPProgram loads the program for an interface with that many receive queues. If asksTag, it only fits that
// interface's driver, in native mode.
func newXDPProgram(ifi Interface, queues int, replies, asksTag bool) (*xdpProgram, error) {
	p := new(xdpProgram)
	if err := p.load(ifi, queues, replies, asksTag); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *xdpProgram) load(ifi Interface, queues int, replies, asksTag bool) (err error) {
	p.sockets, err = ebpf.NewMap(&ebpf.MapSpec{Name: "vbladefs_xsk", Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues)})
	if err != nil {
		return fmt.Errorf("map of AF_XDP sockets: %w", err)
	}
	p.mac, err = ebpf.NewMap(&ebpf.MapSpec{Name: "vbladefs_mac", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return fmt.Errorf("map of the MAC: %w", err)
	}
	if err := p.setMAC(ifi.MAC); err != nil {
		return err
	}
	spec := &ebpf.ProgramSpec{Name: "vbladefs_aoe", Type: ebpf.XDP, License: "Dual MIT/GPL", Flags: xdpFrags}
	var tagFunction btf.TypeID
	if asksTag {
		if tagFunction, err = kernelFunction(vlanTagFunction); err != nil {
			return err
		}
		spec.Flags |= unix.BPF_F_XDP_DEV_BOUND_ONLY
		spec.Ifindex = uint32(ifi.Index)
	}
	spec.Instructions = xdpInstructions(p.sockets.FD(), p.mac.FD(), replies, tagFunction)
	p.program, err = ebpf.NewProgram(spec)
	if err != nil {
		spec.Flags &^= xdpFrags // before Linux 5.18 frames are never larger than a page
		var again error
		if p.program, again = ebpf.NewProgram(spec); again != nil {
			return fmt.Errorf("loading the XDP program: %w", err)
		}
	}
	return nil
}

// kernelFunction returns the kernel's number for one of its functions.
func kernelFunction(name string) (btf.TypeID, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return 0, fmt.Errorf("the kernel's types: %w", err)
	}
	var function *btf.Func
	if err := spec.TypeByName(name, &function); err != nil {
		return 0, fmt.Errorf("kernel function %s: %w", name, err)
	}
	return spec.TypeID(function)
}

// setMAC says which address is the interface's. A frame that comes meanwhile sees the old or the new one.
func (p *xdpProgram) setMAC(mac [6]byte) error {
	var value [8]byte
	copy(value[:], mac[:])
	if err := p.mac.Put(uint32(0), value[:]); err != nil {
		return fmt.Errorf("telling the XDP program the MAC: %w", err)
	}
	return nil
}

func (p *xdpProgram) close() error {
	return errors.Join(p.program.Close(), p.sockets.Close(), p.mac.Close())
}

// onWire is how a program sees the two bytes of a number in a frame.
func onWire(v uint16) int32 { return int32(networkOrder(v)) }

// xdpInstructions is the program. It decides as filterProgram does, with one difference: a packet socket gets a
// copy of each frame, but what this takes nobody else gets. So it takes requests only, or replies only, and an
// initiator and a target can share the interface.
//
//	R6 context, R7 start and R8 end of the frame, R9 the AoE version and flags; on the stack: whether there is a tag
func xdpInstructions(sockets, mac int, replies bool, tagFunction btf.TypeID) asm.Instructions {
	program := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R7, asm.R6, xdpData, asm.Word),
		asm.LoadMem(asm.R8, asm.R6, xdpDataEnd, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Imm(asm.R1, ethernetHeaderBytes),
		asm.JGT.Reg(asm.R1, asm.R8, "pass"),
	}
	program = append(program, xdpMatchAddress(mac)...)
	program = append(program, xdpMatchType()...)
	program = append(program, xdpMatchResponse(replies)...)
	if tagFunction == 0 {
		program = append(program, asm.Ja.Label("untag").WithSymbol("take"))
	} else {
		program = append(program, xdpMatchStrippedTag(tagFunction)...)
	}
	program = append(program, xdpUntag()...)
	program = append(program, xdpStamp()...)
	return append(program,
		asm.LoadMapPtr(asm.R1, sockets).WithSymbol("redirect"),
		asm.LoadMem(asm.R2, asm.R6, xdpQueueIndex, asm.Word),
		asm.Mov.Imm(asm.R3, xdpPass), // for a queue without a socket
		asm.FnRedirectMap.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpPass).WithSymbol("pass"),
		asm.Return(),
	)
}

// xdpMatchAddress lets frames to the interface and to everyone on.
func xdpMatchAddress(mac int) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R2, asm.R7, 0, asm.Word),
		asm.LoadMem(asm.R3, asm.R7, 4, asm.Half),
		asm.JNE.Imm32(asm.R2, -1, "own"),
		asm.JEq.Imm(asm.R3, 0xffff, "type"),
		asm.LoadMapValue(asm.R4, mac, 0).WithSymbol("own"),
		asm.LoadMem(asm.R5, asm.R4, 0, asm.Word),
		asm.JNE.Reg(asm.R5, asm.R2, "pass"),
		asm.LoadMem(asm.R5, asm.R4, 4, asm.Half),
		asm.JNE.Reg(asm.R5, asm.R3, "pass"),
	}
}

// xdpMatchType lets AoE frames on, also behind a tag that carries a priority only. R9 is then after the EtherType.
func xdpMatchType() asm.Instructions {
	const tagBytes = 4
	return asm.Instructions{
		asm.StoreImm(asm.RFP, xdpTagged, 0, asm.Word).WithSymbol("type"),
		asm.Mov.Reg(asm.R9, asm.R7),
		asm.Add.Imm(asm.R9, ethernetHeaderBytes),
		asm.LoadMem(asm.R2, asm.R7, 12, asm.Half),
		asm.JEq.Imm(asm.R2, onWire(etherTypeAoE), "aoe"),
		asm.JNE.Imm(asm.R2, onWire(unix.ETH_P_8021Q), "pass"),
		asm.StoreImm(asm.RFP, xdpTagged, 1, asm.Word),
		asm.Add.Imm(asm.R9, tagBytes),
		asm.JGT.Reg(asm.R9, asm.R8, "pass"),
		asm.LoadMem(asm.R2, asm.R7, 14, asm.Half),
		asm.And.Imm(asm.R2, onWire(0x0fff)),
		asm.JNE.Imm(asm.R2, 0, "pass"),
		asm.LoadMem(asm.R2, asm.R7, 16, asm.Half),
		asm.JNE.Imm(asm.R2, onWire(etherTypeAoE), "pass"),
	}
}

// xdpMatchResponse lets on what this side of the protocol is to get. A frame too short to say is no reply.
func xdpMatchResponse(replies bool) asm.Instructions {
	short, request, reply := "take", "take", "pass"
	if replies {
		short, request, reply = "pass", "pass", "take"
	}
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R9).WithSymbol("aoe"),
		asm.Add.Imm(asm.R1, 1),
		asm.JGT.Reg(asm.R1, asm.R8, short),
		asm.LoadMem(asm.R1, asm.R9, 0, asm.Byte),
		asm.And.Imm(asm.R1, aoeResponse),
		asm.JNE.Imm(asm.R1, 0, reply),
		asm.Ja.Label(request),
	}
}

// xdpMatchStrippedTag passes frames of a VLAN whose tag the interface has stripped. The function says 0 if there
// was a tag; its answers are the EtherType and the tag, of two bytes each.
func xdpMatchStrippedTag(function btf.TypeID) asm.Instructions {
	call := asm.Instruction{
		OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoKfuncCall, Constant: int64(function),
	}
	return asm.Instructions{
		asm.StoreImm(asm.RFP, -8, 0, asm.Word).WithSymbol("take"),
		asm.StoreImm(asm.RFP, -4, 0, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -8),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, -4),
		call,
		asm.JNE.Imm(asm.R0, 0, "untag"),
		asm.LoadMem(asm.R1, asm.RFP, -4, asm.Half),
		asm.And.Imm(asm.R1, 0x0fff),
		asm.JNE.Imm(asm.R1, 0, "pass"),
		asm.Ja.Label("untag"),
	}
}

// xdpUntag takes a priority tag out of the frame.
func xdpUntag() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, xdpTagged, asm.Word).WithSymbol("untag"),
		asm.JEq.Imm(asm.R1, 0, "stamp"),
		asm.Mov.Reg(asm.R1, asm.R7), // the verifier forgot that there is this much
		asm.Add.Imm(asm.R1, ethernetHeaderBytes+4),
		asm.JGT.Reg(asm.R1, asm.R8, "pass"),
		asm.LoadMem(asm.R2, asm.R7, 0, asm.Word),
		asm.LoadMem(asm.R3, asm.R7, 4, asm.Word),
		asm.LoadMem(asm.R4, asm.R7, 8, asm.Word),
		asm.StoreMem(asm.R7, 4, asm.R2, asm.Word),
		asm.StoreMem(asm.R7, 8, asm.R3, asm.Word),
		asm.StoreMem(asm.R7, 12, asm.R4, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, 4),
		asm.FnXdpAdjustHead.Call(),
		asm.JNE.Imm(asm.R0, 0, "pass"),
	}
}

// xdpStamp writes the time before the frame, where the driver has room for it.
func xdpStamp() asm.Instructions {
	return asm.Instructions{
		asm.FnKtimeGetNs.Call().WithSymbol("stamp"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Imm(asm.R2, -xdpStampBytes),
		asm.FnXdpAdjustMeta.Call(),
		asm.JNE.Imm(asm.R0, 0, "redirect"),
		asm.LoadMem(asm.R1, asm.R6, xdpDataMeta, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, xdpData, asm.Word),
		asm.Mov.Reg(asm.R3, asm.R1),
		asm.Add.Imm(asm.R3, xdpStampBytes),
		asm.JGT.Reg(asm.R3, asm.R2, "redirect"),
		asm.StoreMem(asm.R1, 0, asm.R7, asm.DWord),
		asm.Ja.Label("redirect"),
	}
}
