package netio

import "golang.org/x/sys/unix"

// Sizes of frames, and where they lie in memory. All kinds of link use the same layout, where the kernel copies.
const (
	// etherTypeAoE is the EtherType of ATA over Ethernet (AoEr11 §2).
	etherTypeAoE = 0x88A2

	// ethernetHeaderBytes: two addresses and the EtherType. The MTU does not count it.
	ethernetHeaderBytes = 14

	// maxMTU is the largest jumbo MTU in use on real hardware. Loopback claims 65536, where a slot
	// for its largest frame would only waste memory.
	maxMTU = 16110

	// slackBytes leaves room for a VLAN tag that a driver did not strip.
	slackBytes = 4

	// dataOffset is where the data of an ATA request begins in a frame: Ethernet header 14, AoE
	// header 10, ATA header 12 (AoEr11 §3.1).
	dataOffset = 36

	// slotAlign is the strictest memory alignment that O_DIRECT asks for on common disks.
	slotAlign = 512

	// frameOffset is where a frame begins in its slot, so that its data is aligned to slotAlign.
	frameOffset = slotAlign - dataOffset
)

// maxFrameBytes is the largest frame a link of that MTU accepts.
func maxFrameBytes(mtu int) int {
	return min(mtu, maxMTU) + ethernetHeaderBytes + slackBytes
}

// slotBytes is the memory for one received frame, a multiple of slotAlign.
func slotBytes(mtu int) int {
	return (frameOffset + maxFrameBytes(mtu) + slotAlign - 1) / slotAlign * slotAlign
}

// Ring blocks. A block should be physically contiguous, which a machine that has run for long may
// not have in this size any more; a small one wastes more at its end.
const (
	maxBlockBytes = 256 << 10
	minBlockBytes = 32 << 10 // the largest slot is 16896 bytes
)

// ringGeometry describes a packet ring to the kernel: as many blocks as fit in ringBytes, at least one.
func ringGeometry(mtu, ringBytes, blockBytes int) unix.TpacketReq {
	slot := slotBytes(mtu)
	blocks := max(1, ringBytes/blockBytes)
	return unix.TpacketReq{
		Block_size: uint32(blockBytes),
		Block_nr:   uint32(blocks),
		Frame_size: uint32(slot),
		Frame_nr:   uint32(blockBytes / slot * blocks),
	}
}
